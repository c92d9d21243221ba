"""Which change of which file asks for what: `develop.watch` rules."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hyperbox.cli.watch_files import Watcher, split
from hyperbox.cli.watch_rules import Changes, Rule, changes, load_rules, matches, place
from hyperbox.errors import ComposeError
from hyperbox.project.desired import Desired, ServiceWish


def rules_of(rows: list[dict[str, object]], *, build: dict[str, object] | None = None) -> list[Rule]:
    definition: dict[str, object] = {"develop": {"watch": rows}, **({"build": build} if build else {})}
    wish = ServiceWish("web", definition, 1, "", "busybox", ())
    desired = Desired("p", "p", "/p", (), {}, {}, {"web": wish}, frozenset({"web"}))
    return load_rules(desired, ["web"])


def test_a_service_without_rules_is_refused_in_docker_s_words() -> None:
    with pytest.raises(ComposeError, match="none of the selected services is configured for watch"):
        rules_of([])


def test_rebuild_wants_something_to_build() -> None:
    with pytest.raises(ComposeError, match='can\'t watch service "web" with action rebuild without a build context'):
        rules_of([{"path": "/p", "action": "rebuild"}])


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/p/src/a.py", True),
        ("/p/src/deep/a.py", True),
        ("/p/src/node_modules/x/y.js", False),
        ("/p/src/a.py~", False),
        ("/p/src/.a.py.swp", False),
        ("/p/src/.git/index", False),
        ("/p/source/a.py", False),
        ("/p/src", True),
    ],
)
def test_ignored_and_ephemeral_files_are_left_out(path: str, wanted: bool) -> None:
    (rule,) = rules_of([{"path": "/p/src", "action": "sync", "target": "/app", "ignore": ["node_modules/"]}])
    assert matches(rule, path) is wanted


def test_include_leaves_everything_else_out() -> None:
    (rule,) = rules_of([{"path": "/p", "action": "sync", "target": "/app", "include": ["*.html"]}])
    assert matches(rule, "/p/index.html")
    assert not matches(rule, "/p/index.css")


def test_the_build_context_s_ignore_file_holds(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("secret*\n")
    (rule,) = rules_of([{"path": str(tmp_path), "action": "rebuild"}], build={"context": str(tmp_path)})
    assert matches(rule, f"{tmp_path}/Dockerfile")
    assert not matches(rule, f"{tmp_path}/secret.txt")


def test_a_file_s_place_in_the_container() -> None:
    (folder,) = rules_of([{"path": "/p/src", "action": "sync", "target": "/app/"}])
    (single,) = rules_of([{"path": "/p/x.conf", "action": "sync", "target": "/etc/x.conf"}])
    assert place(folder, "/p/src/a/b") == "/app/a/b"
    assert place(single, "/p/x.conf") == "/etc/x.conf"


def test_a_batch_is_one_set_of_actions_a_service_and_the_first_rule_decides() -> None:
    command: dict[str, object] = {"command": ["true"]}
    rules = rules_of(
        [
            {"path": "/p/src", "action": "sync", "target": "/app"},
            {"path": "/p/src/conf", "action": "restart"},
            {"path": "/p/conf", "action": "sync+restart", "target": "/conf"},
            {"path": "/p/run", "action": "sync+exec", "target": "/run", "exec": command},
        ]
    )
    assert changes(rules, ["/p/src/conf/x", "/p/src/conf/x"]) == {"web": Changes((("/p/src/conf/x", "/app/conf/x"),))}
    assert changes(rules, ["/p/conf/c"]) == {"web": Changes((("/p/conf/c", "/conf/c"),), restart=True)}
    assert changes(rules, ["/p/run/a", "/p/run/b"])["web"].commands == (command,)
    assert changes(rules, ["/elsewhere"]) == {}


def test_files_are_watched_through_their_folder_and_missing_ones_through_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "file").touch()
    assert split([f"{tmp_path}/one", f"{tmp_path}/file"]) == ([f"{tmp_path}/one"], [str(tmp_path)])
    assert split([f"{tmp_path}/gone/deeper"]) == ([str(tmp_path)], [])


def test_the_watcher_tells_of_a_file_that_is_replaced_twice(tmp_path: Path) -> None:
    pytest.importorskip("watchfiles")
    target = tmp_path / "x.txt"
    target.write_text("1")
    watcher = Watcher([str(target)])
    try:
        for text in ("2", "3"):
            (tmp_path / "new").write_text(text)
            os.replace(tmp_path / "new", target)
            found: list[str] = []
            while str(target) not in found:
                found += watcher.batch() or []
    finally:
        watcher.close()
