"""Compiled seccomp filters: kept under all that they depend on, given to the runtime that takes them, bounded."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

from hyperbox.engine.spec_seccomp import default_profile
from hyperbox.runtime import filters
from hyperbox.runtime.adapters import Adapter

PROGRAM = bytes(range(16))


def profile(*capabilities: str) -> dict[str, object]:
    return default_profile(capabilities, "x86_64")


def config(seccomp: dict[str, object]) -> dict[str, object]:
    return {"annotations": {"a": "b"}, "linux": {"seccomp": seccomp, "cgroupsPath": "/x"}}


def written(bundle: Path) -> dict[str, dict[str, object]]:
    value: dict[str, dict[str, object]] = json.loads((bundle / "config.json").read_text())
    return value


def test_a_key_names_the_profile_and_the_runtime(tmp_path: Path) -> None:
    program = tmp_path / "runtime"
    program.write_bytes(b"1")
    first = filters.key(profile(), str(program))
    assert first == filters.key(profile(), str(program))
    assert first != filters.key(profile("CAP_SYS_ADMIN"), str(program))
    program.write_bytes(b"22")
    assert first != filters.key(profile(), str(program))


def test_a_profile_with_flags_or_a_listener_has_no_key() -> None:
    assert filters.key({**profile(), "flags": ["SECCOMP_FILTER_FLAG_LOG"]}, "/bin/sh") == ""
    assert filters.key({**profile(), "listenerPath": "/run/listener"}, "/bin/sh") == ""


def test_the_second_container_with_a_profile_gets_the_filter_of_the_first(tmp_path: Path) -> None:
    crun = Adapter("crun", "/bin/sh", f"{tmp_path}/crun", lambda step: None)
    (tmp_path / "crun" / "one").mkdir(parents=True)
    (tmp_path / "crun" / "one" / "seccomp.bpf").write_bytes(PROGRAM)
    crun.write_bundle(str(tmp_path), config(profile()))
    assert written(tmp_path)["linux"]["seccomp"] == profile()
    crun._keep_filter(str(tmp_path), "one")
    crun.write_bundle(str(tmp_path), config(profile()))
    assert written(tmp_path) == {
        "annotations": {"a": "b", "run.oci.seccomp_bpf_data": base64.b64encode(PROGRAM).decode()},
        "linux": {"cgroupsPath": "/x"},
    }
    assert not os.path.lexists(tmp_path / "filter")
    crun.write_bundle(str(tmp_path), config(profile("CAP_SYS_ADMIN")))
    assert written(tmp_path)["linux"]["seccomp"] == profile("CAP_SYS_ADMIN")


def test_runc_always_gets_the_profile(tmp_path: Path) -> None:
    runc = Adapter("runc", "/bin/sh", f"{tmp_path}/runc", lambda step: None)
    filters.folder(runc.state_folder)
    for _ in range(2):
        runc.write_bundle(str(tmp_path), config(profile()))
        assert written(tmp_path)["linux"]["seccomp"] == profile()
    assert not os.path.lexists(tmp_path / "filter")


def test_what_is_no_filter_is_not_kept_and_their_number_is_bounded(tmp_path: Path) -> None:
    source, state = tmp_path / "seccomp.bpf", str(tmp_path / "crun")
    for wrong in (b"", b"1234567", bytes(filters.LARGEST + 8)):
        source.write_bytes(wrong)
        filters.keep(state, "wrong", str(source))
        assert filters.compiled(state, "wrong") == ""
    source.write_bytes(PROGRAM)
    for number in range(filters.KEPT + 1):
        filters.keep(state, str(number), str(source))
    assert len(os.listdir(filters.folder(state))) == 1
