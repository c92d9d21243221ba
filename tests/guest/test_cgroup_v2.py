"""cgroup v2 for real: the checks of checks.py in a virtual machine, each a test here.

Skipped with the reason where the machine has no QEMU, or where HYPERBOX_GUEST=no; HYPERBOX_GUEST=yes fails instead.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.guest import boot

CHECKS = re.findall(r"^def check_(\w+)", Path(__file__).with_name("checks.py").read_text(), re.MULTILINE)


def wanted(missing: str) -> None:
    """Skip where the guest is not wanted or something is `missing`; fail where it must run."""
    wish = os.environ.get("HYPERBOX_GUEST", "")
    why = "HYPERBOX_GUEST=no" if wish == "no" else missing
    if why and wish == "yes":
        pytest.fail(why)
    if why:
        pytest.skip(why)


def answers_of(console: str) -> dict[str, str]:
    """Return what a guest said: check -> "" or why it failed, and its whole console under "console"."""
    found = {"console": console}
    for line in console.splitlines():
        if match := re.match(r"(PASS|FAIL) (\w+)(.*)", line.strip()):
            found[match[2]] = "" if match[1] == "PASS" else match[3].lstrip(": ")
    return found


@pytest.fixture(scope="module")
def answers() -> dict[str, str]:
    """What the guest said."""
    wanted(boot.missing())
    try:
        boot.fetch_kernel()
    except subprocess.CalledProcessError as error:
        wanted(f"no kernel could be fetched: {str(error.stderr or error)[-300:]}")
    return answers_of(boot.run([]).stdout)


@pytest.mark.timeout(600)
def test_the_guest_has_cgroup_v2_alone(answers: dict[str, str]) -> None:
    assert "MODE v2" in answers["console"], answers["console"]


@pytest.mark.parametrize("check", CHECKS)
def test_limits_are_obeyed(answers: dict[str, str], check: str) -> None:
    assert answers.get(check, answers["console"]) == ""
