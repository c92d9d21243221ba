"""Whose the cgroups are: ours from the root down, or a scope of systemd's; tests/guest has the real one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hyperbox.engine import project_groups
from hyperbox.engine.state import Roots
from hyperbox.errors import EngineError
from hyperbox.kernel import cgroups, systemd

SCOPE = "/hyperbox.slice/hyperbox.scope"


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Roots:
    """The roots of a machine whose unified hierarchy is a folder and which systemd has started."""
    (tmp_path / "cgroup").mkdir()
    (tmp_path / "cgroup" / "cgroup.controllers").write_text("cpu io memory pids")
    (tmp_path / "booted").mkdir()
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(cgroups, "ROOT", str(tmp_path / "cgroup"))
    monkeypatch.setattr(systemd, "BOOTED", str(tmp_path / "booted"))
    return Roots(str(tmp_path / "data"), str(tmp_path / "run"), "hyperbox")


def make_scope(asked: list[str], why: str = "") -> object:
    def start(path: str) -> str:
        asked.append(path)
        if not why:
            group = f"{cgroups.ROOT}{path}/{systemd.MONITORS}"
            os.makedirs(group, exist_ok=True)
            Path(group, "cgroup.procs").touch()
        return why

    return start


@pytest.mark.parametrize(
    ("parent", "path"),
    [
        ("hyperbox", SCOPE),
        ("/hyperbox/", SCOPE),
        ("hyperbox-test", "/hyperbox.slice/hyperbox-test.scope"),
        ("a/b", "/hyperbox.slice/a-b.scope"),
        ("a b@c", "/hyperbox.slice/a\\x20b\\x40c.scope"),
        ("größe", "/hyperbox.slice/gr\\xc3\\xb6\\xc3\\x9fe.scope"),
    ],
)
def test_a_scope_is_named_after_the_parent(parent: str, path: str) -> None:
    assert systemd.scope_path(parent) == path
    assert systemd.is_scope(path)
    assert not systemd.is_scope("/hyperbox")


def test_the_first_start_asks_for_the_scope_and_others_find_it(roots: Roots, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(systemd, "start_scope", make_scope(asked))
    assert project_groups.parent(roots) == "/hyperbox"
    assert [project_groups.claim_parent(roots) for _ in range(3)] == [SCOPE] * 3
    assert asked == [SCOPE]
    assert project_groups.parent(roots) == SCOPE


def test_a_scope_that_has_gone_is_asked_for_again(roots: Roots, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(systemd, "start_scope", make_scope(asked))
    project_groups.claim_parent(roots)
    os.unlink(f"{cgroups.ROOT}{SCOPE}/{systemd.MONITORS}/cgroup.procs")
    assert project_groups.claim_parent(roots) == SCOPE
    assert len(asked) == 2
    os.unlink(f"{cgroups.ROOT}{SCOPE}/{systemd.MONITORS}/cgroup.procs")
    monkeypatch.setattr(systemd, "start_scope", make_scope(asked, "it is busy"))
    with pytest.raises(EngineError, match="systemd did not make a scope for containers: it is busy"):
        project_groups.claim_parent(roots)


def test_where_systemd_cannot_be_asked_one_boot_has_one_answer(roots: Roots, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(systemd, "start_scope", make_scope(asked, "no bus"))
    assert [project_groups.claim_parent(roots) for _ in range(2)] == ["/hyperbox"] * 2
    assert asked == [SCOPE]
    monkeypatch.setattr(systemd, "start_scope", make_scope(asked))
    assert project_groups.claim_parent(roots) == "/hyperbox"
    assert len(asked) == 1


@pytest.mark.parametrize("lacks", ["cgroup/cgroup.controllers", "booted"])
def test_on_cgroup_v1_and_without_systemd_nobody_is_asked(
    roots: Roots, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lacks: str
) -> None:
    (tmp_path / lacks).rename(tmp_path / "gone")
    monkeypatch.setattr(systemd, "start_scope", lambda path: pytest.fail(path))
    assert not systemd.manages()
    assert project_groups.claim_parent(roots) == "/hyperbox"
    assert project_groups.leave_caller(roots)() is not None


def test_controllers_are_handed_down_from_the_scope_and_not_above_it(roots: Roots) -> None:
    """What is written shows in plain files: each group begins with the controllers that it has to hand down."""
    del roots
    for name in ("", "/hyperbox.slice", SCOPE, f"{SCOPE}/shop"):
        os.makedirs(f"{cgroups.ROOT}{name}", exist_ok=True)
        Path(f"{cgroups.ROOT}{name}/cgroup.controllers").write_text("pids")
        Path(f"{cgroups.ROOT}{name}/cgroup.subtree_control").touch()
    cgroups.delegate(f"{SCOPE}/shop")
    written = {
        name: Path(f"{cgroups.ROOT}{name}/cgroup.subtree_control").read_text()
        for name in ("", "/hyperbox.slice", SCOPE, f"{SCOPE}/shop")
    }
    assert written == {"": "", "/hyperbox.slice": "", SCOPE: "+pids", f"{SCOPE}/shop": "+pids"}


def test_systemd_run_that_fails_is_told(roots: Roots, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "systemd-run"
    program.write_text("#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert systemd.start_scope(SCOPE) == "Failed to connect to bus"
    del roots
