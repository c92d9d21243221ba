"""What nft and iptables print, read for the doctor."""

from __future__ import annotations

from hyperbox.engine.leftovers import parse_elements
from hyperbox.engine.network_firewalls import dropping_chain, parse_dropping


def test_published_ports_are_read_from_the_table() -> None:
    def concat(*words: object) -> dict[str, object]:
        return {"concat": list(words)}

    listed = {
        "nftables": [
            {"metainfo": {}},
            {"map": {"name": "published4_any", "elem": [[concat("tcp", 8080), concat("10.89.0.2", 80)]]}},
            {"map": {"name": "published4", "elem": [[concat("127.89.0.1", 17, 53), concat("10.89.0.3", 53)]]}},
            {"map": {"name": "published6", "elem": [[concat("::1", "tcp", 1), concat("fd00::2", 2)]]}},
            {"map": {"name": "published6_any"}},
            {"set": {"name": "bridges", "elem": [concat("br-a", "br-a")]}},
        ]
    }
    assert parse_elements(listed) == [
        ("0.0.0.0", "tcp", 8080, "10.89.0.2", 80),
        ("127.89.0.1", "udp", 53, "10.89.0.3", 53),
        ("::1", "tcp", 1, "fd00::2", 2),
    ]
    assert parse_elements("nonsense") == []


def test_exceptions_belong_where_docker_asks_for_them_else_in_front() -> None:
    assert dropping_chain("-P FORWARD DROP\n-N DOCKER-USER\n") == "DOCKER-USER"
    assert dropping_chain("-P INPUT DROP\n-P FORWARD DROP\n") == "FORWARD"
    assert dropping_chain("-P FORWARD ACCEPT\n") == ""


def test_foreign_chains_that_drop_are_named() -> None:
    chain = {"family": "inet", "table": "mine", "name": "forward", "hook": "forward", "policy": "drop"}
    listed = {
        "nftables": [
            {"chain": chain},
            {"chain": {**chain, "hook": "input"}},
            {"chain": {**chain, "policy": "accept"}},
            {"chain": {**chain, "family": "ip", "table": "filter", "name": "FORWARD"}},
        ]
    }
    assert parse_dropping(listed) == ["inet mine forward"]
