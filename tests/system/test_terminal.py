"""Terminals, signals and streams: a real pty, window sizes, control keys, detaching, half-closed stdin, binary data."""

from __future__ import annotations

import fcntl
import filecmp
import hashlib
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Command, wait_until

pytestmark = pytest.mark.system
NAME = "hb-terminal"
MEBIBYTES = 64


class Terminal:
    """A command on a pty of its own."""

    def __init__(self, hyperbox: Command, *arguments: str, rows: int = 24, columns: int = 80) -> None:
        self.text = ""
        self.master, slave = pty.openpty()
        self.resize(rows, columns)

        def controlling() -> None:
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [*hyperbox.argv, *arguments],
            stdin=slave, stdout=slave, stderr=slave, env=hyperbox.environment, preexec_fn=controlling,
        )  # fmt: skip
        os.close(slave)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, text: str) -> None:
        os.write(self.master, text.encode())

    def until(self, pattern: str, timeout: float = 30.0) -> str:
        """Read until the output since the last call has the pattern; returns it and forgets it."""
        deadline = time.monotonic() + timeout
        while True:
            found = re.search(pattern, self.text)
            if found:
                self.text = self.text[found.end() :]
                return found.group(0)
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.text!r}"
            if select.select([self.master], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self.master, 65536).decode("utf-8", "replace")
                except OSError:  # the other side is closed
                    assert re.search(pattern, self.text), f"no {pattern!r} in {self.text!r}"

    def wait(self) -> int:
        """Return the exit code; what is still written is read away."""
        deadline = time.monotonic() + 30
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"does not end: {self.text!r}"
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    self.text += os.read(self.master, 65536).decode("utf-8", "replace")
                except OSError:
                    pass
        os.close(self.master)
        return self.process.returncode


@pytest.fixture
def clean(hyperbox: Command, busybox: str) -> Iterator[Command]:
    hyperbox("rm", "-f", NAME, code=None)
    yield hyperbox
    hyperbox("rm", "-f", NAME, code=None)


def running(hyperbox: Command) -> bool:
    return hyperbox("inspect", "-f", "{{.State.Running}}", NAME, code=None).out.strip() == "true"


def test_a_shell_on_a_terminal(clean: Command) -> None:
    shell = Terminal(clean, "run", "--rm", "-it", "--name", NAME, "busybox", "sh", rows=40, columns=100)
    shell.until("# ")
    shell.send("stty size; tty; echo $TERM\n")
    shell.until("40 100\r\n/dev/(pts/0|console)\r\nxterm")
    shell.resize(30, 90)
    shell.process.send_signal(signal.SIGWINCH)
    shell.send("while [ \"$(stty size)\" != '30 90' ]; do sleep 0.05; done; echo re''sized\n")
    shell.until("resized")
    shell.send(
        "sh -c 'echo sle''eping; exec sleep 60'\n"
    )  # what it prints itself comes after the shell has given it the terminal
    shell.until("sleeping")
    shell.send("\x03")
    shell.until("# ")
    shell.send("echo code $?; sh -c 'echo sle''eping; exec sleep 61'\n")
    shell.until("code 130")
    shell.until("sleeping")
    shell.send("\x1a")  # job control is the container's shell's own
    shell.until("Stopped")
    shell.send("kill -9 %1\nexit 7\nexit 7\n")  # the first may only warn of stopped jobs
    assert shell.wait() == 7


@pytest.mark.behaviour(33)
def test_detaching_and_attaching_again(clean: Command) -> None:
    shell = Terminal(clean, "run", "-it", "--name", NAME, "busybox", "sh")
    shell.until("# ")
    shell.send("\x10\x11")
    assert shell.wait() == 0
    assert running(clean)
    again = Terminal(clean, "attach", "--detach-keys", "ctrl-x,d", NAME)
    again.send("echo he''re\n")
    again.until("here")
    again.send("\x10\x11echo st''ill\n")  # no longer the keys; the shell takes them for history
    again.until("still")
    again.send("\x18d")
    assert again.wait() == 1  # docker takes it for an error here, and not for `run` and `start`
    assert "read escape sequence" in again.text
    assert running(clean)
    inside = Terminal(clean, "exec", "-it", NAME, "sh", "-c", "stty size; read x; exit 3", rows=33, columns=77)
    inside.until("33 77")
    inside.send("\n")
    assert inside.wait() == 3


@pytest.mark.behaviour(33)
def test_stdin_that_ends_leaves_the_output(clean: Command) -> None:
    client = clean.start(
        "run", "--rm", "-i", "--name", NAME, "busybox", "sh", "-c", "cat; echo end; sleep 0.3; echo late"
    )
    out, _ = client.communicate(b"one\n")
    assert (out, client.returncode) == (b"one\nend\nlate\n", 0)


def test_streams_are_binary_and_whole(clean: Command) -> None:
    block = os.urandom(1 << 20)
    client = clean.start(
        "run", "--rm", "-i", "--log-driver", "none", "--name", NAME, "busybox", "cat", stderr=subprocess.DEVNULL
    )
    assert client.stdin is not None
    assert client.stdout is not None
    if os.fork() == 0:
        try:
            client.stdout.close()
            for _ in range(MEBIBYTES):
                client.stdin.write(block)
            client.stdin.close()
        finally:
            os._exit(0)
    client.stdin.close()
    received, size = hashlib.sha256(), 0
    while chunk := client.stdout.read(1 << 20):
        received.update(chunk)
        size += len(chunk)
    assert client.wait() == 0
    os.wait()
    assert size == MEBIBYTES << 20
    assert received.digest() == hashlib.sha256(block * MEBIBYTES).digest()


@pytest.mark.parametrize("verb", ["run", "exec"])
def test_files_pass_through_a_container_unchanged(verb: str, clean: Command, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(24 << 20) + b"a line of text\n" * 400_000)
    words = ("run", "--rm", "-i", "--name", NAME, "busybox", "cat")
    if verb == "exec":
        assert clean("run", "-d", "--name", NAME, "busybox", "sleep", "1000").code == 0
        words = ("exec", "-i", NAME, "cat")
    with source.open("rb") as given, target.open("wb") as taken:
        client = subprocess.Popen([*clean.argv, *words], stdin=given, stdout=taken, env=clean.environment)
        assert client.wait(timeout=120) == 0
    assert filecmp.cmp(source, target, shallow=False)


def started(clean: Command, *flags: str, script: str) -> subprocess.Popen[bytes]:
    client = clean.start("run", *flags, "--name", NAME, "busybox", "sh", "-c", script)
    assert client.stdout is not None
    assert client.stdout.readline() == b"ready\n"
    return client


LOOP = "echo ready; while :; do sleep 0.05; done"


@pytest.mark.behaviour(32)
@pytest.mark.parametrize(
    ("number", "word"),
    [(signal.SIGTERM, "TERM"), (signal.SIGINT, "INT"), (signal.SIGHUP, "HUP"), (signal.SIGUSR1, "USR1")],
)
def test_signals_reach_the_container(clean: Command, number: signal.Signals, word: str) -> None:
    client = started(clean, script=f'trap "echo got {word}; exit 9" {word}; {LOOP}')
    client.send_signal(number)
    out, _ = client.communicate(timeout=30)
    assert (out, client.returncode) == (f"got {word}\n".encode(), 9)


@pytest.mark.behaviour(32)
def test_three_interrupts_end_the_client_alone(clean: Command) -> None:
    client = started(clean, script=f"trap : INT; {LOOP}")
    for _ in range(3):
        client.send_signal(signal.SIGINT)
        time.sleep(0.2)  # signals of one kind that come together are one
    _, err = client.communicate(timeout=30)
    assert client.returncode == 1
    assert b"got 3 SIGTERM/SIGINTs, forcefully exiting" in err
    assert running(clean)


@pytest.mark.behaviour(32)
def test_without_proxy_the_container_stays(clean: Command) -> None:
    """And so does docker's client, to which `run` is no command that a signal ends, until the third."""
    client = started(clean, "--sig-proxy=false", script=LOOP)
    for _ in range(2):
        client.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            client.wait(timeout=0.5)
        assert running(clean)
    client.send_signal(signal.SIGINT)
    _, err = client.communicate(timeout=30)
    assert client.returncode == 1
    assert b"got 3 SIGTERM/SIGINTs, forcefully exiting" in err
    assert running(clean)


@pytest.mark.behaviour(32)
def test_other_commands_end_by_a_signal_silently(clean: Command) -> None:
    clean("run", "-d", "--name", NAME, "busybox", "sh", "-c", LOOP)
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        for arguments in (("logs", "-f", NAME), ("wait", NAME), ("events",)):
            client = clean.start(*arguments)
            assert client.stdout is not None
            if arguments[0] == "logs":
                assert client.stdout.readline() == b"ready\n"
            else:
                wait_until(lambda client=client: "S" in open(f"/proc/{client.pid}/stat").read().rpartition(")")[2][:3])
                time.sleep(0.3)  # until its handlers are there
            client.send_signal(number)
            _, err = client.communicate(timeout=30)
            assert (client.returncode & 0xFF if client.returncode >= 0 else 128 - client.returncode, err) == (
                code,
                b"",
            ), arguments


@pytest.mark.parametrize("words", [("run", "--rm", "--name", NAME, "busybox"), ("start", "-a", NAME)])
def test_a_foreground_whose_reader_has_gone_ends_with_dockers_words_and_code(
    clean: Command, words: tuple[str, ...]
) -> None:
    """Neither the code of SIGPIPE (141) nor the program's own: docker's client has the signal caught where it forwards signals."""
    endless = ["sh", "-c", "while echo line; do :; done"]
    if words[0] == "start":
        clean("create", "--name", NAME, "busybox", *endless)
        endless = []
    reader, writer = os.pipe()
    client = subprocess.Popen(
        [*clean.argv, *words, *endless],
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
        env=clean.environment,
    )
    os.close(writer)
    assert os.read(reader, 5) == b"line\n"
    os.close(reader)
    _, said = client.communicate(timeout=30)
    assert (client.returncode, said) == (1, b"write /dev/stdout: broken pipe\n")
    assert running(clean)  # only the client has ended
