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


@pytest.mark.parametrize("network", ["bridge", "hot-path"])
def test_the_first_thing_a_container_does_finds_its_network_whole(
    hyperbox: Command, busybox: str, network: str
) -> None:
    """It is made while the runtime makes the container, which may not run before."""
    if network != "bridge":
        hyperbox("network", "create", network)
    look = "cat /etc/hosts; ip -4 -o addr show eth0; ip route; cat /etc/resolv.conf; nslookup -type=a $(hostname) 127.0.0.11"
    try:
        for _ in range(5):
            seen = hyperbox(
                "run", "--rm", "--network", network, "--name", "first", busybox, "sh", "-c", look, code=None
            ).out
            address = seen.partition(" inet ")[2].partition("/")[0]
            assert address, seen
            assert f"{address}\t" in seen.partition("inet")[0], seen  # in /etc/hosts
            assert "default via" in seen, seen
            assert ("nameserver 127.0.0.11" in seen) == (network != "bridge"), seen
            assert (f"Address: {address}" in seen) == (network != "bridge"), seen
    finally:
        if network != "bridge":
            hyperbox("network", "rm", network)


def test_a_start_that_fails_while_the_runtime_holds_the_container_never_runs_it(
    hyperbox: Command, busybox: str, tmp_path: Path
) -> None:
    """The port is found to be taken, and the log not to be possible, when the runtime has made the container already."""
    before = leftovers(Roots.of_environment())
    holder = hyperbox("run", "-d", "-p", "18084:80", busybox, "sleep", "60").out.strip()
    try:
        for words in (
            ("-p", "18084:80"),
            ("--log-driver", "syslog", "--log-opt", "syslog-address=tcp://127.0.0.1:1"),
        ):
            for runtime in ("crun", "runc"):
                ran = ["-v", f"{tmp_path}:/ran", "--runtime", runtime, *words, busybox, "touch", f"/ran/{runtime}"]
                hyperbox("run", "--rm", *ran, code=125)
    finally:
        hyperbox("rm", "-f", holder)
    assert not list(tmp_path.iterdir())
    assert_clean(Roots.of_environment(), before=before)


def test_a_runtime_that_holds_containers_in_its_own_way_is_asked_to_start_them(
    hyperbox: Command, busybox: str, tmp_path: Path
) -> None:
    """A crun of our own, before the real one in PATH, hides the pipe by which we release a container ourselves."""
    before = leftovers(Roots.of_environment())
    state = f"{hyperbox.environment['HYPERBOX_RUN']}/runtime/crun"
    asked = tmp_path / "asked"
    script = f"""#!/bin/sh
for word; do id=$word; done
case " $* " in
*" create "*) /usr/bin/crun "$@" && mv {state}/$id/exec.fifo {state}/$id/hidden;;
*" start "*) mv {state}/$id/hidden {state}/$id/exec.fifo; echo start >>{asked}; exec /usr/bin/crun "$@";;
*) exec /usr/bin/crun "$@";;
esac
"""
    fake = hyperbox.folder / "crun"
    fake.write_text(script)
    fake.chmod(0o755)
    path = f"{hyperbox.folder}:{hyperbox.environment['PATH']}"
    assert hyperbox("run", "--rm", busybox, "echo", "ran", env={"PATH": path}).out == "ran\n"
    assert asked.read_text() == "start\n"
    assert_clean(Roots.of_environment(), before=before)
