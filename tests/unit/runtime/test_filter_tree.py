"""A filter that was made a tree answers every call as the chain did, in few steps; what is not understood stays as it is."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from hyperbox.runtime import filter_tree
from hyperbox.runtime.filter_tree import AND, ANY_BIT, AT_LEAST, EQUAL, GREATER, JUMP, LOAD, RETURN, as_tree

Instruction = tuple[int, int, int, int]
AMD64, I386, ARM64 = 0xC000003E, 0x40000003, 0xC00000B7
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x50001, 0
EDGES = [0, 1, 2, 5, 299, 300, 599, 600, 0x3FFFFFFF, 0x40000000, 0x40000005, 0x80000000, 0xFFFFFFFF]


def packed(code: list[Instruction]) -> bytes:
    return b"".join(struct.pack("=HBBI", *each) for each in code)


def answer(program: bytes, call: dict[int, int]) -> tuple[int, int]:
    """Run a program as the kernel does: its answer, and the number of steps. `call`: offset in seccomp_data -> 32 bits."""
    code = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    place = held = steps = 0
    while True:
        kind, if_true, if_false, value = code[place]
        place += 1
        steps += 1
        if kind == LOAD:
            held = call.get(value, 0)
        elif kind == AND:
            held &= value
        elif kind == JUMP:
            place += value
        elif kind == RETURN:
            return value, steps
        else:
            true = {EQUAL: held == value, GREATER: held > value, AT_LEAST: held >= value, ANY_BIT: bool(held & value)}
            place += if_true if true[kind] else if_false


def chain(count: int) -> bytes:
    """A filter as libseccomp writes one: an architecture, then number after number, some of them with a look at an argument."""
    code: list[Instruction] = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, AMD64), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    code += [(AT_LEAST, 0, 1, 0x40000000), (RETURN, 0, 0, REFUSE)]
    for number in range(count):
        if number % 3 == 0:
            code += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
        elif number % 50 == 1:
            code += [(EQUAL, 0, 5, number), (LOAD, 0, 0, 16), (AND, 0, 0, 0xFF00), (EQUAL, 0, 1, 0x1200)]
            code += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
    return packed([*code, (RETURN, 0, 0, REFUSE)])


def test_a_chain_is_answered_alike_in_few_steps() -> None:
    before = chain(600)
    after = as_tree(before)
    most = 0
    for architecture in (AMD64, I386, 0, AMD64 - 1, AMD64 + 1, 0xFFFFFFFF):
        for number in [*range(610), *EDGES]:
            for argument in (0, 0x1200, 0xFF12FF, 0xFFFFFFFF):
                call = {0: number, 4: architecture, 16: argument}
                told, steps = answer(after, call)
                assert told == answer(before, call)[0], call
                most = max(most, steps)
    assert most <= 25
    assert len(after) < 2 * len(before)


def test_far_jumps_are_jumped_in_two() -> None:
    """A comparison jumps over 255 instructions at most, and the halves of a long chain are longer."""
    before = chain(1500)
    after = as_tree(before)
    assert after != before
    for number in range(1500):
        call = {0: number, 4: AMD64, 16: 0x1200}
        assert answer(after, call)[0] == answer(before, call)[0]


@pytest.mark.parametrize(
    "code",
    [
        [(0x28, 0, 0, 0), (RETURN, 0, 0, ALLOW)],  # a load of half a word
        [(LOAD, 0, 0, 0), (0x02, 0, 0, 1), (RETURN, 0, 0, ALLOW)],  # a store
        [(LOAD, 0, 0, 0), (AND, 0, 0, 1), (EQUAL, 0, 0, 1), (RETURN, 0, 0, ALLOW)],  # arithmetic with the number
        [(LOAD, 0, 0, 0), (ANY_BIT, 0, 0, 6), (RETURN, 0, 0, ALLOW)],
        [(EQUAL, 0, 0, 6), (RETURN, 0, 0, ALLOW)],  # a comparison with nothing
        [(LOAD, 0, 0, 0), (EQUAL, 9, 0, 1), (RETURN, 0, 0, ALLOW)],  # a jump beyond the end
        [],
    ],
)
def test_what_is_not_understood_stays(code: list[Instruction]) -> None:
    assert as_tree(packed(code)) == packed(code)


def test_a_program_that_would_be_too_long_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    before = chain(600)
    monkeypatch.setattr(filter_tree, "LONGEST", 100)
    assert as_tree(before) == before
    monkeypatch.setattr(filter_tree, "LONGEST", 4096)
    monkeypatch.setattr(filter_tree, "MOST_STEPS", 100)
    assert as_tree(before) == before
    assert as_tree(before + b"1234") == before + b"1234"


VALUES = some.sampled_from([*EDGES, AMD64, I386, ARM64])
INSTRUCTION = some.one_of(
    some.tuples(some.just(LOAD), some.just(0), some.just(0), some.sampled_from([0, 0, 4, 16, 20])),
    some.tuples(some.sampled_from([EQUAL, EQUAL, GREATER, AT_LEAST]), some.integers(0, 4), some.integers(0, 4), VALUES),
    some.tuples(some.just(JUMP), some.just(0), some.just(0), some.integers(0, 3)),
    some.tuples(some.just(RETURN), some.just(0), some.just(0), some.sampled_from([ALLOW, REFUSE, KILL])),
)
CALL = some.fixed_dictionaries({0: VALUES, 4: VALUES, 16: VALUES, 20: VALUES})


@settings(max_examples=300, deadline=None)
@given(some.lists(INSTRUCTION, max_size=30), some.lists(CALL, min_size=1, max_size=20))
def test_any_program_is_answered_alike(code: list[Instruction], calls: list[dict[int, int]]) -> None:
    whole = [(LOAD, 0, 0, 4), *code, *[(RETURN, 0, 0, REFUSE)] * 6]  # no jump leads beyond the end
    before = packed(whole)
    after = as_tree(before)
    for call in calls:
        for number in (call[0], (call[0] + 1) & 0xFFFFFFFF, (call[0] - 1) & 0xFFFFFFFF):
            assert answer(after, {**call, 0: number})[0] == answer(before, {**call, 0: number})[0]
