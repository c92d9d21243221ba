import base64
import gzip
import json
import os
import random
import re
import tempfile
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperbox.engine.log_bytes import PART
from hyperbox.engine.log_options import LogOptions, check, file_size, log_options
from hyperbox.engine.log_records import escaped
from hyperbox.engine.log_worker import start_worker
from hyperbox.engine.monitor_log import SLICE, LogWriter, even_slice, slices
from hyperbox.engine.state import Container, Roots
from hyperbox.errors import EngineError, InvalidParameter


def records(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]


def writer(path: Path, max_size: int = 0, max_file: int = 1, *, compress: bool = False) -> LogWriter:
    return LogWriter(str(path), LogOptions("json-file", max_size, max_file, compress))


def test_each_line_becomes_a_record_with_its_stream_and_time(tmp_path: Path) -> None:
    log = writer(tmp_path / "log")
    log.write(1, b'one\ntw\\no "x"\t\x01\n')
    log.write(2, b"err\n")
    found = records(tmp_path / "log")
    assert [(record["stream"], record["log"]) for record in found] == [
        ("stdout", "one\n"),
        ("stdout", 'tw\\no "x"\t\x01\n'),
        ("stderr", "err\n"),
    ]
    assert found[0]["time"].endswith("Z")


def test_a_line_waits_for_its_end_and_is_written_as_it_is_when_the_process_ends(tmp_path: Path) -> None:
    log = writer(tmp_path / "log")
    log.write(1, b"par")
    assert records(tmp_path / "log") == []
    log.write(1, b"tial\nrest")
    log.flush()
    assert [record["log"] for record in records(tmp_path / "log")] == ["partial\n", "rest"]


GOLDEN = json.loads((Path(__file__).parents[3] / "golden/docker/log/cases.json").read_text())
TIME = re.compile(rb'"time":"[^"]*"}\n')


def unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


@pytest.mark.parametrize("case", GOLDEN)
@pytest.mark.parametrize("piece", [7, 16384, 1 << 20])
def test_the_log_is_dockers_byte_for_byte(tmp_path: Path, case: str, piece: int) -> None:
    log = writer(tmp_path / "log")
    output = unpacked(GOLDEN[case]["output"])
    for start in range(0, len(output), piece):
        log.write(1, output[start : start + piece])
    log.flush()
    assert TIME.sub(b'"time":"TIME"}\n', (tmp_path / "log").read_bytes()) == unpacked(GOLDEN[case]["log"])


@pytest.mark.parametrize("dies", [False, True])
def test_a_worker_changes_nothing_and_may_die(tmp_path: Path, dies: bool) -> None:
    output = random.Random(1).randbytes(300_000) + b"text\n" * 50_000 + b"x" * 300_000
    for name in ("alone", "helped"):
        log = writer(tmp_path / name)
        if name == "helped":
            log._worker = start_worker()
        for start in range(0, len(output), 200_000):
            if dies and log._worker is not None and start:
                log._worker._socket.shutdown(2)
            log.write(1, output[start : start + 200_000])
        assert (log._worker is None) == (dies or name == "alone")
        log.flush()
        assert log._worker is None
    alone, helped = (TIME.sub(b"", (tmp_path / name).read_bytes()) for name in ("alone", "helped"))
    assert alone == helped
    assert os.wait()[1] == 0


def escaped_slowly(data: bytes) -> bytes:
    """What docker's encoder does, byte by byte: a character at a time, as Go's utf8.DecodeRune finds them."""
    short = {0x0A: b"\n", 0x0D: b"\\r", 0x22: b'\\"', 0x5C: b"\\\\"}
    out, at = [], 0
    while at < len(data):
        code = data[at]
        if code < 0x80:
            plain = b"\\u%04x" % code if code < 0x20 or code in b"<>&" else data[at : at + 1]
            out.append(short.get(code, plain))
            at += 1
            continue
        found = [data[at : at + size] for size in (2, 3, 4) if is_character(data[at : at + size])]
        wide = {b"\xe2\x80\xa8": b"\\u2028", b"\xe2\x80\xa9": b"\\u2029"}
        out.append(wide.get(found[0], found[0]) if found else b"\\ufffd")
        at += len(found[0]) if found else 1
    return b"".join(out)


def is_character(data: bytes) -> bool:
    try:
        return len(data.decode()) == 1
    except UnicodeDecodeError:
        return False


PIECES = [
    b"\xe2\x80\xa8",
    b"\xe2\x80",
    b"\xf0\x9f\x98\x80",
    b"\xed\xa0\x80",
    b"\xff",
    b"?",
    b"\0",
    b"\\",
    b'"',
    b"<",
    b"\t",
    b"\r",
    b"\n",
]


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=9),
            st.text(max_size=5).map(lambda text: text.encode("utf-8", "surrogatepass")),
            st.sampled_from(PIECES),
        )
    )
)
def test_whatever_is_escaped_is_escaped_as_docker_does_it(pieces: list[bytes]) -> None:
    assert escaped(b"".join(pieces)) == escaped_slowly(b"".join(pieces))


@pytest.mark.parametrize(
    "piece", [b"\xf0\x9f\x98\x80", b"\xe2\x80\xa8", b"\xc3\xa9", b"\x80", b"\xf0\x9f\x98", b"a\xc3\xa9\n"]
)
@pytest.mark.parametrize("before", range(5))
def test_parts_are_not_cut_within_a_character(piece: bytes, before: int) -> None:
    data = b"\xff" * before + piece * (3 * PART // len(piece))
    assert escaped(data) == escaped_slowly(data)


@pytest.mark.parametrize("case", ["ascii", "bytes", "separators", "line ends"])
def test_the_slow_way_is_dockers(case: str) -> None:
    lines = unpacked(GOLDEN[case]["log"]).splitlines()
    texts = b"".join(line.split(b'","stream"')[0].removeprefix(b'{"log":"') for line in lines)
    assert escaped_slowly(unpacked(GOLDEN[case]["output"])).replace(b"\n", b"\\n") == texts


def test_the_records_of_a_long_line_have_one_time(tmp_path: Path) -> None:
    log = writer(tmp_path / "log")
    for _ in range(3):
        log.write(1, b"x" * 20000)
    log.write(1, b"end\nnext\n")
    times = [record["time"] for record in records(tmp_path / "log")]
    assert len(times) == 5
    assert len(set(times[:4])) == 1
    assert times[4] > times[0]


def test_files_are_rotated_and_the_oldest_forgotten(tmp_path: Path) -> None:
    log = writer(tmp_path / "log", max_size=200, max_file=3)
    for number in range(20):
        log.write(1, b"line %d\n" % number)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1", "log.2"]
    kept = [record["log"] for name in ("log.2", "log.1", "log") for record in records(tmp_path / name)]
    assert kept == [f"line {number}\n" for number in range(20 - len(kept), 20)]


def test_rotated_files_are_compressed_where_asked(tmp_path: Path) -> None:
    log = writer(tmp_path / "log", max_size=200, max_file=2, compress=True)
    for number in range(6):
        log.write(1, b"line %d\n" % number)
    assert gzip.decompress((tmp_path / "log.1.gz").read_bytes()).startswith(b'{"log":"line ')


def test_with_one_file_it_is_emptied(tmp_path: Path) -> None:
    log = writer(tmp_path / "log", max_size=200)
    for number in range(20):
        log.write(1, b"line %d\n" % number)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
    assert records(tmp_path / "log")[-1]["log"] == "line 19\n"


def test_sizes_of_files_are_powers_of_1000() -> None:
    assert [file_size(text, local=True) for text in ("10", "1k", "10m", "1g", "2MiB", "3kb", "0")] == [
        10,
        1000,
        10_000_000,
        10**9,
        2_000_000,
        3000,
        0,
    ]


@pytest.mark.parametrize(
    ("text", "local", "words"),
    [
        ("1x", False, "invalid suffix: 'x'"),
        ("1x", True, "invalid value for max-size: 1x: invalid suffix: 'x'"),
        ("", True, "invalid value for max-size: : invalid size: ''"),
        ("-1", False, "invalid size: '-1'"),
        ("0.4", False, "max-size must be a positive number"),
    ],
)
def test_what_is_no_size_of_a_file_is_told_as_docker_does(text: str, local: bool, words: str) -> None:
    with pytest.raises(EngineError) as refused:
        file_size(text, local=local)
    assert refused.value.message.endswith(f"failed to initialize logging driver: {words}")


def container(options: dict[str, str]) -> Container:
    config = {"Labels": {"a": "1", "other": "2"}, "Env": ["B=2 3", "C=4"], "Image": "busybox"}
    record: dict[str, object] = {
        "Name": "web",
        "ImageID": "sha256:" + "0" * 64,
        "Config": config,
        "HostConfig": {"LogConfig": {"Type": "json-file", "Config": options}},
    }
    return Container(Roots("/data", "/run", "group"), "f" * 64, record, {})


@pytest.mark.parametrize(
    "config",
    [{"Type": "bogus"}, {"Type": "gcplogs"}, {"Type": "gelf"}, {"Config": {"foo": "1"}}, {"Config": {"mode": "x"}}],
)
def test_what_docker_refuses_when_it_makes_a_container_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(InvalidParameter):
        check({"LogConfig": config})


@pytest.mark.parametrize(
    "options",
    [{"max-size": "x"}, {"max-file": "x"}, {"max-file": "0"}, {"compress": "x"}, {"tag": "{{.Nope}}"}, {"tag": "{{"}],
)
def test_what_docker_refuses_when_it_starts_a_container_is_refused(options: dict[str, str]) -> None:
    check({"LogConfig": {"Config": options}})
    with pytest.raises(EngineError, match="failed to initialize logging driver"):
        log_options(container(options))


def test_attributes_stand_beside_each_line(tmp_path: Path) -> None:
    options = log_options(container({"labels": "a,none", "env-regex": "^B", "tag": "{{.Name}}/{{.ImageName}}"}))
    assert options.attributes == {"B": "2 3", "a": "1", "tag": "web/busybox"}
    log = LogWriter(str(tmp_path / "log"), options)
    log.write(1, b"one\n")
    assert records(tmp_path / "log")[0]["attrs"] == options.attributes


@given(st.lists(st.binary(max_size=200), max_size=6), st.text(max_size=50))
def test_whatever_is_written_is_read_back_with_the_same_text(pieces: list[bytes], text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        log = writer(path)
        written = [*pieces, text.encode("utf-8", "replace"), b'\x00\x01\x02\x03\x04\x05"\\\n', b"tab\there\n"]
        for piece in written:
            log.write(1, piece)
        log.flush()
        expected = escaped_slowly(b"".join(written)).replace(b"\n", b"\\n")
        assert "".join(record["log"] for record in records(path)) == json.loads(b'"%s"' % expected)


def test_output_of_nothing_but_line_ends_needs_little_memory(tmp_path: Path) -> None:
    log = writer(tmp_path / "log")
    tracemalloc.start()
    log.write(1, b"\n" * (1 << 19) + b"x" * (1 << 19))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 << 20
    assert (tmp_path / "log").stat().st_size > 32 << 20


def test_a_long_line_is_cut_at_whole_characters_wherever_output_is_cut(tmp_path: Path) -> None:
    log = writer(tmp_path / "log")
    line = ("é" * 40_000 + "\n").encode()
    for start in range(0, len(line), 777):
        log.write(1, line[start : start + 777])
    found = [record["log"] for record in records(tmp_path / "log")]
    assert "".join(found).encode() == line
    assert all(len(part.encode()) <= 16384 for part in found)


@given(st.integers(1, 1 << 21))
def test_two_processes_get_equal_parts(size: int) -> None:
    cut = even_slice(size)
    parts = [len(part) for part in slices(bytes(size), 80, cut)]
    assert cut <= SLICE
    assert sum(parts) == size
    assert len(parts) % 2 == 0 or size == 1
    assert max(parts) - min(parts) < len(parts) * 2
