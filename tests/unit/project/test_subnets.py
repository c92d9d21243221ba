"""Subnets that files fix: the first project has them, another one the next that is free, with its addresses in the same places."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from hyperbox.compose.load import load
from hyperbox.compose.model import LoadOptions, Project
from hyperbox.project import subnets

TEXT = """
services:
  a: {image: x, networks: {fixed: {ipv4_address: 172.28.5.10}, other: {ipv4_address: 172.30.0.9}}}
networks:
  fixed: {ipam: {config: [{subnet: 172.28.0.0/16, ip_range: 172.28.5.0/24, gateway: 172.28.5.254, aux_addresses: {router: 172.28.1.5}}]}}
  other: {ipam: {config: [{subnet: 172.30.0.0/24}]}}
  lan: {driver: macvlan, ipam: {config: [{subnet: 192.168.7.0/24}]}}
  shared: {external: true}
"""


def project() -> Project:
    return load(LoadOptions(files=("-",), stdin=TEXT, all_resources=True, project_name="shop"))


def test_only_subnets_of_own_bridges_are_claimed() -> None:
    assert subnets.fixed(project()) == {"fixed/0": "172.28.0.0/16", "other/0": "172.30.0.0/24"}


def test_what_is_free_stays_as_it_is_written() -> None:
    found = subnets.settle({"Id": "shop"}, [], {"fixed/0": "172.28.0.0/16"}, lambda project_id: ["172.17.0.0/16"])
    assert found == {"fixed/0": ("172.28.0.0/16", "172.28.0.0/16")}
    assert subnets.translate(project(), found) == project()


def test_a_taken_subnet_is_replaced_and_all_its_addresses_with_it() -> None:
    other = {"Id": "first", "Subnets": {"n/0": ["172.28.0.0/16", "172.28.0.0/16"]}}
    found = subnets.settle({"Id": "shop"}, [other], {"fixed/0": "172.28.0.0/16"}, lambda project_id: ["172.29.3.0/24"])
    assert found == {"fixed/0": ("172.28.0.0/16", "172.30.0.0/16")}
    new = subnets.translate(project(), found)
    assert new.networks["fixed"]["ipam"] == {
        "config": [
            {
                "subnet": "172.30.0.0/16",
                "ip_range": "172.30.5.0/24",
                "gateway": "172.30.5.254",
                "aux_addresses": {"router": "172.30.1.5"},
            }
        ]
    }
    networks = new.services["a"]["networks"]
    assert isinstance(networks, dict)
    assert networks["fixed"]["ipv4_address"] == "172.30.5.10"
    assert networks["other"]["ipv4_address"] == "172.30.0.9"


def test_a_replacement_stays_until_the_file_asks_for_another() -> None:
    kept = {"Id": "shop", "Subnets": {"fixed/0": ["172.28.0.0/16", "172.31.0.0/16"]}}
    assert (
        subnets.settle(kept, [], {"fixed/0": "172.28.0.0/16"}, lambda project_id: [])["fixed/0"][1] == "172.31.0.0/16"
    )
    assert subnets.settle(kept, [], {"fixed/0": "10.1.0.0/16"}, lambda project_id: [])["fixed/0"][1] == "10.1.0.0/16"


@pytest.mark.parametrize(
    ("wanted", "used", "answer"),
    [
        ("192.168.1.0/24", ["192.168.0.0/16"], "192.168.1.0/24"),
        ("192.168.255.0/24", ["192.168.255.128/25"], "192.168.0.0/24"),
        ("10.0.0.0/8", ["10.0.0.0/8"], "172.17.0.0/16"),
        ("192.168.0.0/16", ["192.168.3.0/24"], "172.24.16.0/20"),
        ("fd00:1::/64", ["fd00:1::/64"], "fd00:1:0:1::/64"),
        ("203.0.113.0/24", ["203.0.113.0/24"], "203.0.113.0/24"),
    ],
)
def test_a_replacement_is_of_the_same_private_range_and_size(wanted: str, used: list[str], answer: str) -> None:
    assert str(subnets.free(ip_network(wanted), [ip_network(each) for each in used])) == answer
