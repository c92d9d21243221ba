"""What an attached `up` writes, and the frames in which its processes tell it."""

from __future__ import annotations

import os
import time

import pytest

from hyperbox.cli import compose_children
from hyperbox.cli.compose_children import MESSAGE, STDERR, STDOUT, Child, Teller, fork_child, message_of, tell_lines
from hyperbox.cli.compose_printer import WATCH, Printer


@pytest.fixture
def signals() -> int:
    return os.pipe()[0]


def test_names_get_room_and_colors_as_they_come(capfd: pytest.CaptureFixture[str], signals: int) -> None:
    printer = Printer(prefix=True, color=True, signals=signals)
    printer.output("db-1", 1, b"one\ntwo\n")
    printer.output("web-1", 1, b"three\n")
    printer.output("db-1", 1, b"\n")
    assert capfd.readouterr().out == (
        "\x1b[36mdb-1  | \x1b[0mone\n\x1b[36mdb-1  | \x1b[0mtwo\n"
        "\x1b[33mweb-1  | \x1b[0mthree\n\x1b[36mdb-1   | \x1b[0m\n"
    )
    printer.watch("Watch enabled")
    printer.status("web-1", "exited with code 3")
    assert (
        capfd.readouterr().out
        == "\x1b[92m        ⦿ \x1b[0mWatch enabled\n\x1b[33m\r\x1b[Kweb-1 exited with code 3\n\x1b[0m"
    )


def test_colors_begin_anew_after_ten_names_and_watching_has_its_own(
    capfd: pytest.CaptureFixture[str], signals: int
) -> None:
    printer = Printer(prefix=True, color=True, signals=signals)
    for number in range(13):
        printer.output(f"s{number}-1", 1, b"x\n")
        printer.output(WATCH, 1, b"y\n")
    heads = [line.partition("m")[0] for line in capfd.readouterr().out.splitlines() if line.endswith("x")]
    assert heads == [
        f"\x1b[{code}"
        for code in ["36", "33", "32", "35", "34", "36;1", "33;1", "32;1", "35;1", "34;1", "36", "33", "32"]
    ]


def test_a_hook_has_its_containers_color_and_what_is_muted_is_not_written(
    capfd: pytest.CaptureFixture[str], signals: int
) -> None:
    printer = Printer(prefix=True, color=True, signals=signals)
    printer.output("web-1", 2, b"to stderr\n")
    printer.output("web-1 ->", 1, b"hook\n")
    told = capfd.readouterr()
    assert told.err == "\x1b[36mweb-1  | \x1b[0mto stderr\n"
    assert told.out == "\x1b[36mweb-1 ->  | \x1b[0mhook\n"
    printer.muted = True
    printer.output("web-1", 1, b"no\n")
    printer.status("web-1", "exited with code 0")
    assert capfd.readouterr().out == ""


def test_without_prefix_bytes_pass_as_they_are(capfdbinary: pytest.CaptureFixture[bytes], signals: int) -> None:
    printer = Printer(prefix=False, color=False, signals=signals)
    printer.output("web-1", 1, b"a\rb\x00\xff\n\n")
    assert capfdbinary.readouterr().out == b"a\rb\x00\xff\n\n"


def test_a_reader_that_reads_no_more_keeps_nobody_from_stopping(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, told = os.pipe()
    reader, writer = os.pipe()
    printer = Printer(prefix=False, color=False, signals=heard)
    os.write(told, b"\x02")
    begun = time.monotonic()
    printer._all(writer, b"x" * (1 << 20))
    assert time.monotonic() - begun < 5
    assert 0 < len(os.read(reader, 1 << 20)) < 1 << 20


def frames_of(child: Child) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    while (frames := child.read()) is not None:
        found += frames
    child.forget()
    return found


def test_output_comes_as_whole_lines_of_each_stream() -> None:
    chunks = [(STDOUT, b"be"), (STDERR, b"err\n"), (STDOUT, b"gun\nsecond\nth"), (STDOUT, b"ird"), (STDERR, b"last")]
    child = fork_child(lambda teller: tell_lines(chunks, teller))
    assert frames_of(child) == [(2, b"err\n"), (1, b"begun\nsecond\n"), (1, b"third\n"), (2, b"last\n")]


def test_a_line_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose_children, "LINE_LIMIT", 100)
    child = fork_child(lambda teller: tell_lines(((STDOUT, b"x" * 40) for _ in range(5)), teller))
    assert [len(data) for _, data in frames_of(child)] == [121, 81]


def test_messages_and_large_frames_come_whole() -> None:
    def work(teller: Teller) -> None:
        teller.message(said="äöü", number=3)
        teller.frame(STDOUT, b"y" * 300_000 + b"\n")

    first, second = frames_of(fork_child(work))
    assert (first[0], message_of(first[1])) == (MESSAGE, {"said": "äöü", "number": 3})
    assert second == (STDOUT, b"y" * 300_000 + b"\n")
