"""Names and passwords as docker's config.json keeps them: "NAME:PASSWORD" in base64 (RFC 4648)."""

from __future__ import annotations

import binascii

LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


def encoded(user: str, password: str) -> str:
    """Return an account as config.json has it."""
    return binascii.b2a_base64(f"{user}:{password}".encode(), newline=False).decode()


def decoded(text: str) -> tuple[str, str]:
    """Return the name and the password of an account; empty ones for what is none."""
    if illegal_byte(text) is not None:
        return "", ""
    data = binascii.a2b_base64(text).decode("utf-8", "replace")
    user, colon, password = data.partition(":")
    return (user, password.strip("\0")) if colon else ("", "")


def illegal_byte(text: str) -> int | None:
    """Return where Go's base64.StdEncoding stumbles, or None; it passes over ends of lines."""
    group = 0  # where the present group of four begins, and how many letters of it there are
    count = 0
    for place, letter in enumerate(text):
        if letter in "\r\n":
            continue
        if letter in LETTERS:
            group, count = (place, 1) if count in (0, 4) else (group, count + 1)
        elif letter != "=" or count not in (2, 3):
            return place
        else:
            return _padding(text, place, count)
    return None if count in (0, 4) else group


def _padding(text: str, place: int, count: int) -> int | None:
    """Return where what stands from the first "=" on is wrong; `count` letters of the last group are before it."""
    following = place + 1
    rest = [number for number in range(following, len(text)) if text[number] not in "\r\n"]
    if count == 2:
        if not rest:
            return len(text)
        if text[rest[0]] != "=":
            return rest[0] - 1
        rest = rest[1:]
    return rest[0] if rest else None
