"""What crun says, as docker's users know it."""

from __future__ import annotations

import pytest

from hyperbox.runtime.words import CREATE, START, reason, start_failure

HINT = (
    "not a directory: Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the "
    "expected type"
)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("sethostname: Invalid argument", "sethostname: invalid argument"),
        ("open `/x`: Too many open files", "open `/x`: too many open files"),
        ("something: Of Its Own", "something: Of Its Own"),
        (
            "mount `/etc` to `etc/passwd`: Not a directory",
            f'error mounting "/etc" to rootfs at "/etc/passwd": mount src=/etc, dst=/etc/passwd, flags=MS_BIND|MS_REC: {HINT}',
        ),
        (
            "mount `tmpfs` to `/etc/passwd`: Not a directory",
            f'error mounting "tmpfs" to rootfs at "/etc/passwd": mount src=tmpfs, dst=/etc/passwd: {HINT}',
        ),
        (
            "mkdir `/etc/passwd/x`: Not a directory",
            f'error mounting to rootfs at "/etc/passwd/x": create mountpoint for /etc/passwd/x mount: {HINT}',
        ),
    ],
)
def test_reasons_are_in_docker_s_words(said: str, words: str) -> None:
    assert reason(f"2026-11-29T08:00:00Z: debug\n{said}\n", {}) == (words, 0)


def test_a_profile_of_apparmor_that_is_not_loaded_is_told_as_docker_does() -> None:
    error = start_failure("write file `/proc/thread-self/attr/apparmor/exec`: No such file or directory", {})
    assert error.exit_code == 127
    assert "init: unable to apply apparmor profile: apparmor failed to apply profile: write /proc" in str(error)


def test_a_start_that_fails_so_ends_with_125() -> None:
    error = start_failure("mount `/etc` to `etc/passwd`: Not a directory", {})
    assert error.exit_code == 125
    assert error.message.startswith(START)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("the sysctl `kernel.x` is not namespaced", f'{CREATE}sysctl "kernel.x" is not in a separate kernel namespace'),
        ("invalid rlimit `RLIMIT_NOPE`", f"{CREATE}wrong rlimit value: RLIMIT_NOPE"),
        (
            "setrlimit `RLIMIT_NOFILE`: Invalid argument",
            f"{START}error setting rlimits for ready process: error setting rlimit type 7: invalid argument",
        ),
        (
            "open /proc/sys/net/nope: No such file or directory",
            f"{START}open sysctl net.nope file: unsafe procfs detected: openat2 fsmount:fscontext:proc/./sys/net/nope: "
            "no such file or directory",
        ),
    ],
)
def test_what_could_not_be_set_is_told_in_docker_s_words(said: str, words: str) -> None:
    error = start_failure(said, {})
    assert (error.message, error.exit_code) == (words, 125)
