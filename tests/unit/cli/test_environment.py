"""`hyperbox env` by the shells that read it, each for real."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from hyperbox.cli.environment import dotenv_lines, shell_lines
from hyperbox.compose.dotenv import parse
from hyperbox.project.address import environment

FOUND = environment(
    3,
    {
        ("web", 80, "tcp"): 8080,
        ("dns-cache.v2", 53, "udp"): 10053,
        ("größe $(touch x)", 1, "tcp"): 10001,
        ("9", 9, "tcp"): 9,
    },
    "shop-two",
)
HOSTILE = {
    "A": "a b",
    "B": "it's",
    "C": "$(touch x)`touch x`;touch x",
    "D": "",
    "E": "größe\tx",
    "F": '"quoted" # no comment',
    "G": "*",
}
SHELLS = {
    "sh": 'eval "$(cat)"',
    "dash": 'eval "$(cat)"',
    "bash": 'eval "$(cat)"',
    "zsh": 'eval "$(cat)"',
    "fish": "cat | source",
    "fish, eval": "eval (cat)",
}


@pytest.mark.parametrize("values", [FOUND, HOSTILE], ids=["real", "hostile"])
@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_has_the_values_and_runs_nothing(tmp_path: Path, shell: str, values: dict[str, str]) -> None:
    program = shutil.which(shell.partition(",")[0])
    if program is None:
        pytest.skip(f"{shell} is not installed")
    script = SHELLS[shell] + "; env -0"
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [program, "-c", script],
        input=shell_lines(values).encode(),
        capture_output=True,
        env=environment,
        cwd=tmp_path,
        check=True,
    )
    seen = dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if "=" in line)
    assert {name: seen.get(name) for name in values} == values
    assert not (tmp_path / "x").exists()


def test_names_of_variables_are_names_in_every_shell() -> None:
    assert set(FOUND) == {
        "HYPERBOX_PROJECT",
        "HYPERBOX_HOST",
        "HYPERBOX_ADDRESS",
        "HYPERBOX_PORT_WEB_80",
        "HYPERBOX_PORT_DNS_CACHE_V2_53_UDP",
        "HYPERBOX_PORT_GR_SSE___TOUCH_X__1",
        "HYPERBOX_PORT_9_9",
    }


def test_an_env_file_has_the_same_values() -> None:
    seen: dict[str, str] = {}
    parse(dotenv_lines(FOUND), {}.get, seen, pytest.fail)
    assert seen == FOUND
