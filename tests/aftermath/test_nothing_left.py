"""After all tests: the machine is as it was found. `tests/run` calls this twice, in the sandbox and, once that is removed, on the host.

HYPERBOX_HOST_BEFORE names the file to which `python -m tests.machine` wrote what the host had before; HYPERBOX_SANDBOX_REMOVED the sandbox that
the tests ran in. What other sandboxes on the same machine do meanwhile is not ours: it carries their names.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import command_under_test
from tests.machine import Roots, assert_clean, bridges, host_state, text_of

inside = pytest.mark.skipif(not os.environ.get("HYPERBOX_SANDBOX"), reason="looks at the sandbox: run by tests/run")
outside = pytest.mark.skipif(
    not os.environ.get("HYPERBOX_HOST_BEFORE"), reason="looks at the host after the sandbox: run by tests/run"
)


@inside
def test_no_container_left_anything_in_the_sandbox() -> None:
    # anonymous volumes of containers that were removed without -v stay, as with docker, until they are pruned
    subprocess.run([*command_under_test(), "volume", "prune", "-f"], capture_output=True, check=True)
    assert_clean(Roots.of_environment())


@inside
def test_only_the_predefined_networks_and_one_bridge_are_left() -> None:
    shown = subprocess.run(
        [*command_under_test(), "network", "ls", "--format", "{{.Name}}"], capture_output=True, text=True, check=True
    )
    assert sorted(shown.stdout.split()) == ["bridge", "host", "none"]
    assert len(bridges()) <= 1


@inside
def test_only_our_own_nftables_table_is_there() -> None:
    shown = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    assert set(shown.splitlines()) <= {f"table inet {Roots.of_environment().table}"}


@outside
def test_the_host_has_nothing_that_it_had_not_before() -> None:
    before = set(Path(os.environ["HYPERBOX_HOST_BEFORE"]).read_text().splitlines())
    ours = os.environ["HYPERBOX_SANDBOX_REMOVED"]
    added = [line for line in host_state() if line not in before]
    assert [line for line in added if is_ours(line, ours)] == []


def is_ours(line: str, name: str) -> bool:
    """Return whether something new may come from our tests: all but what carries the name of another sandbox."""
    return f"hyperbox-{name}" in line or f"hyperbox-sandbox/{name}" in line or "hyperbox-" not in line


@outside
def test_the_sandbox_is_gone_with_its_processes_and_files() -> None:
    name = os.environ["HYPERBOX_SANDBOX_REMOVED"]
    home = Path(os.environ.get("SANDBOX_ROOT", "/var/tmp/hyperbox-sandbox")) / name
    assert not home.exists()
    assert [line for line in host_state() if f"hyperbox-{name}" in line] == []
    marks = (("cgroup", f"/hyperbox-{name}"), ("environ", f"HYPERBOX_SANDBOX={name}\0"))
    left = [
        f"{entry.name}: {text_of(entry / 'cmdline')}"
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and any(mark in text_of(entry / file) for file, mark in marks)
    ]
    assert left == []
