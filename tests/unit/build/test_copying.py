"""Files of a context and of other stages: what a source means, what an ignore file leaves out, where copies go, what a digest depends on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hyperbox.build.chmod import changed_mode
from hyperbox.build.content import Digester, Known
from hyperbox.build.copying import Copier
from hyperbox.build.ignore import IgnoreRules, read_patterns
from hyperbox.build.jobs import JobFailed
from hyperbox.build.tree import EVERYTHING, Root, Rules, SourceMissing

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners are changed")


def tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            path.symlink_to(text[3:])
        else:
            path.write_text(text)
    return folder


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def copied(
    source: Path, pattern: str, destination: str, target: Path, rules: Rules = EVERYTHING, **changes: object
) -> list[str]:
    root = Root(str(source), rules)
    copier = Copier(str(target), changes.get("owner"), str(changes.get("mode", "")), None, owned=False)  # type: ignore[arg-type]
    for match in root.matches(pattern):
        copier.match(root, match, destination)
        match.close()
    copier.finish()
    root.close()
    return listing(target)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tree(
        tmp_path / "source",
        {"d/f": "f", "d/s/g": "g", "a.txt": "a", "b.txt": "b", "[x].txt": "x", "link": "-> d", "out": "-> /etc/passwd"},
    )


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("pattern", "destination", "expected"),
    [
        ("/a.txt", "/new", ["new"]),
        ("/a.txt", "/new/", ["new", "new/a.txt"]),
        ("/d", "/new", ["new", "new/f", "new/s", "new/s/g"]),
        ("/d", "/", ["f", "s", "s/g"]),
        ("/link", "/new", ["new", "new/f", "new/s", "new/s/g"]),
        ("/*.txt", "/t/", ["t", "t/[x].txt", "t/a.txt", "t/b.txt"]),
        ("/[[]x].txt", "/t/", ["t", "t/[x].txt"]),
        ("/d/*", "/t/", ["t", "t/f", "t/g"]),
        ("/*/s", "/t", ["t", "t/g"]),
        ("/none*", "/t/", []),
    ],
)
def test_where_a_source_goes_to(
    source: Path, target: Path, pattern: str, destination: str, expected: list[str]
) -> None:
    assert copied(source, pattern, destination, target) == expected


def test_links_lead_nowhere_outside(source: Path, target: Path) -> None:
    with pytest.raises(SourceMissing):
        copied(source, "/out", "/x", target)
    copied(source, "/", "/all", target)
    assert os.readlink(target / "all" / "out") == "/etc/passwd"
    outside = target.parent / "outside"
    outside.mkdir()
    (target / "escape").symlink_to(outside)
    with pytest.raises(JobFailed):
        copied(source, "/a.txt", "/escape/a.txt", target)
    assert listing(outside) == []


def test_a_destination_that_is_a_link_is_followed_inside(source: Path, target: Path) -> None:
    (target / "real").mkdir()
    (target / "l").symlink_to("/real")
    (target / "f").symlink_to("real/file")
    copied(source, "/a.txt", "/l/", target)
    copied(source, "/b.txt", "/f", target)
    assert listing(target / "real") == ["a.txt", "file"]


def test_a_folder_does_not_replace_a_file(source: Path, target: Path) -> None:
    (target / "s").write_text("file")
    with pytest.raises(JobFailed, match="cannot copy to non-directory: /s"):
        copied(source, "/d", "/", target)


def test_owner_and_mode_of_what_is_copied_and_of_new_folders(source: Path, target: Path) -> None:
    copied(source, "/d", "/n/m", target, owner=(5, 6), mode="g+w")
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in target.rglob("*")} == {(5, 6)}
    assert (target / "n/m/f").stat().st_mode & 0o777 == 0o664


def test_ignored_files_stay_out_and_exceptions_come_back(source: Path, target: Path) -> None:
    rules = IgnoreRules(read_patterns("*\n!d\nd/s\n!d/s/g"))
    assert copied(source, "/", "/", target, Rules(rules.excluded, rules.prunes)) == ["d", "d/f", "d/s", "d/s/g"]
    with pytest.raises(SourceMissing):
        copied(source, "/a.txt", "/", target, Rules(rules.excluded, rules.prunes))


def digest(folder: Path, pattern: str = "/", known: str = "") -> list[list[str]]:
    root = Root(str(folder))
    digester = Digester(root, Known(known), owned=False)
    found = digester.selection(pattern)
    digester.known.save()
    root.close()
    return found


def test_a_digest_depends_on_names_modes_and_content_but_not_on_times(source: Path) -> None:
    first = digest(source)
    os.utime(source / "a.txt", (1, 1))
    assert digest(source) == first
    os.chown(source / "a.txt", 7, 7)  # a context's files become root's in any case
    assert digest(source) == first
    os.chmod(source / "a.txt", 0o600)
    assert digest(source) != first
    os.chmod(source / "a.txt", 0o644)
    (source / "a.txt").write_text("A")
    assert digest(source) != first
    (source / "a.txt").write_text("a")
    (source / "a.txt").rename(source / "c.txt")
    assert digest(source) != first


def test_known_digests_are_used_only_for_files_that_have_not_changed(source: Path, tmp_path: Path) -> None:
    known = str(tmp_path / "known.json")
    old = 1_000_000_000
    for path in source.rglob("*"):
        os.utime(path, (old, old), follow_symlinks=False)
    first = digest(source, known=known)
    (source / "a.txt").write_text("B")  # the same size, and soon the same times
    os.utime(source / "a.txt", (old, old))
    assert digest(source, known=known) != first


@pytest.mark.parametrize(
    ("text", "mode", "expected"),
    [
        ("755", 0o100600, 0o755),
        ("u+x", 0o100644, 0o744),
        ("go-r,u=rw", 0o100755, 0o611),
        ("a+X", 0o100644, 0o644),
        ("a+X", 0o040644, 0o755),
        ("g=u", 0o100640, 0o660),
        ("u+s", 0o100755, 0o4755),
        ("+t", 0o040777, 0o1777),
    ],
)
def test_modes_of_chmod(text: str, mode: int, expected: int) -> None:
    assert changed_mode(text, mode) == expected
