"""The OCI configuration of a container beside what docker gives its runtime for the same flags (golden/spec).

CASE.docker is recorded, never rewritten from ours. CASE.spec is ours: HYPERBOX_UPDATE_GOLDEN=1 writes it anew, to be reviewed as a diff.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest

from hyperbox.cli.container_spec import container_spec
from hyperbox.engine import create_checks, merge_config, mounts, spec, spec_host, volumes
from hyperbox.engine.creation import network_mode_settled
from hyperbox.engine.state import Container, Roots, new_state
from hyperbox.grammar.parse import parse

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "spec"
ID = "1f" * 32


def load(name: str) -> ModuleType:
    """Return a module that lies beside the golden files."""
    found = importlib.util.spec_from_file_location(f"golden_spec_{name}", GOLDEN / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module


cases, differences = load("cases"), load("differences")


def fixed_host(container: Container, rootfs: str, monkeypatch: pytest.MonkeyPatch) -> spec_host.Host:
    """Return the machine on which the golden files were recorded, as far as a configuration tells of it."""
    known = tuple(f"CAP_{name}" for name in spec_host.CAPABILITIES.split())
    monkeypatch.setattr(
        spec_host, "bounding_capabilities", lambda: tuple(name for name in known if name not in differences.LACKING)
    )
    monkeypatch.setattr(
        spec_host, "device_nodes", lambda path: {path: differences.NODES[path]} if path != "/dev" else {}
    )
    host = spec_host.read_host(container, rootfs)
    host.kernel, host.machine, host.cgroup_v2 = (6, 18), "x86_64", False
    host.limits, host.apparmor = {}, False
    return host


def our_text(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[str]]:
    """Return the text form of our configuration for a case's flags, and the lines of its seccomp profile."""
    roots = Roots(str(tmp_path / "data"), str(tmp_path / "run"), "hyperbox")
    roots.prepare()
    rootfs = tmp_path / "root"
    (rootfs / "etc").mkdir(parents=True)
    os.makedirs(f"{roots.container(ID)}/merged")
    (rootfs / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    wanted = container_spec(parse(["docker", "run", "-d", *shlex.split(cases.CASES[case]), "busybox", "sleep", "1000"]))
    image = {"Env": [f"PATH={spec.DEFAULT_PATH}"], "Cmd": ["sh"]}
    config = merge_config.merged_config(wanted.config, image, ID)
    host_config, _ = create_checks.settle(roots, wanted.config, wanted.host_config)
    record = {"Id": ID, "Name": "golden-spec", "Project": "default", "Config": config}
    record["HostConfig"] = network_mode_settled(roots, host_config)
    if record["HostConfig"]["NetworkMode"] == "host" and not wanted.config.get("Hostname"):  # as `creation.create` does
        config["Hostname"] = differences.MACHINE_NAME
    container = Container(roots, ID, record, new_state())
    with volumes.lock(roots, shared=True):
        record["Mounts"] = mounts.settle(roots, container)
    mode = str(record["HostConfig"]["NetworkMode"])
    result = spec.container_to_oci(
        container,
        rootfs=str(rootfs),
        mounts=volumes.prepare_mounts(roots, container),
        netns_path="" if mode == "host" else "/proc/1/fd/3",
        cgroup_path=f"/hyperbox/default/{ID}",
        host=fixed_host(container, str(rootfs), monkeypatch),
    )
    import json

    text = json.dumps(result).replace(str(rootfs), "ROOT").replace(roots.container(ID), "FILES")
    text = text.replace(str(tmp_path / "data"), "DATA").replace(ID, "ID").replace(ID[:12], "ID12")
    return cases.text_form(json.loads(text))


@pytest.mark.parametrize("case", cases.CASES)
def test_a_configuration_is_docker_s_but_for_what_is_meant_to_differ(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, seccomp = our_text(case, tmp_path, monkeypatch)
    if os.environ.get("HYPERBOX_UPDATE_GOLDEN"):
        (GOLDEN / f"{case}.spec").write_text(ours)
    assert (GOLDEN / f"{case}.spec").read_text() == ours
    recorded = (GOLDEN / f"{case}.docker").read_text()
    assert seccomp == profile_of(recorded)
    assert differences.unexplained(case, recorded.splitlines(), ours.splitlines()) == []


def profile_of(recorded: str) -> list[str]:
    """Return the lines of the seccomp profile that docker's configuration names."""
    for line in recorded.splitlines():
        if line.startswith("seccomp "):
            return (GOLDEN / f"{line.split()[1]}.docker").read_text().splitlines()
    return []
