"""A project's address, its names, and the variables."""

from __future__ import annotations

from hyperbox.project import address


def test_each_number_has_an_address_of_its_own() -> None:
    found = [address.address(number) for number in range(1, 2001)]
    assert found[0] == "127.89.0.1"
    assert len(set(found)) == 2000
    assert not any(each.endswith((".0", ".255")) for each in found)


def test_names_are_those_of_the_project_and_its_services() -> None:
    assert address.names("my_shop", ["web", "Db"]) == [
        "my_shop.hyperbox",
        "web.my_shop.hyperbox",
        "db.my_shop.hyperbox",
    ]


def test_variables_tell_the_address_and_the_real_ports() -> None:
    found = address.environment(1, {("web-app", 80, "tcp"): 10080, ("dns", 53, "udp"): 10053}, "shop")
    assert found == {
        "HYPERBOX_PROJECT": "shop",
        "HYPERBOX_HOST": "shop.hyperbox",
        "HYPERBOX_ADDRESS": "127.89.0.1",
        "HYPERBOX_PORT_DNS_53_UDP": "10053",
        "HYPERBOX_PORT_WEB_APP_80": "10080",
    }


def test_ports_have_their_own_numbers_on_the_projects_address() -> None:
    services = {
        "web": [{"target": 80, "published": "8080"}, {"target": 443}, {"target": 9, "published": "9000-9010"}],
        "admin": [{"target": 81, "published": "443"}, {"target": 53, "published": "53", "protocol": "udp"}],
        "copy": [{"target": 80, "published": "8080"}],
    }
    assert address.published_ports(services) == {
        "web": [(8080, "tcp", 80), (9, "tcp", 9)],
        "admin": [(443, "tcp", 81), (53, "udp", 53)],
    }
