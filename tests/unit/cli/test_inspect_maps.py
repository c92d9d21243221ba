"""The JSON that `docker inspect` writes: maps sorted, records in the order of their fields."""

from __future__ import annotations

import json

from hyperbox.cli.inspect import sorted_maps


def test_maps_are_sorted_and_records_keep_their_order() -> None:
    found = [
        {
            "Name": "x",
            "Labels": {"z": "1", "a": "2"},
            "Config": {"User": "", "Cmd": ["b", "a"], "ExposedPorts": {"90/tcp": {}, "80/tcp": {}}},
            "HostConfig": {"LogConfig": {"Type": "local", "Config": {"tag": "x", "max-size": "1m"}}},
            "GraphDriver": {"Name": "o", "Data": {"W": "1", "L": "2"}},
            "Options": {"type": "tmpfs", "device": "tmpfs"},
        }
    ]
    assert json.dumps(sorted_maps(found)) == json.dumps(
        [
            {
                "Name": "x",
                "Labels": {"a": "2", "z": "1"},
                "Config": {"User": "", "Cmd": ["b", "a"], "ExposedPorts": {"80/tcp": {}, "90/tcp": {}}},
                "HostConfig": {"LogConfig": {"Type": "local", "Config": {"max-size": "1m", "tag": "x"}}},
                "GraphDriver": {"Name": "o", "Data": {"L": "2", "W": "1"}},
                "Options": {"device": "tmpfs", "type": "tmpfs"},
            }
        ]
    )
    assert sorted_maps([{"Labels": None}]) == [{"Labels": None}]
