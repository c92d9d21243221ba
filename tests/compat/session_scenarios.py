"""Sessions: a person at a terminal in front of docker. What is typed, resized and signalled is played on a pty, by docker and by HyperBox.

A file in sessions/ has several. Each begins with `== NAME`; the other lines have a sign and a blank:

    ! WORDS        a docker command that prepares something; nothing of it is compared
    + NAME TEXT    a file of that name in {DIR}
    $ WORDS        a docker command on the terminal, as a session's leader would start it in front
    > TEXT         wait until this is in what was shown since the last such line
    < TEXT         type this: ^C is Ctrl-C, ^\\\\ Ctrl-\\\\, ^^ a circumflex
    | TEXT         write this to stdin, where that is a pipe; `|.` closes it
    @ 30x90        give the terminal 30 lines of 90 columns
    % TERM         send this signal to the command
    ~ WORDS        tell how the terminal's settings differ from those at the beginning
    ? WORDS        a docker command whose output is compared
    *              wait for the end of the command, or until it is stopped, and tell of it; `* 0 130` where chance decides which code
    . SECONDS      do nothing
    x              close the terminal
    # TEXT         a comment

A `$` may be followed by marks: (30x90) for the terminal's size (24x80 else), (stdin=null), (stdin=pipe), (stdout=pipe), (stderr=pipe),
(NAME=value) for a variable, (NAME=-) for one that is not there, (config={…}) for the text of config.json, (bash) for an interactive bash in the
place of docker, in which `docker` is docker, and (screen) where what a terminal emulator shows at the end is compared, and not each byte. Escapes
are Python's. {C} stands for the name of the session's container, {DIR} for a folder of its own. What the real docker did is in
golden/docker/sessions/NAME.json; only it writes there:

    python3 tests/compat/session_scenarios.py [--only NAME[/BEGINNING OF A SESSION]] [--image IMAGE] RUN…

RUN becomes a command that runs beside docker (it must not only start it: signals are sent to its pid).
The image `busybox` must be there. Its shell is Debian 12's, 1.35; that of 1.36 answers a change of the terminal's size otherwise.
What shows that is recorded with IMAGE, which has the newer one, too: `--image` writes to golden/docker/sessions/busybox-1.36.
"""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from scenarios import normal

FOLDER = Path(__file__).resolve().parent / "sessions"
GOLDEN = Path(__file__).resolve().parents[2] / "golden/docker/sessions"
NEWER = "busybox-1.36"  # the folder in there of what differs with an image of that version or a later one
CLEAN = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "TERM": "xterm",
    "LC_ALL": "C",
}
PATIENCE = 10.0  # seconds that a wait may take
NUMBERS = (
    (re.compile(r"\d+(\.\d+)?(?=[kKMGT]?i?B\b|%)"), "0"),
    (re.compile(r"(?<=0)[kKMGT]i?B\b"), "B"),
    (re.compile(r"\d+\.\ds\b"), "0s"),
    (re.compile(r" CACHED(?= \[\d+/\d+\] FROM)"), ""),  # whether it is depends on earlier builds
    (re.compile(r" {2,}"), "  "),
)
FLAGS = (
    (0, "IGNBRK BRKINT IGNPAR PARMRK INPCK ISTRIP INLCR IGNCR ICRNL IXON IXANY IXOFF IMAXBEL"),
    (1, "OPOST ONLCR OCRNL ONOCR ONLRET"),
    (3, "ISIG ICANON ECHO ECHOE ECHOK ECHONL NOFLSH TOSTOP ECHOCTL ECHOKE IEXTEN"),
)
JOB = re.compile(r"(?m)^\[1\] \d+(?=\r)")
_IMAGE = re.compile(r"(?<= )busybox(?= )")
_MARK = re.compile(r"\((config=\{.*?\}|[^)]*)\) ?")
Json = dict[str, object]


class Session:
    """A session as it is written down: its name, and its steps as pairs of sign and text."""

    def __init__(self, file: str, name: str) -> None:
        self.file, self.name = file, name
        self.steps: list[tuple[str, str]] = []

    @property
    def container(self) -> str:
        """The name of its container."""
        return f"term-{self.file}-{self.name}"


def names() -> list[str]:
    """Return the names of all files of sessions."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


def read(file: str) -> list[Session]:
    """Return the sessions of a file."""
    sessions: list[Session] = []
    for line in (FOLDER / f"{file}.txt").read_text().splitlines():
        sign, _, text = line.partition(" ")
        if sign == "==":
            sessions.append(Session(file, text))
        elif sign and sign != "#":
            sessions[-1].steps.append((sign, text))
    return sessions


def typed(text: str) -> bytes:
    """Return the bytes of a text with escapes and control keys."""
    with_keys = re.sub(
        r"\^(\\?.)", lambda found: "^" if found[1] == "^" else f"\\x{ord(found[1][-1].upper()) ^ 64:02x}", text
    )
    return codecs.decode(with_keys, "unicode_escape").encode()


class Desk:
    """A terminal with a command in front of it. The leader of its session waits for the command, as a shell does, and stays until `leave`."""

    def __init__(self, argv: Sequence[str], folder: Path, size: tuple[int, int], streams: dict[str, str]) -> None:
        self.master, slave = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self.master)
        self.shown = b""
        self.seen = 0
        self.ended = ""
        given = dict.fromkeys(range(3), slave)
        ours: dict[int, int] = {}
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            if streams.get(name) == "null":
                given[number] = os.open("/dev/null", os.O_RDWR)
            elif streams.get(name) == "pipe":
                ends = os.pipe()
                given[number], ours[number] = ends if number == 0 else ends[::-1]
        self.stdin = ours.pop(0, -1)
        self.pipes = ours
        self.piped = dict.fromkeys(ours, b"")
        self.news, tell = os.pipe()
        stay, self.staying = os.pipe()
        self.leader = os.fork()
        if self.leader == 0:
            try:
                _lead(argv, folder, given, slave, tell, stay)
            finally:
                os._exit(1)
        for descriptor in {slave, tell, stay, *given.values()}:
            os.close(descriptor)
        self.pid = int(self._news())

    def _news(self) -> str:
        text = b""
        while not text.endswith(b"\n"):
            piece = os.read(self.news, 1)
            if not piece:
                break
            text += piece
        return text.decode().strip()

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size."""
        self.size = (rows, columns)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def take(self, wait: float) -> bool:
        """Take what is shown, or news of the command, within `wait` seconds; returns whether there was any."""
        ready = select.select(
            [*([self.master] if self.master >= 0 else []), *self.pipes.values(), self.news], [], [], wait
        )[0]
        if self.news in ready:
            self.ended = self._news() or "lost"
            ready.remove(self.news)
            if not ready:
                return True
        for descriptor in ready:
            try:
                data = os.read(descriptor, 65536)
            except OSError:  # nobody holds the other side any more
                data = b""
            if descriptor == self.master:
                self.shown += data
            for number, pipe in list(self.pipes.items()):
                if pipe == descriptor:
                    self.piped[number] += data
                    if not data:
                        os.close(self.pipes.pop(number))
        return bool(ready)

    def until(self, text: bytes) -> bool:
        """Wait until `text` is shown; returns whether it came."""
        deadline = time.monotonic() + PATIENCE
        while (place := self._all().find(text, self.seen)) < 0:
            if time.monotonic() > deadline or self.ended.startswith(("exit", "signal")):
                return False
            self.take(0.05)
        self.seen = place + len(text)
        return True

    def _all(self) -> bytes:
        return self.shown + b"".join(self.piped.values())

    def end(self) -> str:
        """Wait for the end of the command, or until it is stopped; returns how it ended."""
        deadline = time.monotonic() + PATIENCE
        while not self.ended and time.monotonic() < deadline:
            self.take(0.05)
        while self.take(0.03):
            pass
        ended, self.ended = self.ended or "runs", ""
        return ended

    def settings(self) -> str:
        """Return how the terminal's settings differ from those at the beginning."""
        now = termios.tcgetattr(self.master)
        changed = []
        for place, flags in FLAGS:
            for flag in flags.split():
                mask = getattr(termios, flag, 0)
                if (now[place] ^ self.before[place]) & mask:
                    changed.append(("" if now[place] & mask else "-") + flag.lower())
        return " ".join(changed) or "as before"

    def close(self) -> None:
        """Close the terminal."""
        os.close(self.master)
        self.master = -1

    def leave(self) -> None:
        """End it all."""
        try:
            if not self.ended:
                os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        for descriptor in (self.master, self.stdin, self.staying, self.news, *self.pipes.values()):
            if descriptor >= 0:
                os.close(descriptor)
        os.waitpid(self.leader, 0)


def _lead(argv: Sequence[str], folder: Path, given: dict[int, int], slave: int, tell: int, stay: int) -> None:
    """Be the leader of a session on the terminal `slave`, which starts the command in front and tells of its end."""
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for number in (signal.SIGTTOU, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    wanted = {slave, tell, stay, *given.values()}
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in wanted:
            try:
                os.close(int(name))
            except OSError:  # that of the list itself
                continue
    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0)
            os.tcsetpgrp(slave, os.getpid())
            for number in (signal.SIGHUP, signal.SIGTTOU, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            for number, descriptor in given.items():
                os.dup2(descriptor, number)
            os.closerange(3, 256)
            os.chdir(folder)
            os.execvp(argv[0], argv)
        finally:
            os._exit(127)
    try:
        os.setpgid(child, child)
    except (PermissionError, ProcessLookupError):
        pass
    for descriptor in set(given.values()) - {slave}:  # the terminal stays open, and so keeps its settings
        os.close(descriptor)
    signal.signal(signal.SIGHUP, lambda *_: os.killpg(child, signal.SIGHUP))  # as a shell does
    os.write(tell, b"%d\n" % child)
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            os.write(tell, f"stopped {signal.Signals(os.WSTOPSIG(status)).name}\n".encode())
            continue
        code = os.waitstatus_to_exitcode(status)
        os.write(tell, f"exit {code if code >= 0 else 128 - code}\n".encode())
        break
    os.read(stay, 1)
    os._exit(0)


class Player:
    """Plays sessions with one docker. `run` stands before everything, `program` is docker, `image` takes the place of the image busybox."""

    def __init__(self, run: Sequence[str], program: Sequence[str], image: str = "busybox") -> None:
        self.run, self.program, self.image = list(run), list(program), image

    def play(self, session: Session) -> list[Json]:
        """Play a session and return what there is to compare of it."""
        with tempfile.TemporaryDirectory(prefix="hb-term-") as kept:
            folder = Path(kept)
            (folder / "config").mkdir()
            if not any("{C}" in text for _, text in session.steps):
                return list(self._steps(session, folder))
            self.docker(f"rm -f {session.container}", folder)
            try:
                return list(self._steps(session, folder))
            finally:
                self.docker(f"rm -f {session.container}", folder)

    def argv(self, words: Sequence[str], folder: Path, variables: dict[str, str]) -> list[str]:
        given = {**CLEAN, "DOCKER_CONFIG": str(folder / "config"), **variables}
        keep = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("HYPERBOX_")]
        return [
            *self.run,
            "env",
            "-i",
            *[f"{name}={value}" for name, value in given.items() if value != "-"],
            *keep,
            *words,
        ]

    def docker(self, line: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
        """Run a docker command without a terminal."""
        argv = self.argv([*self.program, *shlex.split(line)], folder, {})
        return subprocess.run(
            ["timeout", "20", *argv], stdin=subprocess.DEVNULL, capture_output=True, cwd=folder, check=False
        )

    def start(self, line: str, folder: Path) -> tuple[Desk, bool]:
        """Start a command on a terminal of its own; returns whether its screen is compared, too."""
        size, streams, variables, screen, bash = (24, 80), dict[str, str](), dict[str, str](), False, False
        while found := _MARK.match(line):
            line = line[found.end() :]
            name, equals, value = found[1].partition("=")
            if not equals and name[0].isdigit():
                size = (int(name.partition("x")[0]), int(name.partition("x")[2]))
            elif name == "config":
                (folder / "config/config.json").write_text(value)
            elif name in ("stdin", "stdout", "stderr"):
                streams[name] = value
            elif equals:
                variables[name] = value
            screen |= name == "screen"
            bash |= name == "bash"
        if bash:
            return Desk(self.shell(folder), folder, size, streams), screen
        argv = self.argv([*self.program, *shlex.split(line)], folder, variables)
        return Desk(argv, folder, size, streams), screen

    def shell(self, folder: Path) -> list[str]:
        """Return an interactive bash in which `docker` is docker."""
        (folder / "docker").write_text(f'#!/bin/sh\nexec {shlex.join(self.argv(self.program, folder, {}))} "$@"\n')
        (folder / "docker").chmod(0o755)
        return [
            "env", "-i", f"PATH={folder}:{CLEAN['PATH']}", "TERM=dumb", "PS1=> ", "bash", "--norc", "--noprofile", "--noediting", "-i",
        ]  # fmt: skip

    def _steps(self, session: Session, folder: Path) -> Iterator[Json]:
        desk: Desk | None = None
        screen, command, told = False, "", list[Json]()
        for sign, raw in session.steps:
            text = raw.replace("{C}", session.container).replace("{DIR}", str(folder))
            text = _IMAGE.sub(self.image, text) if sign in "!$?" else text
            if sign == "!":
                self.docker(text, folder)
            elif sign == "+":
                name, _, content = text.partition(" ")
                (folder / name).write_bytes(typed(content) + b"\n")
            elif sign == "?":
                done = self.docker(text, folder)
                told.append(
                    {"asked": raw, "out": shown(done.stdout + done.stderr, session, folder), "code": done.returncode}
                )
            elif sign == ".":
                deadline = time.monotonic() + float(text)
                while (left := deadline - time.monotonic()) > 0:
                    desk.take(left) if desk else time.sleep(left)
            elif sign == "$":
                if desk is not None:
                    yield self._summary(command, desk, screen, told, session, folder)
                told, command = [], raw
                desk, screen = self.start(text, folder)
            else:
                assert desk is not None
                self._act(desk, sign, text, told)
        if desk is not None:
            yield self._summary(command, desk, screen, told, session, folder)

    def _act(self, desk: Desk, sign: str, text: str, told: list[Json]) -> None:
        """Do one step at a terminal."""
        if sign == ">":
            if not desk.until(typed(text)):
                told.append({"missed": text})
        elif sign == "<":
            os.write(desk.master, typed(text))
        elif sign == "|":
            os.write(desk.stdin, typed(text))
        elif sign == "|.":
            os.close(desk.stdin)
            desk.stdin = -1
        elif sign == "@":
            rows, _, columns = text.partition("x")
            desk.resize(int(rows), int(columns))
        elif sign == "%":
            os.kill(desk.pid, signal.Signals[f"SIG{text}"])
        elif sign == "~":
            told.append({"settings": desk.settings()})
        elif sign == "*":
            ended = desk.end()
            codes = [f"exit {code}" for code in text.split()]
            told.append({"end": " or ".join(codes) if ended in codes else ended})
        elif sign == "x":
            desk.close()
        else:
            raise ValueError(f"no such step: {sign} {text}")

    def _summary(
        self, command: str, desk: Desk, screen: bool, told: list[Json], session: Session, folder: Path
    ) -> Json:
        while desk.take(0):
            pass
        desk.leave()
        lines = drawn(desk.shown, desk.size) if screen else shown(desk.shown, session, folder)
        piped = {f"pipe {number}": shown(data, session, folder) for number, data in desk.piped.items()}
        return {"command": command, "shown": lines, **piped, "told": told}


def shown(data: bytes, session: Session, folder: Path) -> list[str]:
    """Return output as lines with their ends, without what differs from run to run."""
    text = data.decode("utf-8", "replace").replace(str(folder), "{DIR}")
    text = JOB.sub("[1] <PID>", text)
    return re.findall(r".*\n|.+$", normal(text))


def drawn(data: bytes, size: tuple[int, int]) -> list[str]:
    """Return the lines of a screen on which `data` was written, with 0 for measured numbers."""
    import pyte

    screen = pyte.Screen(size[1], size[0])
    pyte.ByteStream(screen).feed(
        b"$ \r\n" + data
    )  # a prompt: docker's display of a build begins a line lower at the very top
    lines = [line.rstrip() for line in screen.display]
    if lines[0] == "$":
        del lines[0]
    while lines and not lines[-1]:
        lines.pop()
    for pattern, replacement in NUMBERS:
        lines = [pattern.sub(replacement, line) for line in lines]
    return [normal(line) for line in lines if line != "^C"]  # which the terminal itself shows where the cursor is


def recorded(file: str, newer: bool = False) -> dict[str, list[Json]]:
    """Return what docker did in the sessions of a file, with an image of a newer busybox where that is recorded and `newer`."""
    value: dict[str, list[Json]] = json.loads((GOLDEN / f"{file}.json").read_text())
    if newer and (path := GOLDEN / NEWER / f"{file}.json").exists():
        others = json.loads(path.read_text())
        assert set(others) <= set(value)
        value |= others
    return value


def main(arguments: list[str]) -> None:
    """Record the sessions with the docker that the arguments lead to."""
    files, only, image, golden = names(), "", "busybox", GOLDEN
    if arguments[0] == "--only":
        file, _, only = arguments[1].partition("/")
        files, arguments = [file], arguments[2:]
    if arguments[0] == "--image":
        golden, image, arguments = GOLDEN / NEWER, arguments[1], arguments[2:]
    player = Player(arguments, ["docker"], image)
    golden.mkdir(parents=True, exist_ok=True)
    for file in files:
        path = golden / f"{file}.json"
        kept = json.loads(path.read_text()) if path.exists() else {}
        made = {}
        for session in read(file):
            if session.name.startswith(only):
                made[session.name] = player.play(session)
                print(
                    f"{file}/{session.name}",
                    json.dumps(made[session.name], ensure_ascii=False) if only else "",
                    flush=True,
                )
            elif session.name in kept:
                made[session.name] = kept[session.name]
            path.write_text(json.dumps({**kept, **made} if only else made, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
