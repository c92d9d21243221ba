"""A host that systemd manages, for real: the checks of systemd_checks.py in a virtual machine with the distribution's systemd, each a test here.

Skipped with the reason where the machine can't make or run it, or where HYPERBOX_GUEST=no; HYPERBOX_GUEST=yes fails instead.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.guest import systemd_boot
from tests.guest.test_cgroup_v2 import answers_of, wanted

SOURCE = Path(__file__).with_name("systemd_checks.py").read_text()
CHECKS = re.findall(r"^def check_(\w+)", SOURCE, re.MULTILINE)
AGAIN = [
    f"{name}_beside_systemd" for name in re.findall(r"\w+", re.findall(r"^AGAIN = (.*)$", SOURCE, re.MULTILINE)[0])
]


@pytest.fixture(scope="module")
def answers() -> dict[str, str]:
    """What the guest said: check -> "" or why it failed, and its whole console under "console"."""
    wanted(systemd_boot.missing())
    try:
        systemd_boot.make_image()
    except subprocess.CalledProcessError as error:
        wanted(f"no root file system could be made: {str(error.stderr or error)[-300:]}")
    return answers_of(systemd_boot.run([]).stdout)


@pytest.mark.timeout(900)
def test_the_guest_reboots_once(answers: dict[str, str]) -> None:
    assert answers["console"].count("GUEST up") == 2, answers["console"]


@pytest.mark.parametrize("check", [*AGAIN, *CHECKS])
def test_limits_and_scope(answers: dict[str, str], check: str) -> None:
    assert answers.get(check, answers["console"]) == ""
