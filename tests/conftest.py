"""What all tests share: the command under test, images for it, and a registry on loopback.

System tests start real containers and run inside `tests/sandbox NAME`; outside of it they are skipped with that reason.
HYPERBOX_COMMAND names the command under test (default: this environment's own `hyperbox`); HYPERBOX_TEST_IMAGES the folder
that `examples/images/make` filled.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# a shell starts what is behind a "&" with these ignored, and commands that are interrupted here would inherit that
for ignored, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
    if signal.getsignal(ignored) == signal.SIG_IGN:
        signal.signal(ignored, usual)


class Result:
    """A finished command: exit code, stdout and stderr as text."""

    def __init__(self, arguments: Sequence[str], code: int, out: bytes, err: bytes) -> None:
        self.arguments = list(arguments)
        self.code = code
        self.out_bytes = out
        self.out = out.decode("utf-8", "replace")
        self.err = err.decode("utf-8", "replace")

    def __repr__(self) -> str:
        return f"{shlex.join(self.arguments)} -> {self.code}\nstdout: {self.out}\nstderr: {self.err}"


class Command:
    """The command under test. Calling it runs it to its end and fails the test on an exit code that was not expected."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self.argv = list(argv)
        self.environment = dict(environment)
        self.folder = folder

    def __call__(
        self,
        *arguments: str,
        code: int | None = 0,
        input: bytes | str = b"",
        env: Mapping[str, str] | None = None,
        folder: Path | None = None,
        timeout: float = 120,
    ) -> Result:
        argv = [*self.argv, *arguments]
        finished = subprocess.run(
            argv,
            input=input.encode() if isinstance(input, str) else input,
            capture_output=True,
            env={**self.environment, **(env or {})},
            cwd=folder or self.folder,
            timeout=timeout,
            check=False,
        )
        result = Result(arguments, finished.returncode, finished.stdout, finished.stderr)
        if code is not None:
            assert result.code == code, repr(result)
        return result

    def start(self, *arguments: str, folder: Path | None = None, **pipes: int) -> subprocess.Popen[bytes]:
        """Start it and return at once; stdin, stdout and stderr are pipes."""
        return subprocess.Popen(
            [*self.argv, *arguments],
            stdin=pipes.get("stdin", subprocess.PIPE),
            stdout=pipes.get("stdout", subprocess.PIPE),
            stderr=pipes.get("stderr", subprocess.PIPE),
            env=self.environment,
            cwd=folder or self.folder,
        )


def wait_until(condition: object, timeout: float = 20.0) -> object:
    """Call `condition` until it returns something true, and return that; fail after `timeout` seconds."""
    assert callable(condition)
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"still not true after {timeout} s: {condition}"
        time.sleep(0.02)


def forget_projects(command: Command) -> None:
    """Remove all projects that tests before have left recorded, so that names and ports are a new machine's."""
    if ids := command("project", "ls", "-q").out.split():
        command("project", "rm", "-f", "-v", *ids, timeout=300)


def command_under_test() -> list[str]:
    if given := os.environ.get("HYPERBOX_COMMAND"):
        return shlex.split(given)
    beside = Path(sys.executable).with_name("hyperbox")
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "hyperbox"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    outside = pytest.mark.skip(reason="starts real containers: run by `tests/sandbox NAME pytest tests/system`")
    for item in items:
        if item.path.is_relative_to(ROOT / "tests" / "system"):
            item.add_marker(pytest.mark.system)
            if not os.environ.get("HYPERBOX_SANDBOX"):
                item.add_marker(outside)


@pytest.fixture
def hyperbox(tmp_path: Path) -> Command:
    """The command under test, run in a folder of the test's own, with a configuration folder of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "COMPOSE_"))}
    environment["HOME"] = str(tmp_path)
    environment.pop("NO_COLOR", None)
    return Command(command_under_test(), environment, tmp_path)


@pytest.fixture
def volumes_tidied(hyperbox: Command) -> Iterator[None]:
    """Afterwards, the volumes are removed that a scenario has left, as it does with docker too: anonymous ones above all."""
    before = hyperbox("volume", "ls", "-q").out.split()
    yield
    for name in hyperbox("volume", "ls", "-q").out.split():
        if name not in before:
            hyperbox("volume", "rm", name)


@pytest.fixture(scope="session")
def image_folder() -> Path:
    """The folder with NAME.tar root file systems that `examples/images/make` fills."""
    folder = Path(os.environ.get("HYPERBOX_TEST_IMAGES", ROOT / "build" / "images"))
    if not (folder / "busybox.tar").exists():
        subprocess.run([ROOT / "examples" / "images" / "make", folder, "busybox"], check=True)
    return folder


@pytest.fixture(scope="session")
def busybox(image_folder: Path) -> str:
    """The name of an image with busybox in it, which the engine has."""
    argv = command_under_test()
    if subprocess.run([*argv, "image", "inspect", "busybox:latest"], capture_output=True, check=False).returncode != 0:
        path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        changes = ["-c", path, "-c", 'CMD ["sh"]']
        subprocess.run([*argv, "import", *changes, image_folder / "busybox.tar", "busybox:latest"], check=True)
    return "busybox:latest"


@pytest.fixture(scope="session")
def registry(image_folder: Path) -> Iterator[str]:
    """A registry on loopback ("localhost:PORT") that serves library/busybox and the sample's images."""
    port = 5000
    process = subprocess.Popen(
        [ROOT / "examples" / "images" / "serve", image_folder, str(port)], start_new_session=True
    )

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=2):
                return True
        except OSError:
            return False

    try:
        wait_until(answers)
        publish = [ROOT / "examples" / "images" / "publish", image_folder, f"localhost:{port}", *command_under_test()]
        subprocess.run(publish, check=True)
        yield f"localhost:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def without_ids(text: str) -> str:
    """Return `text` with 64- and 12-digit hexadecimal ids replaced by ID, for comparisons."""
    return re.sub(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b", "ID", text)
