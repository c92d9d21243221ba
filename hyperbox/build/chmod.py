"""--chmod: a file's mode changed by octal digits or by the symbolic form of chmod(1)."""

from __future__ import annotations

import re
import stat

BITS = {"r": 0o444, "w": 0o222, "x": 0o111}
WHO = {"u": 0o4700, "g": 0o2070, "o": 0o1007, "a": 0o7777}


def changed_mode(text: str, mode: int) -> int:
    """Return the permission bits of a file of `mode` (with its kind) after a change, checked before."""
    if text.isdigit():
        return int(text, 8)
    present = stat.S_IMODE(mode)
    for clause in text.split(","):
        match = re.fullmatch(r"([ugoa]*)(.*)", clause)
        assert match is not None
        for operator, what in re.findall(r"([-+=])([ugo]|[rwxXst]*)", match[2]):
            present = _applied(present, match[1] or "a", operator, what, folder=stat.S_ISDIR(mode))
    return present


def _applied(mode: int, who: str, operator: str, what: str, *, folder: bool) -> int:
    scope = 0
    for each in who:
        scope |= WHO[each]
    bits = 0
    if what in ("u", "g", "o") and what:
        copied = mode >> {"u": 6, "g": 3, "o": 0}[what] & 7
        bits = copied << 6 | copied << 3 | copied
    else:
        for each in what:
            if each == "X":
                bits |= BITS["x"] if folder or mode & 0o111 else 0
            elif each == "s":
                bits |= 0o6000
            elif each == "t":
                bits |= 0o1000
            else:
                bits |= BITS[each]
    change = bits & scope
    if "t" in what and "a" not in who and "o" not in who:
        change &= ~0o1000
    if operator == "+":
        return mode | change
    if operator == "-":
        return mode & ~change
    keep = 0o7000 if folder else 0
    return (mode & ~(scope & ~keep)) | change
