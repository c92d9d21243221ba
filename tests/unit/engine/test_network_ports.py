"""Ports of networks that are routed: no port of the host is taken for them."""

from __future__ import annotations

import pytest

from hyperbox.engine.network_ports import Wish, without_routed


@pytest.mark.parametrize(
    ("address", "both", "routed4", "routed6", "kept", "opened"),
    [
        ("0.0.0.0", True, False, False, [("0.0.0.0", True)], []),
        ("0.0.0.0", True, True, False, [("::", False)], ["0.0.0.0"]),
        ("0.0.0.0", True, False, True, [("0.0.0.0", False)], ["::"]),
        ("0.0.0.0", True, True, True, [], ["0.0.0.0", "::"]),
        ("127.0.0.1", False, True, False, [], ["0.0.0.0"]),
        ("127.0.0.1", False, False, True, [("127.0.0.1", False)], []),
        ("::1", False, True, False, [("::1", False)], []),
        ("::1", False, False, True, [], ["::"]),
        ("127.89.0.1", False, True, True, [("127.89.0.1", False)], []),
    ],
)
def test_what_is_routed_is_opened_and_the_rest_is_taken(
    address: str, both: bool, routed4: bool, routed6: bool, kept: list[tuple[str, bool]], opened: list[str]
) -> None:
    left, away = without_routed([Wish(address, 8080, 8081, "tcp", 80, both=both)], routed4, routed6)
    assert [(each.address, each.both) for each in left] == kept
    assert all((each.first, each.last, each.container_port) == (8080, 8081, 80) for each in left)
    assert [each.address for each in away] == opened
    assert all((each.host_port, each.container_port, each.descriptor) == (0, 80, -1) for each in away)
