"""DNS messages as bytes: read a question, write an answer. RFC 1035; nothing that arrives makes these raise."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Sequence

A, PTR, AAAA, OPT = 1, 12, 28, 41
FORMAT_ERROR, SERVER_FAILURE = 1, 2
TTL = 600


class Question:
    """The one question of a message: name without the last dot, type, and where the question section ends."""

    __slots__ = ("end", "kind", "name")

    def __init__(self, name: str, kind: int, end: int) -> None:
        self.name = name
        self.kind = kind
        self.end = end


def parse_question(data: bytes) -> Question | None:
    """Return the question of a standard query, or None where the message is anything else."""
    if len(data) < 17 or data[2] & 0xF8 or data[4:6] != b"\0\1":
        return None
    labels: list[str] = []
    position = 12
    while True:
        if position >= len(data):
            return None
        size = data[position]
        position += 1
        if size == 0:
            break
        if size > 63 or position + size > len(data) or position > 268:
            return None
        labels.append(data[position : position + size].decode("latin-1"))
        position += size
    if position + 4 > len(data):
        return None
    kind = int.from_bytes(data[position : position + 2], "big")
    return Question(".".join(labels), kind, position + 4)


def encode_name(name: str) -> bytes:
    """Return a name as labels; what is longer than a label may be is cut."""
    labels = (label.encode("latin-1", "replace")[:63] for label in name.split(".") if label)
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def reverse_address(name: str) -> str:
    """Return the address that a name below in-addr.arpa or ip6.arpa is about, or ""."""
    from hyperbox.kernel.links import packed, unpacked

    lower = name.lower().rstrip(".")
    try:
        if lower.endswith(".in-addr.arpa"):
            return unpacked(packed(".".join(reversed(lower.removesuffix(".in-addr.arpa").split(".")))))
        if lower.endswith(".ip6.arpa"):
            digits = "".join(reversed(lower.removesuffix(".ip6.arpa").split(".")))
            return unpacked(bytes.fromhex(digits)) if len(digits) == 32 else ""
    except (OSError, ValueError):
        return ""
    return ""


def size_limit(data: bytes) -> int:
    """Return how long an answer over UDP may be: 512 bytes, or what an OPT record at the message's end offers. RFC 6891."""
    if data[10:12] == b"\0\1" and len(data) >= 23 and data[-11:-8] == b"\0\0\x29":
        return max(512, int.from_bytes(data[-8:-6], "big"))
    return 512


def reply(data: bytes, question: Question, answers: Sequence[bytes], *, limit: int) -> bytes:
    """Return the answer to the query `data`; cut and marked as truncated where it would be longer than `limit` bytes."""
    body = data[12 : question.end]
    count, truncated = 0, 0
    records = b""
    for answer in answers:
        record = (
            b"\xc0\x0c"
            + question.kind.to_bytes(2, "big")
            + b"\0\1"
            + TTL.to_bytes(4, "big")
            + len(answer).to_bytes(2, "big")
            + answer
        )
        if 12 + len(body) + len(records) + len(record) > limit:
            truncated = 2
            break
        records += record
        count += 1
    flags = bytes([0x80 | (data[2] & 1) | truncated, 0x80])
    return data[:2] + flags + b"\0\1" + count.to_bytes(2, "big") + b"\0\0\0\0" + body + records


def failure(data: bytes, code: int) -> bytes:
    """Return an answer that only says why there is none."""
    question = parse_question(data)
    body = data[12 : question.end] if question is not None else b""
    return data[:2] + bytes([0x80 | (data[2] & 0x79), 0x80 | code]) + (b"\0\1" if body else b"\0\0") + b"\0" * 6 + body


def receive(socket: _socket.socket) -> bytes:
    """Return the next message of a TCP connection, b"" at its end."""
    size = int.from_bytes(_exactly(socket, 2), "big")
    return _exactly(socket, size) if size else b""


def _exactly(socket: _socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = socket.recv(size - len(data))
        if not more:
            return b""
        data += more
    return data
