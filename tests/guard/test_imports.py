"""The rooms import downwards only, each foreign library has one owner, and hot commands import nothing dear."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "hyperbox"

# room -> the rooms that it may import, itself and the three modules at the bottom always included
BELOW: dict[str, set[str]] = {
    "cli": {"plan", "project", "compose", "grammar", "bake", "build", "engine", "image", "runtime", "warm", "kernel"},
    "bake": {"hcl", "compose"},
    "hcl": set(),
    "plan": {"project", "compose", "engine"},
    "project": {"compose", "grammar", "engine"},
    "compose": set(),
    "grammar": set(),
    "go": set(),
    "build": {"engine", "image", "runtime", "kernel"},
    "engine": {"image", "runtime", "warm", "kernel"},
    "image": {"kernel"},
    "runtime": {"kernel"},
    "warm": {"runtime", "kernel"},
    "kernel": set(),
}
BOTTOM = {"errors", "process", "files", "bundle", "go"}
# modules of engine that plan and project may see
PUBLIC_ENGINE = {"hyperbox.engine.api"}
# library -> the files (prefixes below hyperbox/) that may import it
OWNERS: dict[str, tuple[str, ...]] = {
    "docker": ("engine/docker.py",),
    "onnxruntime": ("warm/predict.py",),
    "yaml": ("compose/load.py", "compose/yaml_", "compose/document.py"),
    "click": (
        "cli/project.py",
        "cli/own_",
        "cli/doctor.py",
        "cli/environment.py",
        "cli/configuration.py",
        "cli/bench.py",
    ),
    "ctypes": ("kernel/",),
    "_ctypes": ("kernel/",),
    "jsonschema": ("compose/", "cli/configuration.py"),
}


def modules() -> Iterator[tuple[Path, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, path.relative_to(PACKAGE).as_posix()


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, full module name) of each import in a file, names imported from a package included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def test_the_rooms_import_downwards_only() -> None:
    wrong = []
    for path, name in modules():
        room = name.split("/")[0]
        if room not in BELOW:
            continue
        for line, module in imports(path):
            parts = module.split(".")
            if parts[0] != "hyperbox" or len(parts) < 2 or parts[1] == room or parts[1] in BOTTOM:
                continue
            sealed = room in ("plan", "project") and parts[1] == "engine" and ".".join(parts[:3]) not in PUBLIC_ENGINE
            if parts[1] not in BELOW[room] or sealed:
                wrong.append(f"hyperbox/{name}:{line}: {room} imports {module}")
    assert not wrong, "\n".join(wrong)


def test_each_foreign_library_has_one_owner() -> None:
    wrong = []
    for path, name in modules():
        for line, module in imports(path):
            owners = OWNERS.get(module.split(".")[0])
            if owners is not None and not name.startswith(owners):
                wrong.append(f"hyperbox/{name}:{line}: only {', '.join(owners)} may import {module}")
    assert not wrong, "\n".join(wrong)


def test_packages_hold_nothing_but_a_docstring() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        body = ast.parse(path.read_text()).body
        assert len(body) == 1, path
        assert isinstance(body[0], ast.Expr), path


DEAR = {
    "click",
    "yaml",
    "docker",
    "jinja2",
    "tqdm",
    "filelock",
    "json",
    "logging",
    "dataclasses",
    "typing",
    "subprocess",
    "asyncio",
    "pathlib",
    "re",
    "threading",
    "tempfile",
    "shutil",
    "socket",
    "struct",
    "argparse",
    "collections",
    "contextlib",
    "inspect",
    "urllib",
    "http",
    "email",
    "ssl",
    "jsonschema",
    "hashlib",
    "base64",
    "datetime",
    "random",
    "shlex",
    "ctypes",
}
# commands that need no container; those with containers are in tests/system/test_system_calls.py
HOT = [
    ["ps"],
    ["ps", "-q"],
    ["images"],
    ["inspect", "nothing"],
    ["logs", "nothing"],
    ["stop", "nothing"],
    ["start", "nothing"],
    ["exec", "nothing", "true"],
    ["run", "--pull", "never", "--rm", "nothing:nothing", "true"],
    ["__complete", "ru"],
    ["__complete", "stop", ""],
    ["--version"],
]


@pytest.mark.parametrize("arguments", HOT, ids=" ".join)
def test_hot_commands_import_nothing_dear(arguments: list[str], tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("the native engine needs root")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import hyperbox.__main__ as main\n"
        "main.run(['docker', *sys.argv[2:]])\n"
        "sys.stderr.write('\\nMODULES ' + ' '.join(sorted(sys.modules)))"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "HYPERBOX_DATA": f"{tmp_path}/data",
        "HYPERBOX_RUN": f"{tmp_path}/run",
        "HOME": "/root",
    }
    argv = [sys.executable, "-I", "-S", "-c", program, str(ROOT), *arguments]
    finished = subprocess.run(argv, capture_output=True, text=True, env=environment, check=False)
    loaded = set(finished.stderr.rpartition("MODULES ")[2].split())
    assert "hyperbox.cli.dispatch" in loaded, finished.stderr
    assert not loaded.intersection(DEAR), sorted(loaded.intersection(DEAR))


# what a compose command with nothing to do has no use for
DEAR_FOR_COMPOSE = {
    *("jsonschema", "jinja2", "tqdm", "click", "docker", "asyncio", "http", "http.client", "subprocess", "argparse"),
    *("logging", "ssl", "urllib.request", "email", "tempfile", "shutil", "socket", "dataclasses", "inspect"),
    *("threading", "json", "tarfile", "concurrent.futures", "pathlib"),
}


# not -m: what runs a module imports threading, from Python 3.12 on
START = "from hyperbox.__main__ import main; main()"


@pytest.mark.parametrize("words", [("config", "-q"), ("ps",)])
def test_compose_commands_import_nothing_dear(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services:\n  a:\n    image: x\n    ports: ['80']\n")
    environment = {**os.environ, "HYPERBOX_DATA": f"{tmp_path}/data", "HYPERBOX_RUN": f"{tmp_path}/run"}
    finished = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", START, "compose", "--project-name", "tariff", *words],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT), "HYPERBOX_CGROUP": "hyperbox-import-tariff"},
        capture_output=True,
        text=True,
        check=False,
    )
    imported = {
        line.rpartition("|")[2].strip() for line in finished.stderr.splitlines() if line.startswith("import time:")
    }
    assert "yaml" in imported, finished.stderr[-500:]
    assert not imported & DEAR_FOR_COMPOSE
