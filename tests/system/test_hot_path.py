"""What makes starts fast changes nothing that a container can see."""

from __future__ import annotations

from tests.conftest import Command


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
