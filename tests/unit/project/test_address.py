"""A project's address, its names, and the variables."""

from __future__ import annotations

from pathlib import Path

from hyperbox.project import address


def test_each_number_has_an_address_of_its_own() -> None:
    found = [address.address(number) for number in range(1, 2001)]
    assert found[0] == "127.89.0.1"
    assert len(set(found)) == 2000
    assert not any(each.endswith((".0", ".255")) for each in found)


def test_only_our_block_of_the_hosts_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n# mine\n10.0.0.1 nas\n")
    lock = str(tmp_path / "lock")
    address.write_hosts(str(path), lock, "x", ["127.89.0.1 shop.hyperbox"])
    address.write_hosts(str(path), lock, "y", ["127.89.0.2 other.hyperbox"])
    address.write_hosts(str(path), lock, "x", ["127.89.0.3 shop.hyperbox"])
    text = path.read_text()
    assert text.startswith("127.0.0.1 localhost\n# mine\n10.0.0.1 nas\n")
    assert "127.89.0.1" not in text
    assert text.count("shop.hyperbox") == text.count("other.hyperbox") == 1
    address.write_hosts(str(path), lock, "x", [])
    address.write_hosts(str(path), lock, "y", [])
    assert path.read_text() == "127.0.0.1 localhost\n# mine\n10.0.0.1 nas\n"


def test_names_are_those_of_the_project_and_its_services() -> None:
    assert address.names("my_shop", ["web", "Db"]) == [
        "my-shop.hyperbox",
        "web.my-shop.hyperbox",
        "db.my-shop.hyperbox",
    ]


def test_variables_tell_the_address_and_the_real_ports() -> None:
    found = address.environment(1, {("web-app", 80, "tcp"): 10080, ("dns", 53, "udp"): 10053})
    assert found == {
        "HYPERBOX_ADDRESS": "127.89.0.1",
        "HYPERBOX_PORT_DNS_53_UDP": "10053",
        "HYPERBOX_PORT_WEB_APP_80": "10080",
    }
