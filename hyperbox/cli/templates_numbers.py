"""The constants of Go templates: quoted strings and numbers as Go's strconv reads them."""

from __future__ import annotations

from hyperbox.go.text import quote

ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
HEX_LENGTHS = {"x": 2, "u": 4, "U": 8}
INT_MAX = (1 << 63) - 1


def unquote(text: str) -> str | None:
    """Return what a string or character constant stands for, or None where it is malformed."""
    mark, body = text[0], text[1:-1]
    if mark == "`":
        return body.replace("\r", "")
    output = bytearray()
    index = 0
    while index < len(body):
        character = body[index]
        if character != "\\":
            output += character.encode("utf-8", "surrogateescape")
            index += 1
            continue
        found = _escape(body, index + 1, mark)
        if found is None:
            return None
        piece, index = found
        output += piece
    return output.decode("utf-8", "surrogateescape")


def _escape(body: str, index: int, mark: str) -> tuple[bytes, int] | None:
    """Read one escape after its backslash; returns its bytes and where it ends."""
    letter = body[index : index + 1]
    if letter in ESCAPES:
        return ESCAPES[letter].encode(), index + 1
    if letter and letter in "\"'":
        return (letter.encode(), index + 1) if letter == mark else None
    if letter in HEX_LENGTHS:
        end = index + 1 + HEX_LENGTHS[letter]
        value = _digits(body[index + 1 : end], HEX_LENGTHS[letter], 16)
        if value is None or value > 0x10FFFF or 0xD800 <= value < 0xE000:
            return None
        return (bytes([value]) if letter == "x" else chr(value).encode()), end
    value = _digits(body[index : index + 3], 3, 8)
    return None if value is None or value > 255 else (bytes([value]), index + 3)


def _digits(text: str, length: int, base: int) -> int | None:
    alphabet = "0123456789abcdef"[:base]
    if len(text) != length or any(digit not in alphabet for digit in text.lower()):
        return None
    return int(text, base)


def number(text: str) -> int | float | complex:
    """Return the value of a number or character constant: int, float or complex. Raises ValueError with Go's words."""
    if text[0] == "'":
        value = unquote(text)
        if value is None or len(value) != 1:
            raise ValueError(f"malformed character constant: {text}")
        return ord(value)
    if text[-1] == "i":
        signs = [at for at in range(1, len(text)) if text[at] in "+-" and text[at - 1] not in "eEpP"]
        if not signs:
            return complex(0, float(number(text[:-1]).real))
        if len(signs) > 1 or "i" in text[: signs[0]]:
            raise ValueError("syntax error scanning complex number")
        return complex(float(number(text[: signs[0]]).real), float(number(text[signs[0] : -1]).real))
    integer = parse_integer(text)
    if integer is not None:
        if not -INT_MAX - 1 <= integer <= INT_MAX:
            if integer > 2 * INT_MAX + 1 or integer < 0:
                raise ValueError(f"integer overflow: {quote(text)}")
            raise ValueError(f"{text} overflows int")
        return integer
    value_float = parse_float(text)
    if value_float is None:
        raise ValueError(f"illegal number syntax: {quote(text)}")
    if not any(mark in text for mark in ".eEpP"):
        raise ValueError(f"integer overflow: {quote(text)}")
    return value_float


def parse_integer(text: str) -> int | None:
    """Return an integer written as in Go source (0x, 0o, 0b, a leading 0, underscores), or None."""
    sign, body = (-1, text[1:]) if text[0] == "-" else (1, text[1:] if text[0] == "+" else text)
    base, digits = 10, body
    if body[:1] == "0" and len(body) > 1:
        base = {"x": 16, "o": 8, "b": 2}.get(body[1].lower(), 8)
        digits = body[2:] if body[1].isalpha() else body[1:]
        digits = digits[1:] if digits[:1] == "_" else digits
    if not digits or digits[0] == "_" or digits[-1] == "_" or "__" in digits:
        return None
    plain = digits.replace("_", "")
    alphabet = "0123456789abcdef"[:base]
    if any(digit not in alphabet for digit in plain.lower()):
        return None
    return sign * int(plain, base)


def parse_float(text: str) -> float | None:
    """Return a decimal or hexadecimal float, or None."""
    plain = text.replace("_", "")
    try:
        if "x" in plain.lower():
            return float.fromhex(plain) if "p" in plain.lower() else None
        return float(plain) if plain[-1:] not in ("", "+", "-") else None
    except (ValueError, OverflowError):
        return None
