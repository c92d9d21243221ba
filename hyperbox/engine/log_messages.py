"""What a container's output becomes on the wire of each logging driver. Pure, but for the clock.

syslog: RFC 3164 and RFC 5424 as docker writes them; GELF 1.1; fluentd's forward protocol (message mode); Splunk's HTTP event collector;
journald's native protocol (systemd.journal-fields(7)).
"""

from __future__ import annotations

import os
import time

from hyperbox import files
from hyperbox.go.text import html_escaped
from hyperbox.go.times import short_timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.state import Container

    Json = dict[str, object]

STREAMS = {1: "stdout", 2: "stderr"}
GELF_CHUNK = 1420  # bytes of a datagram, with its head of 12
GELF_CHUNKS = 128
PRIORITY = {1: 6, 2: 3}  # info and err, of syslog(3)
DAEMON = 3


class Message:
    """One line of output, without its end; `part` is (id, number from 1, whether it is the last) where it is a piece of a longer line."""

    __slots__ = ("line", "part", "stream", "time")

    def __init__(self, stream: int, nanoseconds: int, line: bytes, part: tuple[str, int, bool] | None = None) -> None:
        self.stream = stream
        self.time = nanoseconds
        self.line = line
        self.part = part

    def text(self) -> str:
        return self.line.decode("utf-8", "replace")


class Source:
    """The container that the messages are from. `attributes`: what the options labels, env … name."""

    __slots__ = ("attributes", "command", "created", "hostname", "id", "image", "image_id", "name", "pid", "tag")

    def __init__(self, container: Container, tag: str, attributes: dict[str, str]) -> None:
        arguments = container.record.get("Args")
        words = [str(container.record.get("Path") or ""), *(arguments if isinstance(arguments, list) else ())]
        self.id = container.id
        self.name = container.name
        self.command = " ".join(str(word) for word in words)
        self.created = str(container.record["Created"])
        self.image = str(container.config.get("Image") or "")
        self.image_id = str(container.record["ImageID"])
        self.hostname = os.uname().nodename
        self.pid = os.getpid()
        self.tag = tag
        self.attributes = attributes


def go_json(value: object) -> bytes:
    """Return `value` as Go's encoder writes it."""
    return html_escaped(files.dumps(value)).encode("utf-8", "surrogateescape")


# --- syslog -------------------------------------------------------------------------------------------------------------------
def syslog(message: Message, source: Source, *, form: str, facility: int, counted: bool) -> bytes:
    """Return a syslog message; `counted`: with its length before it, as RFC 5425 wants it on TLS."""
    head = f"<{facility * 8 + PRIORITY[message.stream]}>"
    line = message.line if message.line.endswith(b"\n") else message.line + b"\n"
    moment = time.time()
    if form in ("", "rfc3164"):
        stamp = time.strftime("%b %e %H:%M:%S", time.localtime(moment))
        host = f"{source.hostname} " if form else ""
        return f"{head}{stamp} {host}{source.tag}[{source.pid}]: ".encode() + line
    digits = f".{int(moment * 1e6) % 1_000_000:06d}" if form == "rfc5424micro" else ""
    zone = time.strftime("%z", time.localtime(moment))
    zone = "Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:]}"
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(moment)) + digits + zone
    data = f"{head}1 {stamp} {source.hostname} {source.tag} {source.pid} {source.tag} - ".encode() + line
    return str(len(data)).encode() + b" " + data if counted else data


# --- GELF ---------------------------------------------------------------------------------------------------------------------
def gelf(message: Message, source: Source) -> bytes:
    """Return a message as GELF's JSON."""
    extra: dict[str, str] = {
        "command": source.command,
        "container_id": source.id,
        "container_name": source.name,
        "created": source.created,
        "image_id": source.image_id,
        "image_name": source.image,
        "tag": source.tag,
        **source.attributes,
    }
    return go_json(
        {
            "version": "1.1",
            "host": source.hostname,
            "short_message": message.text(),
            "timestamp": message.time // 1_000_000 / 1000,
            "level": PRIORITY[message.stream],
            **{f"_{key}": extra[key] for key in sorted(extra)},
        }
    )


def gelf_datagrams(data: bytes) -> list[bytes]:
    """Return the datagrams of one message: itself, or chunks of it; none for what is too large for 128 of them."""
    if len(data) <= GELF_CHUNK:
        return [data]
    size = GELF_CHUNK - 12
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    if len(pieces) > GELF_CHUNKS:
        return []
    head = b"\x1e\x0f" + os.urandom(8)
    return [head + bytes((number, len(pieces))) + piece for number, piece in enumerate(pieces)]


def packed(data: bytes, kind: str, level: int) -> bytes:
    """Return data compressed by gzip or zlib, or as it is ("none")."""
    import zlib

    if kind == "none":
        return data
    compressor = zlib.compressobj(level, zlib.DEFLATED, 31 if kind == "gzip" else 15)
    return compressor.compress(data) + compressor.flush()


# --- fluentd ------------------------------------------------------------------------------------------------------------------
def msgpack(value: object) -> bytes:
    """Return a value of texts, bytes, small numbers, lists and maps as MessagePack; bytes are texts too (docker's do not tell them apart)."""
    if isinstance(value, str):
        return msgpack(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, bytes):
        return _head(len(value), 0xA0, 32, (0xD9, 0xDA, 0xDB)) + value
    if isinstance(value, int):
        return b"\xd2" + value.to_bytes(4, "big", signed=True)
    if isinstance(value, list):
        return _head(len(value), 0x90, 16, (0, 0xDC, 0xDD)) + b"".join(msgpack(each) for each in value)
    if isinstance(value, EventTime):
        return (
            b"\xd7\x00"
            + (value.nanoseconds // 10**9).to_bytes(4, "big")
            + (value.nanoseconds % 10**9).to_bytes(4, "big")
        )
    assert isinstance(value, dict)
    pairs = b"".join(msgpack(key) + msgpack(each) for key, each in value.items())
    return _head(len(value), 0x80, 16, (0, 0xDE, 0xDF)) + pairs


def _head(count: int, small: int, limit: int, kinds: tuple[int, int, int]) -> bytes:
    if count < limit:
        return bytes((small | count,))
    if kinds[0] and count < 256:
        return bytes((kinds[0], count))
    if count < 65536:
        return bytes((kinds[1],)) + count.to_bytes(2, "big")
    return bytes((kinds[2],)) + count.to_bytes(4, "big")


class EventTime:
    """A time with nanoseconds, fluentd's extension type 0."""

    __slots__ = ("nanoseconds",)

    def __init__(self, nanoseconds: int) -> None:
        self.nanoseconds = nanoseconds


def fluentd(message: Message, source: Source, *, precise: bool, chunk: str = "") -> bytes:
    """Return a message of fluentd's forward protocol; `chunk` asks for an acknowledgement of that name."""
    record: Json = {
        "container_id": source.id,
        "container_name": f"/{source.name}",
        "source": STREAMS[message.stream],
        "log": message.line,
        **source.attributes,
    }
    if message.part is not None:
        name, number, last = message.part
        record.update(
            partial_message="true", partial_id=name, partial_ordinal=str(number), partial_last=str(last).lower()
        )
    moment: object = EventTime(message.time) if precise else message.time // 10**9
    return msgpack([source.tag, moment, record, {"chunk": chunk} if chunk else {}])


# --- Splunk -------------------------------------------------------------------------------------------------------------------
def splunk(message: Message, source: Source, *, form: str, fields: dict[str, str]) -> bytes:
    """Return an event for Splunk's collector, b"" for one that it would not take; `fields`: source, sourcetype and index, where given."""
    line = message.text()
    event: object
    if form == "raw":
        if not line.strip():
            return b""
        head = [source.tag] if source.tag else []
        event = " ".join([*head, *(f"{key}={value}" for key, value in source.attributes.items()), line])
    else:
        told: object = line
        if form == "json":
            try:
                told = files.loads(line)
            except ValueError:
                told = line
        whole: Json = {"line": told, "source": STREAMS[message.stream]}
        if source.tag:
            whole["tag"] = source.tag
        if source.attributes:
            whole["attrs"] = source.attributes
        event = whole
    moment = f"{message.time // 10**9}.{message.time % 10**9 // 1000:06d}"
    return go_json({"event": event, "time": moment, "host": source.hostname, **fields})


# --- journald -----------------------------------------------------------------------------------------------------------------
def journal_fields(source: Source) -> list[tuple[str, bytes]]:
    """Return the fields that are in every entry of a container."""
    fields = {
        "CONTAINER_ID": source.id[:12],
        "CONTAINER_ID_FULL": source.id,
        "CONTAINER_NAME": source.name,
        "CONTAINER_TAG": source.tag,
        "IMAGE_NAME": source.image,
        "SYSLOG_IDENTIFIER": source.tag,
        **{field_name(key): value for key, value in source.attributes.items()},
    }
    return [(key, value.encode("utf-8", "surrogateescape")) for key, value in fields.items() if key]


def field_name(name: str) -> str:
    """Return a label's or variable's name as the journal takes it: capitals, digits and underscores, none of these at the beginning."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name.upper())
    return plain.lstrip("_0123456789")


def journald(message: Message, fields: list[tuple[str, bytes]]) -> bytes:
    """Return a datagram for the journal."""
    own = [
        ("MESSAGE", message.line),
        ("PRIORITY", str(PRIORITY[message.stream]).encode()),
        ("SYSLOG_TIMESTAMP", short_timestamp(message.time).encode()),
    ]
    if message.part is not None:
        name, number, last = message.part
        own += [
            ("CONTAINER_PARTIAL_ID", name.encode()),
            ("CONTAINER_PARTIAL_ORDINAL", str(number).encode()),
            ("CONTAINER_PARTIAL_LAST", str(last).lower().encode()),
        ]
        own += [] if last else [("CONTAINER_PARTIAL_MESSAGE", b"true")]
    parts = []
    for key, value in [*own, *fields]:
        if b"\n" in value:
            parts.append(key.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n")
        else:
            parts.append(key.encode() + b"=" + value + b"\n")
    return b"".join(parts)
