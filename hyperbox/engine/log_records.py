"""The records of docker's json-file log, byte for byte. Pure.

One line of output is one object: {"log": "text\\n", "stream": "stdout", "time": "…"}, with "attrs" where the log's options name
some. Output is cut at line ends; a line of 16 KiB and more is cut after every 16 KiB, be it within a character, and all its records have the
time of the first. Many lines are escaped at once, as bytes, by a few passes in C: 4 ms of CPU for a megabyte of text, 25 for one of random bytes
(`log_bytes`).
"""

from __future__ import annotations

import time

from hyperbox import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Piece = tuple[bytes, bytes]

LONGEST = 16384
# how ASCII characters are escaped, but for the backslash and the line end
ESCAPES = {
    **{bytes((code,)): b"\\u%04x" % code for code in (*range(10), *range(11, 32), *b"<>&")},
    b"\r": b"\\r",
    b'"': b'\\"',
}
PLAIN = bytes(code for code in range(256) if bytes((code,)) not in ESCAPES)
# zeros come in long runs
ZEROS = bytes(64)
# separators that JavaScript takes for line ends
SEPARATORS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))


def timestamp() -> str:
    """The present time as the log writes it: RFC 3339 in UTC with nanoseconds, trailing zeros cut as Go does."""
    nanoseconds = time.time_ns()
    seconds, rest = divmod(nanoseconds, 10**9)
    fraction = f"{rest:09d}".rstrip("0")
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + (f".{fraction}Z" if fraction else "Z")


def record_tail(stream: str, attributes: dict[str, str], when: str) -> bytes:
    """Return what follows the text in a record."""
    extra = f',"attrs":{files.dumps(attributes)}' if attributes else ""
    return f',"stream":"{stream}"{extra},"time":"{when}"}}\n'.encode("utf-8", "surrogateescape")


def escaped(data: bytes) -> bytes:
    """Return `data` as docker writes it in a JSON string, each byte that is no UTF-8 as U+FFFD, but for line ends, which stay."""
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            from hyperbox.engine.log_bytes import escaped_bytes  # most containers print text

            return escaped_bytes(data)
    data = data.replace(b"\\", b"\\\\").replace(ZEROS, ESCAPES[b"\0"] * len(ZEROS))
    for separator, escape in SEPARATORS:
        data = data.replace(separator, escape)
    for code in set(data.translate(None, PLAIN)):
        character = bytes((code,))
        data = data.replace(character, ESCAPES[character])
    return data


def encode(pieces: Sequence[Piece]) -> bytes:
    """Return the records of pieces of output: each is some whole lines, or a part of a line, and what follows its text in every record."""
    records: list[bytes] = []
    for data, tail in pieces:
        if data.endswith(b"\n"):
            lines = escaped(data[:-1]).replace(b"\n", b'\\n"' + tail + b'{"log":"')
            records += (b'{"log":"', lines, b'\\n"', tail)
        else:
            records += (b'{"log":"', escaped(data), b'"', tail)
    return b"".join(records)


class Lines:
    """Cuts one stream's output into the pieces that `encode` takes."""

    __slots__ = ("_begun", "_pending")

    def __init__(self) -> None:
        # what waits for its line end, and what follows the text in the records of a long line that has not ended
        self._pending = b""
        self._begun = b""

    def cut(self, data: bytes, tail: bytes) -> list[Piece]:
        """Return what may be logged now; what follows the last line end waits for its own."""
        if self._pending:
            data = self._pending + data
        pieces: list[Piece] = []
        start = 0
        while True:
            if self._begun and (end := data.find(b"\n", start, start + LONGEST) + 1):
                pieces.append((data[start:end], self._begun))
                self._begun, start = b"", end
            end = short_lines(data, start)
            if end > start:
                pieces.append((data[start:end], tail))
            start = end
            if len(data) - start < LONGEST:
                break
            self._begun = self._begun or tail
            pieces.append((data[start : start + LONGEST], self._begun))
            start += LONGEST
        self._pending = data[start:]
        return pieces

    def kept(self) -> list[str]:
        """Return what is remembered between two outputs, for `restore`, as text."""
        return [self._pending.hex(), self._begun.hex()]

    def restore(self, kept: list[str]) -> None:
        """Remember what another process did; see `kept`."""
        self._pending, self._begun = map(bytes.fromhex, kept)

    def rest(self, tail: bytes) -> list[Piece]:
        """Return what waits for its line end: there will be none."""
        pieces = [(self._pending, self._begun or tail)] if self._pending else []
        self._pending = self._begun = b""
        return pieces


def short_lines(data: bytes, start: int) -> int:
    """Return where the lines end that begin at `start` of `data`, are whole and of less than 16 KiB; `start` where the first is not."""
    while end := data.rfind(b"\n", start, start + LONGEST) + 1:
        start = end
    return start
