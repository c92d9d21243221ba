"""What makes starts fast changes nothing that a container can see."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import Command, wait_until
from tests.machine import Roots, assert_clean, leftovers


def test_a_kept_seccomp_filter_denies_what_the_profile_denies(hyperbox: Command, busybox: str) -> None:
    for _ in range(2):  # the second one has the filter of the first
        denied = hyperbox("run", "--rm", busybox, "unshare", "-U", "true", code=1)
        assert "Operation not permitted" in denied.err
        hyperbox("run", "--rm", "--security-opt", "seccomp=unconfined", busybox, "unshare", "-U", "true")
    name = hyperbox("run", "-d", busybox, "sleep", "60").out.strip()
    try:
        assert "Operation not permitted" in hyperbox("exec", name, "unshare", "-U", "true", code=1).err
    finally:
        hyperbox("rm", "-f", name)


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--rm", "--pull", "never", "no-such-image", "true"],
        ["run", "--rm", "--memory", "1", "busybox", "true"],
        ["start", "no-such-container"],
        ["exec", "no-such-container", "true"],
    ],
    ids=" ".join,
)
def test_a_monitor_sent_ahead_goes_with_a_command_that_fails(hyperbox: Command, busybox: str, words: list[str]) -> None:
    roots = Roots.of_environment()
    before = leftovers(roots)
    assert hyperbox(*words, code=None).code != 0
    assert_clean(roots, before=before)


def test_the_runtime_is_read_only_for_its_container_and_tells_nobody(hyperbox: Command, busybox: str) -> None:
    assert "_LIBCONTAINER" not in hyperbox("run", "--rm", busybox, "env").out
    name = hyperbox("run", "-d", busybox, "sleep", "60").out.strip()
    try:
        pid = hyperbox("inspect", "-f", "{{.State.Pid}}", name).out.strip()
        parent = next(
            line.split()[1] for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "PPid" in line
        )
        mounts = [line.split() for line in Path(f"/proc/{parent}/mountinfo").read_text().splitlines()]
        shield = next(fields for fields in mounts if fields[4].endswith(("/crun", "/runc")))
        assert "ro" in shield[5].split(",")
        assert "_LIBCONTAINER" not in hyperbox("exec", name, "env").out
    finally:
        hyperbox("rm", "-f", name)


def test_a_shared_mount_still_reaches_the_host(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    """Such a container gives up the mounts that were made ahead, as its own are taken from the host's."""
    subprocess.run(["mount", "--bind", tmp_path, tmp_path], check=True)
    try:
        subprocess.run(["mount", "--make-shared", tmp_path], check=True)
        command = "mkdir /x/made && mount -t tmpfs made /x/made"
        hyperbox("run", "--rm", "--privileged", "-v", f"{tmp_path}:/x:shared", busybox, "sh", "-c", command)
        assert f" {tmp_path}/made " in Path("/proc/self/mountinfo").read_text()
    finally:
        # the container's own mounts go a moment after the command
        wait_until(lambda: subprocess.run(["umount", "--recursive", tmp_path], check=False).returncode == 0)
