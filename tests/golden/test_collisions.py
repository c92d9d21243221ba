"""No two projects collide: every pair of sample files that publish ports, in both orders, and each file with itself, by the real planner."""

from __future__ import annotations

import os
import shutil
from ipaddress import ip_network
from pathlib import Path
from typing import NamedTuple

import pytest

from hyperbox.cli.compose_identity import settle
from hyperbox.cli.compose_ports import add_address, port_assigner
from hyperbox.cli.compose_project import Session
from hyperbox.compose.load import load
from hyperbox.compose.model import LoadOptions, Project
from hyperbox.errors import HyperBoxError
from hyperbox.grammar.parse import Invocation
from hyperbox.plan.observe import Observed
from hyperbox.plan.operations import CreateContainer, CreateNetwork, CreateVolume
from hyperbox.plan.reconcile import UpOptions, reconcile_up
from hyperbox.project import identity, ports
from hyperbox.project.address import PREFIX, names
from hyperbox.project.desired import project_to_desired
from hyperbox.project.desired_spec import REFUSED, service_to_spec
from hyperbox.project.subnets import translate
from tests.golden.test_compose import ALL, cases


class Places(NamedTuple):
    """All that a planned project takes on the machine."""

    published: list[tuple[str, int, str]]
    names: set[str]
    subnets: list[str]


def publishes(project: Project) -> bool:
    """Whether a project has ports, and HyperBox runs it at all."""
    refused = any(service.get(key) for service in project.services.values() for key in REFUSED)
    return not refused and any(service.get("ports") for service in project.services.values())


def samples(folder: Path) -> list[Project]:
    """Load the sample files that publish ports, each below its own folder."""
    found = []
    for case in ALL:
        place = folder / case.topic / case.name  # type: ignore[attr-defined]
        place.mkdir(parents=True)
        cases.write_files(case, str(place))
        try:
            project = load(LoadOptions(working_dir=str(place), environment={"HOME": "/root"}))
        except (HyperBoxError, OSError):
            continue
        if publishes(project):
            found.append(project)
    return found


def planned(project: Project) -> Places:
    """Plan `up` of a project on the machine as it is recorded, and return all that it takes."""
    place = settle(project, explicit=False, path="compose up")
    project = translate(project, place.subnets)
    desired = project_to_desired(project, place.identity.id, None, place.names)
    session = Session(object(), Invocation("hyperbox", "compose up", "compose up", ()), desired, place)  # type: ignore[arg-type]
    networks = {wish.name: "" for wish in desired.networks.values() if wish.external}
    volumes = {wish.name: "" for wish in desired.volumes.values() if wish.external}
    plan = reconcile_up(desired, Observed((), networks, volumes), UpOptions())
    published: list[tuple[str, int, str]] = []
    fixed: list[str] = []
    taken = {f"id {place.identity.id}", *(f"host {name}" for name in names(place.identity.id, []))}
    ids = dict.fromkeys(desired.services, "0" * 64)
    for node in plan.nodes:
        match node.operation:
            case CreateNetwork(name=name, body=body):
                taken.add(f"network {name}")
                ipam = body.get("IPAM")
                fixed += [
                    row["Subnet"] for row in (ipam["Config"] if isinstance(ipam, dict) else ()) if "Subnet" in row
                ]
            case CreateVolume(name=name):
                taken.add(f"volume {name}")
            case CreateContainer(service=service, ordinal=ordinal):
                wish = desired.services[service]
                spec, _ = service_to_spec(desired, wish, ordinal, "", port_assigner(session), container_ids=ids)
                add_address(session, service, ordinal, spec)
                taken.add(f"container {spec.name}")
                if wish.definition.get("build"):
                    taken.add(f"image {wish.image}")
                bindings = spec.host_config.get("PortBindings") or {}
                assert isinstance(bindings, dict)
                for key, rows in bindings.items():
                    protocol = key.partition("/")[2]
                    published += [(row["HostIp"], int(row["HostPort"]), protocol) for row in rows]
    return Places(published, taken, fixed)


def conflicts(one: Places, other: Places) -> list[str]:
    """Return what two projects both take."""
    found = sorted(one.names & other.names)
    for address, port, protocol in one.published:
        for row in other.published:
            own = address.startswith(PREFIX) or row[0].startswith(
                PREFIX
            )  # a project's address is no part of "all addresses"
            if row[1:] == (port, protocol) and (address == row[0] if own else ports.meet(address, row[0])):
                found.append(f"port {address}:{port}/{protocol} and {row[0]}:{port}")
    for subnet in one.subnets:
        found += [f"subnet {subnet}" for each in other.subnets if ip_network(subnet).overlaps(ip_network(each))]
    return found


def test_no_pair_of_samples_collides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERBOX_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(ports, "host_in_use", lambda address, port, protocol: False)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    projects = samples(tmp_path / "samples")
    assert len(projects) >= 30
    (tmp_path / "second").mkdir()
    found: list[str] = []
    pairs = 0
    for first in projects:
        shutil.rmtree(tmp_path / "data", ignore_errors=True)
        one = planned(first)
        before = set(os.listdir(tmp_path / "data" / "projects"))
        for second in projects:
            if second is first:
                second = first._replace(working_dir=str(tmp_path / "second"))
            found += [
                f"{first.working_dir} and {second.working_dir}: {each}" for each in conflicts(one, planned(second))
            ]
            records = identity.read_all(f"{tmp_path}/data/projects")
            spans = sorted(
                (each.start, each.start + each.size) for record in records for each in ports.leases_of(record)
            )
            assert len(records) == len(spans) == 2
            assert spans[0][1] <= spans[1][0]
            for name in set(os.listdir(tmp_path / "data" / "projects")) - before:
                (tmp_path / "data" / "projects" / name).unlink()
            pairs += 1
    assert not found, "\n".join(found[:40])
    assert pairs == len(projects) ** 2
