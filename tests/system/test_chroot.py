"""HyperBox under chroot(1), in a root that is no mount and not that of its mount namespace: containers can't see out of theirs all the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import machine
from tests.conftest import Command
from tests.machine import Roots, leftovers

pytestmark = pytest.mark.system
# the machine's own folders, bound into a plain one
ENTER = """
for path in /*; do
  if [ -L "$path" ]; then ln -sfn "$(readlink "$path")" "$ROOT$path"
  elif [ -d "$path" ]; then mkdir -p "$ROOT$path"; mount --rbind "$path" "$ROOT$path"; fi
done
exec chroot "$ROOT" "$@"
"""


@pytest.fixture
def inside(hyperbox: Command, tmp_path: Path) -> Iterator[Command]:
    """The command as one under chroot has it; no container outlives the test."""
    roots = Roots.of_environment()
    before = leftovers(roots)
    root = tmp_path / "root"
    root.mkdir()
    entering = ["unshare", "-m", "--propagation", "private", "sh", "-ec", ENTER, "enter"]
    yield Command([*entering, *hyperbox.argv], {**hyperbox.environment, "ROOT": str(root)}, Path("/"))
    hyperbox("rm", "-f", "hb-inside", code=None)
    machine.assert_clean(roots, before=before)


def test_a_container_has_its_own_root_only(inside: Command, busybox: str) -> None:
    mounts = inside("run", "--rm", busybox, "cat", "/proc/self/mountinfo").out.splitlines()
    assert " / / " in mounts[0]
    assert " - overlay " in mounts[0]
    assert not [line for line in mounts if line.split()[4] in ("/usr", "/home", "/var")]
    inside("run", "-d", "--name", "hb-inside", busybox, "sleep", "1000")
    # out of a chroot's root one gets by another chroot, out of a namespace's one doesn't
    escape = "mkdir /x; chroot /x true 2>/dev/null; cd ../../../../..; ls -a | wc -l; ls -a / | wc -l"
    seen = inside("exec", "hb-inside", "sh", "-c", escape).out.split()
    assert seen[0] == seen[1]
    assert inside("exec", "hb-inside", "readlink", "/proc/1/root").out == "/\n"


def test_the_rest_of_a_life(inside: Command, busybox: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("given\n")
    inside("create", "--name", "hb-inside", "-v", f"{tmp_path}:/given:ro", busybox, "sleep", "1000")
    inside("cp", str(tmp_path / "file"), "hb-inside:/copied")
    inside("start", "hb-inside")
    assert inside("exec", "hb-inside", "cat", "/copied", "/given/file").out == "given\n" * 2
    shared = ("--ipc", "container:hb-inside", "--pid", "container:hb-inside", "--network", "container:hb-inside")
    inside("run", "--rm", *shared, busybox, "true", code=125)  # its IPC is not shareable
    assert "sleep" in inside("run", "--rm", *shared[2:], busybox, "ps").out
    inside("rm", "-f", "hb-inside")


def test_a_build(inside: Command, busybox: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {busybox}\nRUN cut -d' ' -f5 /proc/self/mountinfo > /mounts\n")
    inside("build", "-q", "-t", "hb-inside:x", str(tmp_path))
    try:
        mounts = inside("run", "--rm", "hb-inside:x", "cat", "/mounts").out.split()
        assert mounts[0] == "/"
        assert not {"/usr", "/home", "/var", os.environ["HYPERBOX_DATA"]} & set(mounts)
    finally:
        inside("rmi", "hb-inside:x")
        inside("builder", "prune", "-af")
