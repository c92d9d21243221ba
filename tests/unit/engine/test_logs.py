import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperbox.engine import logs
from hyperbox.engine.log_options import LogOptions
from hyperbox.engine.log_records import encode, record_tail
from hyperbox.engine.logs import Wish, plain_piece, read_log, record_piece, tail_start, whole_lines
from hyperbox.engine.monitor_log import LogWriter
from hyperbox.engine.state import Container, Roots

ALL = Wish(stdout=True, stderr=True, since=0.0, until=0.0, timestamps=False)
PARSED = Wish(stdout=True, stderr=True, since=1.0, until=0.0, timestamps=False)  # never taken as plain


def container(folder: Path) -> Container:
    roots = Roots(str(folder), str(folder), "group")
    (folder / "containers/c").mkdir(parents=True)
    return Container(roots, "c", {}, {"Status": "exited"})


def output(found: Container, wish: Wish, tail: int) -> bytes:
    return b"".join(data for _, data in read_log(found.roots, found, wish, tail=tail, follow=False))


@given(st.binary(max_size=60), st.sampled_from(["stdout", "stderr"]), st.dictionaries(st.text(), st.text(), max_size=2))
def test_a_record_taken_as_plain_is_what_it_is_when_parsed(
    data: bytes, stream: str, attributes: dict[str, str]
) -> None:
    tail = record_tail(stream, attributes, "2026-01-02T03:04:05.6Z")
    for line in encode([(data, tail)]).split(b"\n")[:-1]:
        assert plain_piece(line) == record_piece(line, PARSED)


@pytest.mark.parametrize(
    "line", [b"", b"{", b'{"log":"a', b'{"log":"a","stream":"stdout","ti', b'{"stream":"stderr","log":"a"}']
)
def test_other_and_damaged_records_are_not_taken_as_plain(line: bytes) -> None:
    assert plain_piece(line) is None


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("block", [7, 100, 1 << 18])
def test_the_last_lines_are_the_last_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compress: bool, block: int
) -> None:
    monkeypatch.setattr(logs, "BLOCK", block)
    found = container(tmp_path)
    log = LogWriter(found.roots.log("c"), LogOptions("json-file", 400, 4, compress))
    for number in range(15):
        log.write(1, b"line %d\n" % number)
    everything = output(found, ALL, -1).splitlines(keepends=True)
    assert len(everything) == 15
    for count in range(18):
        assert output(found, ALL, count) == b"".join(everything[-count:] if count else [])


def test_blocks_before_the_wished_time_are_left_out_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "BLOCK", 300)
    found = container(tmp_path)
    with open(found.roots.log("c"), "wb") as file:
        for number in range(60):
            file.write(encode([(b"%d\n" % number, record_tail("stdout", {}, f"2026-01-02T03:04:{number:02d}Z"))]))
    for since in range(60):
        wish = Wish(stdout=True, stderr=True, since=1767323040.0 + since, until=0.0, timestamps=False)
        assert output(found, wish, -1) == b"".join(b"%d\n" % number for number in range(since, 60))
    read = os.open(found.roots.log("c"), os.O_RDONLY)
    assert len(list(whole_lines(read, 1767323040.0 + 50))) < 20
    os.close(read)


def test_reading_takes_little_memory_whatever_the_size_of_the_log(tmp_path: Path) -> None:
    found = container(tmp_path)
    with open(found.roots.log("c"), "wb") as file:
        for _ in range(40):
            file.write(encode([(b"some line of text\n" * 4000, record_tail("stdout", {}, "2026-01-02T03:04:05Z"))]))
    tracemalloc.start()
    for tail in (-1, 10, 100_000):
        assert sum(len(data) for _, data in read_log(found.roots, found, ALL, tail=tail, follow=False)) > 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
    assert os.path.getsize(found.roots.log("c")) > 10 << 20


def test_where_the_tail_begins(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a\nbb\n\nccc\nunfinished")
    read = os.open(tmp_path / "file", os.O_RDONLY)
    assert [tail_start(read, count) for count in (0, 1, 2, 3, 4, 5)] == [
        (10, 0),
        (6, 1),
        (5, 2),
        (2, 3),
        (0, 4),
        (0, 4),
    ]
    os.close(read)
