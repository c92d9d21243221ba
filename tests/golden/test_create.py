"""A compose service asks the Engine for what docker compose asks for; see golden/create."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hyperbox.cli.compose_project import Session
from hyperbox.cli.compose_up import asked_port, settle_security
from hyperbox.compose.load import load
from hyperbox.compose.model import LoadOptions
from hyperbox.engine.inspect import HOST_DEFAULTS
from hyperbox.project.desired import project_to_desired
from hyperbox.project.desired_spec import service_to_spec

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "create"
RECORDED = json.loads((GOLDEN / "recorded.json").read_text())
# what a container that asks for nothing has anyway
ABSENT = {**HOST_DEFAULTS, "Env": [], "Tty": False}


def comparable(key: str, value: object) -> object:
    """Return a value without what is by chance, or the Engine's way of writing it: the order of mappings, `80` for `80/tcp`."""
    if key == "ExposedPorts" and isinstance(value, dict):
        return {port if "/" in port else f"{port}/tcp": item for port, item in value.items()}
    if key == "Links" and isinstance(value, list):  # "/target:/container/alias" once it is made
        return [f"{link.partition(':')[0].lstrip('/')}:{link.rpartition(':')[2].rpartition('/')[2]}" for link in value]
    if key in ("Binds", "ExtraHosts", "Mounts", "Ulimits") and isinstance(value, list):
        return sorted((json.dumps(item, sort_keys=True) for item in value), key=str)
    return value or None if key in ("Binds", "Mounts") else value


@pytest.mark.parametrize("service", sorted(RECORDED))
def test_spec_is_what_docker_compose_asks_for(service: str) -> None:
    project = load(
        LoadOptions(
            files=(str(GOLDEN / "compose.yaml"),), working_dir=str(GOLDEN), environment={}, warn=lambda text: None
        )
    )
    desired = project_to_desired(project, "spec-cases", None, {})
    spec, files = service_to_spec(desired, desired.services[service], 1, "", asked_port)
    assert not files
    settle_security(Session(None, None, desired, None), spec)  # type: ignore[arg-type]
    given = json.loads(
        json.dumps([spec.config, spec.host_config, spec.networking_config]).replace(str(GOLDEN), "{dir}")
    )
    config, host, networking = given
    expected = RECORDED[service]
    for part, found in (("Config", config), ("HostConfig", host)):
        for key, value in expected[part].items():
            ours = found[key] if key in found else ABSENT.get(key)
            assert comparable(key, ours) == comparable(key, value), key
    if not networking:  # with a network_mode of its own
        return
    endpoints = networking["EndpointsConfig"].values()
    assert [endpoint.get("Links") for endpoint in endpoints] == expected["Links"]
    assert [endpoint.get("IPAMConfig") for endpoint in endpoints] == expected["IPAMConfig"]
