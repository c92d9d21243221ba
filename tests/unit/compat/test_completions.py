"""The completion scripts work in the real shells (where those are installed) and pass each script's own syntax check."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = ROOT / "completions"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment whose PATH begins with a `docker` that is this checkout, in an empty home."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hyperbox "$@"\n')
    program.chmod(0o755)
    return {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "HYPERBOX_DATA": f"{tmp_path}/data",
        "HYPERBOX_RUN": f"{tmp_path}/run",
        "TERM": "dumb",
    }


def needs(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")


BASH = """
source "$1"
COMP_LINE=$2 COMP_POINT=${#2} COMPREPLY=()
__hyperbox_complete_docker
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("docker pu", ["pull", "push"]),
        ("docker ps --fo", ["--format"]),
        ("docker run --pull ", ["always", "missing", "never"]),
        ("docker run --pull=mi", ["missing"]),
        ("docker context u", ["update", "use"]),
        ("docker compose -f SHOP logs ", ["db", "proxy", "redis", "web"]),
        ("docker compose -f SHOP/", ["SHOPFOLDER/compose.yaml"]),
    ],
)
def test_bash_completes(environment: dict[str, str], line: str, expected: list[str]) -> None:
    needs("bash")
    shop = str(ROOT / "examples" / "shop")
    line = line.replace("SHOP/", shop + "/").replace("SHOP", shop + "/compose.yaml")
    finished = subprocess.run(
        ["bash", "--norc", "-c", BASH, "bash", str(SCRIPTS / "docker.bash"), line],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.split() == [word.replace("SHOPFOLDER", shop) for word in expected]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("docker pu", ["pull", "push"]),
        ("docker ps --fo", ["--format"]),
        ("docker run --pull=mi", ["--pull=missing"]),
        ("docker context u", ["update", "use"]),
    ],
)
def test_fish_completes(environment: dict[str, str], line: str, expected: list[str]) -> None:
    needs("fish")
    program = f"source {SCRIPTS / 'docker.fish'}; complete -C '{line}'"
    finished = subprocess.run(
        ["fish", "-N", "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert [row.split("\t")[0] for row in finished.stdout.splitlines()] == expected


def typed_into_zsh(environment: dict[str, str], keys: str, awaited: str) -> str:
    """Start an interactive zsh with the completion loaded, type `keys`, and return what it shows until `awaited` appears."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], environment)
    shown = ""

    def read_until(text: str, seconds: float = 30) -> None:
        nonlocal shown
        deadline = time.monotonic() + seconds
        while text not in shown and time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    shown += os.read(terminal, 4096).decode(errors="replace")
                except OSError:
                    return

    try:
        setup = f"PS1=; unset zle_bracketed_paste; autoload -U compinit; compinit -D -u; source {SCRIPTS / '_docker'}; echo re''ady\n"
        os.write(terminal, setup.encode())
        read_until("ready\r")
        shown = ""
        os.write(terminal, keys.encode())
        read_until(awaited)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(terminal)
    return shown


@pytest.mark.parametrize(
    ("keys", "awaited"),
    [
        ("docker ps --fo\t", "--format"),
        ("docker run --pull=mi\t", "--pull=missing"),
        ("docker unp\t", "unpause"),
        ("docker pu\t\t", "push"),
    ],
)
def test_zsh_completes(environment: dict[str, str], keys: str, awaited: str) -> None:
    needs("zsh")
    assert awaited in typed_into_zsh(environment, keys, awaited)
