"""A compiled seccomp filter with its chain of comparisons made a tree of them. Pure.

libseccomp compiles a profile to one comparison after another, some 450 for each architecture. When a filter is installed the kernel runs it for
each system call that there is (seccomp_cache_prepare, kernel/seccomp.c), which takes 1 ms with such a chain, of every start and every exec; and a
call that is refused, or allowed for some arguments, goes through half of it each time. With a tree it is ten comparisons.

What a filter does with a call is found by following it for all architectures and numbers at once, until it returns or looks at something else
(an argument): `_outcomes`. The new program finds the same outcome by bisection; from there on it is the old one, instruction by instruction.
A program with anything in it that is not understood stays as it is. For the instructions see linux/filter.h and seccomp(2).
"""

from __future__ import annotations

import _struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")
    # code, jump if true, jump if false, constant
    Instruction = tuple[int, int, int, int]
    # numbers from the first to the last, both included
    Range = tuple[int, int]
    # architectures, numbers, and where the program is with these
    Outcome = tuple[list[Range], list[Range], int]

LOAD, AND, JUMP, RETURN = 0x20, 0x54, 0x05, 0x06
EQUAL, GREATER, AT_LEAST, ANY_BIT = 0x15, 0x25, 0x35, 0x45
CONDITIONS = (EQUAL, GREATER, AT_LEAST, ANY_BIT)
KNOWN = frozenset((LOAD, AND, JUMP, RETURN, *CONDITIONS))
NUMBER, ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
ALL = [(0, 0xFFFFFFFF)]
LONGEST = 4096  # instructions
NEAR = 255  # how far a comparison can jump
MOST_STEPS = 100_000


class NotUnderstood(Exception):
    """The program is left as it is."""


def as_tree(program: bytes) -> bytes:
    """Return a program (an array of sock_filter in the machine's byte order) that answers every call as `program` does, sooner."""
    if len(program) % 8:
        return program
    try:
        code = [_struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
        made = _made(code)
    except (NotUnderstood, IndexError):
        return program
    return b"".join(_struct.pack("=HBBI", *each) for each in made)


def _made(code: list[Instruction]) -> list[Instruction]:
    if any(each[0] not in KNOWN for each in code):
        raise NotUnderstood
    outcomes = _outcomes(code)
    places = sorted({place for _, _, place in outcomes if code[place][0] != RETURN})
    rest, moved = _rest(code, places)
    # where the rest begins is known once the length of what comes before is
    before = _search(code, outcomes, dict.fromkeys(places, 0), 0)
    before = _search(code, outcomes, moved, len(before))
    if len(before) + len(rest) > LONGEST:
        raise NotUnderstood
    return before + rest


def _outcomes(code: list[Instruction]) -> list[Outcome]:
    """Return where the program is, for each architecture and number, when it first returns or loads something else than these two."""
    found = []
    waiting: list[tuple[int, int, list[Range], list[Range]]] = [(0, -1, ALL, ALL)]
    steps = 0
    while waiting:
        place, held, architectures, numbers = waiting.pop()
        taken: set[int] = set()  # single numbers that have gone another way
        while architectures and numbers:
            steps += 1
            if steps > MOST_STEPS:
                raise NotUnderstood
            kind, if_true, if_false, value = code[place]
            if kind == EQUAL and held == NUMBER:
                if value not in taken and any(first <= value <= last for first, last in numbers):
                    taken.add(value)
                    waiting.append((place + 1 + if_true, held, architectures, [(value, value)]))
                place += 1 + if_false
                continue
            numbers, taken = _without(numbers, taken), set()
            if not numbers:
                break
            if kind == RETURN or (kind == LOAD and value not in (NUMBER, ARCHITECTURE)):
                found.append((architectures, numbers, place))
                break
            place += 1
            if kind == LOAD:
                held = value
            elif kind == JUMP:
                place += value
            elif kind in CONDITIONS and held == NUMBER:
                true, numbers = _split(numbers, kind, value)
                waiting.append((place + if_true, held, architectures, true))
                place += if_false
            elif kind in CONDITIONS and held == ARCHITECTURE:
                true, architectures = _split(architectures, kind, value)
                waiting.append((place + if_true, held, true, numbers))
                place += if_false
            else:
                raise NotUnderstood
    return found


def _without(ranges: list[Range], taken: set[int]) -> list[Range]:
    """Return the ranges without some numbers."""
    left = []
    for first, last in ranges:
        for number in sorted(each for each in taken if first <= each <= last):
            if first < number:
                left.append((first, number - 1))
            first = number + 1
        if first <= last:
            left.append((first, last))
    return left


def _split(ranges: list[Range], kind: int, value: int) -> tuple[list[Range], list[Range]]:
    """Return those for which a comparison is true, and the others."""
    if kind == EQUAL:
        low, high = value, value
    elif kind == GREATER:
        low, high = value + 1, ALL[0][1]
    elif kind == AT_LEAST:
        low, high = value, ALL[0][1]
    else:
        raise NotUnderstood
    true, false = [], []
    for first, last in ranges:
        if first < low:
            false.append((first, min(last, low - 1)))
        if max(first, low) <= min(last, high):
            true.append((max(first, low), min(last, high)))
        if last > high:
            false.append((max(first, high + 1), last))
    return true, false


def _rest(code: list[Instruction], places: list[int]) -> tuple[list[Instruction], dict[int, int]]:
    """Return what can be reached from `places`, in its order, and where each of these is there."""
    reached: set[int] = set()
    waiting = list(places)
    while waiting:
        place = waiting.pop()
        if place not in reached:
            reached.add(place)
            waiting += _next(code, place)
    order = sorted(reached)
    moved = {place: index for index, place in enumerate(order)}
    made = []
    for index, place in enumerate(order):
        kind, _, _, value = code[place]
        targets = [moved[target] - index - 1 for target in _next(code, place)]
        if kind in CONDITIONS:
            made.append((kind, targets[0], targets[1], value))
        else:
            made.append((kind, 0, 0, targets[0] if kind == JUMP else value))
    return made, {place: moved[place] for place in places}


def _next(code: list[Instruction], place: int) -> list[int]:
    kind, if_true, if_false, value = code[place]
    if kind == RETURN:
        return []
    if kind == JUMP:
        return [place + 1 + value]
    return [place + 1 + if_true, place + 1 + if_false] if kind in CONDITIONS else [place + 1]


def _search(code: list[Instruction], outcomes: list[Outcome], moved: dict[int, int], length: int) -> list[Instruction]:
    """Return the bisections: by architecture, in each of them by number. The rest begins at `length`."""
    cuts = sorted({first for architectures, _, _ in outcomes for first, _ in architectures})
    tables: list[tuple[int, list[tuple[int, int]]]] = []
    for cut in cuts:
        table = _table(code, outcomes, cut)
        if not tables or tables[-1][1] != table:
            tables.append((cut, table))

    def leaf(place: int, at: int) -> list[Instruction]:
        return [code[place] if code[place][0] == RETURN else (JUMP, 0, 0, length + moved[place] - at - 1)]

    def by_number(table: list[tuple[int, int]], at: int) -> list[Instruction]:
        return [(LOAD, 0, 0, NUMBER), *_bisected(table, at + 1, leaf)]

    return [(LOAD, 0, 0, ARCHITECTURE), *_bisected(tables, 1, by_number)]


def _table(code: list[Instruction], outcomes: list[Outcome], architecture: int) -> list[tuple[int, int]]:
    """Return, for one architecture, (first number, place) of each outcome up to the next, in order."""
    rows = sorted(
        (first, place)
        for architectures, numbers, place in outcomes
        if any(low <= architecture <= high for low, high in architectures)
        for first, _ in numbers
    )
    table: list[tuple[int, int]] = []
    for first, place in rows:
        same = bool(table) and (
            table[-1][1] == place or (code[place][0] == RETURN and code[table[-1][1]] == code[place])
        )
        if not same:
            table.append((first, place))
    return table


def _bisected(rows: list[tuple[int, T]], at: int, leaf: Callable[[T, int], list[Instruction]]) -> list[Instruction]:
    """Return the program at `at` that finds the last row whose first number is not above the loaded one."""
    if len(rows) == 1:
        return leaf(rows[0][1], at)
    middle = len(rows) // 2
    lower = _bisected(rows[:middle], at + 1, leaf)
    if len(lower) <= NEAR:
        head = [(AT_LEAST, len(lower), 0, rows[middle][0])]
    else:
        lower = _bisected(rows[:middle], at + 2, leaf)
        head = [(AT_LEAST, 0, 1, rows[middle][0]), (JUMP, 0, 0, len(lower))]
    return [*head, *lower, *_bisected(rows[middle:], at + len(head) + len(lower), leaf)]
