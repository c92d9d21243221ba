"""compat/shims/link makes links that answer as docker and docker-compose, and leaves foreign files alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LINK = ROOT / "compat" / "shims" / "link"


@pytest.fixture
def hyperbox(tmp_path: Path) -> Path:
    program = tmp_path / "bin" / "hyperbox"
    program.parent.mkdir()
    program.write_text((ROOT / "bin" / "hyperbox").read_text().replace("#!python", f"#!{sys.executable}", 1))
    program.chmod(0o755)
    return program


def run(*argv: str | Path, hyperbox: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HYPERBOX": str(hyperbox), "PYTHONPATH": str(ROOT), "HOME": "/nonexistent"}
    return subprocess.run([str(word) for word in argv], env=environment, capture_output=True, text=True, check=False)


def test_the_links_answer_by_the_name_they_have(tmp_path: Path, hyperbox: Path) -> None:
    folder = tmp_path / "shims"
    assert run(LINK, folder, hyperbox=hyperbox).returncode == 0
    assert run(LINK, folder, hyperbox=hyperbox).returncode == 0
    docker = run(folder / "docker", "ps", "--nosuch", hyperbox=hyperbox)
    assert (docker.returncode, docker.stderr.splitlines()[0]) == (125, "unknown flag: --nosuch")
    compose = run(folder / "docker-compose", "up", "--nosuch", hyperbox=hyperbox)
    assert (compose.returncode, compose.stderr) == (1, "unknown flag: --nosuch\n")


def test_a_foreign_docker_is_left_alone(tmp_path: Path, hyperbox: Path) -> None:
    (tmp_path / "docker").write_text("mine")
    finished = run(LINK, tmp_path, hyperbox=hyperbox)
    assert finished.returncode == 1
    assert "is not ours" in finished.stderr
    assert (tmp_path / "docker").read_text() == "mine"
