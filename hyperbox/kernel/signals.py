"""Signal names as docker reads them."""

from __future__ import annotations

from hyperbox.errors import InvalidParameter

# signal(7), the numbers of Linux on x86 and ARM
NAMES = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU "
    "XFSZ VTALRM PROF WINCH IO PWR SYS"
)
NUMBERS = {name: number for number, name in enumerate(NAMES.split(), 1)}
NUMBERS.update({"CLD": 17, "POLL": 29, "IOT": 6, "RTMIN": 34, "RTMAX": 64})
NUMBERS.update({f"RTMIN+{offset}": 34 + offset for offset in range(1, 16)})
NUMBERS.update({f"RTMAX-{offset}": 64 - offset for offset in range(1, 15)})


def signal_number(text: str) -> int:
    """Return the number of a signal ("TERM", "SIGTERM", "sigterm", "15"). Raises InvalidParameter "invalid signal: X".

    A number is taken as it is, as docker does, unless it is 0: whether there is such a signal is told by who sends it.
    """
    digits = text[1:] if text[:1] in ("-", "+") else text
    if digits.isascii() and digits.isdigit() and len(digits) < 10 and int(text):
        return int(text)
    found = NUMBERS.get(text.upper().removeprefix("SIG"))
    if found is None:
        raise InvalidParameter(f"invalid signal: {text}")
    return found
