"""Bytes that are no UTF-8 as docker's log has them: each byte that is part of no character becomes U+FFFD. Pure.

Programs print such bytes by the gigabyte (`cat` of an archive), and nothing in Python looks at single bytes quickly. So all bytes of a piece are
looked at together: a table (bytes.translate) gives a number of bits for each byte, all of them are one large integer, and its operators
compare each byte with those that follow, which a shift puts in its place. A byte of output costs 23 ns of CPU, where it took 50 by way of the
codecs and their error handlers.
"""

from __future__ import annotations

from _codecs import charmap_decode, raw_unicode_escape_encode

from hyperbox.engine.log_records import ESCAPES, SEPARATORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# what is worked on at once: its integers stay in the processor's nearer caches, and below the size for which malloc(3) asks the kernel each time
PART = 1 << 14
# a character's second byte is in one of three ranges, by which UTF-8 leaves out overlong forms, surrogates and what is past U+10FFFF (RFC 3629)
LOW, MIDDLE, HIGH = 1, 2, 4
THIRD, FOURTH = 8, 16
# in the middle of a piece, bytes that are never part of a character stand for what has an escape of its own, the last for all that is none
CARRIAGE_RETURN, QUOTE, BACKSLASH, NONE = b"\xfc", b"\xfd", b"\xfe", 0xFF
# \u00XX can't be asked of Python's encoder, which leaves characters below U+0100 as they are: these are written as \ue1XX first
ELSEWHERE = 0xE100


def wanted(code: int) -> int:
    """Return what a byte wants of those after it: in which ranges the second may be, and whether there are a third and a fourth."""
    special = {
        0xE0: HIGH | THIRD,
        0xED: LOW | MIDDLE | THIRD,
        0xF0: MIDDLE | HIGH | THIRD | FOURTH,
        0xF4: LOW | THIRD | FOURTH,
    }
    if code in special:
        return special[code]
    if not 0xC2 <= code <= 0xF4:
        return 0
    return LOW | MIDDLE | HIGH | (THIRD if code >= 0xE0 else 0) | (FOURTH if code >= 0xF0 else 0)


def offered(code: int) -> int:
    """Return what of that a byte is."""
    if not 0x80 <= code <= 0xBF:
        return 0
    return (LOW if code < 0x90 else MIDDLE if code < 0xA0 else HIGH) | THIRD | FOURTH


def written(code: int) -> str:
    """Return the character by which a byte is written: one that is encoded as it is, or as an escape, or waits for its turn."""
    character = bytes((code,))
    waiting = {b"\r": CARRIAGE_RETURN, b'"': QUOTE, b"\\": BACKSLASH}
    if code == NONE:
        return "\ufffd"
    if character in waiting:
        return waiting[character].decode("latin-1")
    return chr(ELSEWHERE + code) if character in ESCAPES else chr(code)


def table(value: Callable[[int], int]) -> bytes:
    """Return a table for bytes.translate."""
    return bytes(map(value, range(256)))


WANTED, OFFERED = table(wanted), table(offered)
WRITTEN = "".join(map(written, range(256)))
ONES = int.from_bytes(b"\1" * PART, "little")


def without_broken(data: bytes) -> bytes:
    """Return `data`, of PART bytes at most, with NONE in the place of each byte that is part of no UTF-8 character."""
    size = len(data)
    ones = ONES >> 8 * (PART - size)
    wants = int.from_bytes(data.translate(WANTED), "little")
    offers = int.from_bytes(data.translate(OFFERED), "little")
    # little-endian: a shift to the right by eight bits puts the next byte in the place of each
    ranges = wants & offers >> 8
    first = (ranges | ranges >> 1 | ranges >> 2) & ones
    third = wants >> 3 & first
    first ^= third & ~(offers >> 16 + 3)
    fourth = wants >> 4 & first
    first ^= fourth & ~(offers >> 24 + 4)
    characters = first | first << 8 | (third & first) << 16 | (fourth & first) << 24
    whole = int.from_bytes(data, "little")
    broken = (whole >> 7 & ones) ^ characters
    return (whole | broken * NONE).to_bytes(size, "little")


def escaped_part(data: bytes) -> bytes:
    """Return `data`, of PART bytes at most, as `escaped_bytes` does."""
    text, _ = charmap_decode(without_broken(data), "strict", WRITTEN)
    result, _ = raw_unicode_escape_encode(text)
    result = result.replace(b"\\ue1", b"\\u00").replace(BACKSLASH, b"\\\\").replace(QUOTE, b'\\"')
    result = result.replace(CARRIAGE_RETURN, b"\\r")
    for separator, escape in SEPARATORS:
        if separator in data:
            result = result.replace(separator, escape)
    return bytes(result)


def escaped_bytes(data: bytes) -> bytes:
    """Return `data` as docker writes it in a JSON string, but for line ends, which stay."""
    parts: list[bytes] = []
    start = 0
    while len(data) - start > PART:
        end = data.rfind(b"\n", start, start + PART) + 1 or beginning(data, start + PART)
        parts.append(escaped_part(data[start:end]))
        start = end
    parts.append(escaped_part(data[start:]))
    return b"".join(parts)


def beginning(data: bytes, end: int) -> int:
    """Return the last place up to `end` at which no character is cut: after three bytes that go on with one, none goes on."""
    return next((place for place in range(end, end - 4, -1) if not OFFERED[data[place]]), end)
