"""The package as pip gives it: a wheel, and an editable install; the entry script finds the package in both."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
OFFLINE = ["--no-deps", "--no-build-isolation", "--no-index"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the package is built from: building writes beside its sources."""
    pytest.importorskip("setuptools", minversion="70.1", reason="building a wheel needs setuptools 70.1")
    if subprocess.run([*PIP, "--version"], capture_output=True, check=False).returncode:
        pytest.skip("pip is not there")
    folder = tmp_path_factory.mktemp("source")
    for name in ("bin", "hyperbox"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "modules.bundle"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    return folder


def modules(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in (folder / "hyperbox").rglob("*.py")}


def test_a_wheel_holds_every_module_and_the_data(source: Path, tmp_path: Path) -> None:
    subprocess.run([*PIP, "wheel", *OFFLINE, "-w", tmp_path, source], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("hyperbox-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert modules(source) <= names
    assert "hyperbox/py.typed" in names
    assert any(name.startswith("hyperbox/grammar/completions/") for name in names)
    target = tmp_path / "installed"
    subprocess.run([*PIP, "install", *OFFLINE, "--target", target, wheel], check=True, capture_output=True)
    shown = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(target)!r}); sys.argv = ['docker', '--version']\n"
         "from hyperbox.__main__ import main; main()"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert shown.stdout.startswith("Docker version ")
    assert (target / "bin" / "hyperbox").read_text().startswith("#!")


def test_an_editable_install_runs_the_sources(source: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path], check=True)
    python = tmp_path / "bin" / "python"
    # what builds it is taken from this environment: Pythons from 3.12 on come without setuptools
    setuptools = pytest.importorskip("setuptools")
    build = {**os.environ, "PYTHONPATH": str(Path(setuptools.__file__).parents[1])}
    argv = [*PIP, "--python", python, "install", *OFFLINE, "-e", source]
    subprocess.run(argv, check=True, capture_output=True, text=True, env=build)
    (source / "hyperbox" / "marker.py").write_text("HERE = __file__\n")
    shown = subprocess.run(
        [python, "-I", "-c", "import hyperbox.marker; print(hyperbox.marker.HERE)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == str(source / "hyperbox" / "marker.py")
    for options in ([], ["-I", "-S"]):
        shown = subprocess.run(
            [python, *options, tmp_path / "bin" / "hyperbox", "--version"], capture_output=True, text=True, check=True
        )
        assert shown.stdout.startswith("Docker version ")


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="a machine without apt")
@pytest.mark.parametrize("held", [True, False])
def test_setup_waits_for_another_apt(tmp_path: Path, held: bool) -> None:
    """apt-get update fails at once where another one holds the lock of the lists, as on a new machine that updates itself."""
    for name in ("lists/partial", "cache/archives/partial", "parts"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "apt.conf").write_text(
        f'Dir::State::Lists "{tmp_path}/lists"; Dir::Cache "{tmp_path}/cache"; Dir::Etc::sourcelist "/dev/null"; '
        f'Dir::Etc::sourceparts "{tmp_path}/parts"; APT::Sandbox::User "root";'
    )
    environment = {**os.environ, "APT_CONFIG": str(tmp_path / "apt.conf")}
    functions = f"source <(sed '/^case /,$d' {ROOT / 'setup'}); apt update"
    with open(tmp_path / "lists/lock", "w") as lock:
        if held:
            fcntl.lockf(lock, fcntl.LOCK_EX)
        with subprocess.Popen(["bash", "-c", functions], env=environment, stderr=subprocess.PIPE, text=True) as setup:
            assert setup.stderr is not None
            told = setup.stderr.readline() if held else ""
            assert told == ("setup: waiting for another apt to end\n" if held else "")
            assert setup.poll() is None or not held
            fcntl.lockf(lock, fcntl.LOCK_UN)
            rest = setup.stderr.read()
    assert (setup.returncode, rest) == (0, "")


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="a machine without apt")
def test_setup_tells_what_apt_fails_with(tmp_path: Path) -> None:
    functions = f"source <(sed '/^case /,$d' {ROOT / 'setup'}); apt install -y --simulate no-such-package-anywhere"
    done = subprocess.run(["bash", "-c", functions], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no-such-package-anywhere" in done.stderr
