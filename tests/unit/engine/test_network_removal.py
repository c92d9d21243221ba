"""A network that is removed while a container begins to use it: one of the two gives way, and nothing is left."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hyperbox import files
from hyperbox.engine import network_manage, network_setup, network_store
from hyperbox.engine.state import Roots
from hyperbox.errors import Forbidden, NotFound

Json = dict[str, object]
CONTAINER = "c0ffee" * 10 + "c0ff"


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    made = Roots(str(tmp_path / "data"), str(tmp_path / "run"), "none")
    os.makedirs(f"{made.data}/networks/names")
    os.makedirs(f"{made.run}/networks/containers")
    return made


@pytest.fixture
def network(roots: Roots) -> Json:
    record = network_store.new_record("net", "bridge", Bridge="br-none")
    record["IPAM"] = network_manage.ipam([{"Subnet": "10.201.0.0/24", "Gateway": "10.201.0.1"}], None)
    network_store.write(roots, record)
    return record


def connect(roots: Roots, record: Json) -> Json:
    """Claim addresses for a container as its start does, and return its endpoint."""
    endpoint: Json = {"MacAddress": "02:42:00:00:00:01"}
    network_setup.address_endpoint(roots, record, {}, endpoint, network_store.owner_text(CONTAINER))
    return endpoint


def test_a_network_in_which_an_address_was_just_claimed_stays(roots: Roots, network: Json) -> None:
    assert connect(roots, network)["IPAddress"] == "10.201.0.2"
    with pytest.raises(Forbidden) as raised:
        network_manage.refuse_active(roots, network)
    assert str(raised.value.message) == (
        f'error while removing network: network net has active endpoints (name:"{CONTAINER}" id:"{CONTAINER[:12]}")'
    )
    network_store.release_all(roots, CONTAINER)
    network_manage.refuse_active(roots, network)


def test_who_claims_an_address_of_a_network_that_is_gone_is_told(roots: Roots, network: Json) -> None:
    network_store.forget(roots, network)
    with pytest.raises(NotFound, match="network net not found"):
        connect(roots, network)
    assert not os.path.exists(network_store.run_folder(roots, str(network["Id"])))


@pytest.mark.parametrize("removed", [True, False])
def test_who_claims_an_address_while_the_network_is_removed_waits_for_the_outcome(
    roots: Roots, network: Json, removed: bool
) -> None:
    marked, told = os.pipe()
    child = os.fork()
    if child == 0:
        with files.Lock(f"{network_store.folder(roots)}/lock"):
            network_manage.refuse_active(roots, network)
            os.write(told, b"x")
            time.sleep(0.2)
            if removed:
                network_store.forget(roots, network)
        os._exit(0)
    os.read(marked, 1)
    try:
        if removed:
            with pytest.raises(NotFound):
                connect(roots, network)
        else:
            assert connect(roots, network)["IPAddress"] == "10.201.0.2"
    finally:
        os.waitpid(child, 0)
        os.close(marked)
        os.close(told)
