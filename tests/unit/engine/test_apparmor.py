"""A profile of AppArmor goes to the runtime where the kernel knows AppArmor, for a container and for what is executed in it."""

from __future__ import annotations

import pytest

from hyperbox.engine import spec, spec_host


@pytest.mark.parametrize(
    ("options", "kernel", "profile"),
    [
        (["apparmor=mine"], True, "mine"),
        (["apparmor:mine", "no-new-privileges"], True, "mine"),
        (["apparmor=unconfined"], True, "unconfined"),
        (["apparmor=mine"], False, None),
        (["no-new-privileges"], True, None),
        ([], True, None),
    ],
)
@pytest.mark.parametrize("free", [False, True])
def test_a_process_has_the_profile_that_is_asked_for(
    options: list[str], kernel: bool, profile: str | None, free: bool
) -> None:
    host = spec_host.Host(spec_host.User(0, 0, (), "/root"))
    host.apparmor = kernel
    process: dict[str, object] = {}
    spec.confine(process, {"SecurityOpt": options}, host, free=free)
    assert process.get("apparmorProfile") == profile
    assert process.get("noNewPrivileges") == (True if "no-new-privileges" in options and not free else None)


def test_the_kernel_is_asked_only_where_a_profile_is() -> None:
    assert not spec_host.has_apparmor({"SecurityOpt": ["no-new-privileges"]})
    assert not spec_host.has_apparmor({})
