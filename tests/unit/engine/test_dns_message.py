"""DNS messages: questions read, answers written, rubbish survived."""

from __future__ import annotations

import random

from hyperbox.engine import dns_message


def query(name: str, kind: int = 1) -> bytes:
    return b"\x12\x34\x01\0\0\1\0\0\0\0\0\0" + dns_message.encode_name(name) + kind.to_bytes(2, "big") + b"\0\1"


def test_a_question_is_read() -> None:
    question = dns_message.parse_question(query("web.shop", 28))
    assert question is not None
    assert (question.name, question.kind) == ("web.shop", 28)


def test_an_answer_repeats_the_number_and_the_question() -> None:
    data = query("web")
    question = dns_message.parse_question(data)
    assert question is not None
    answer = dns_message.reply(data, question, [b"\x0a\x59\0\2"], limit=512)
    assert answer[:2] == b"\x12\x34"
    assert answer[2:4] == b"\x81\x80"
    assert answer[4:8] == b"\0\1\0\1"
    assert answer.endswith(b"\0\4\x0a\x59\0\2")


def test_a_long_answer_is_cut_and_says_so() -> None:
    data = query("web")
    question = dns_message.parse_question(data)
    assert question is not None
    answer = dns_message.reply(data, question, [b"\1\2\3\4"] * 100, limit=512)
    assert len(answer) <= 512
    assert answer[2] & 2


def test_addresses_are_read_back_from_reverse_names() -> None:
    assert dns_message.reverse_address("2.0.89.10.in-addr.arpa") == "10.89.0.2"
    reverse = ".".join(reversed("fd00" + "0" * 27 + "2")) + ".ip6.arpa"
    assert dns_message.reverse_address(reverse) == "fd00::2"
    assert dns_message.reverse_address("x.in-addr.arpa") == dns_message.reverse_address("zz.ip6.arpa") == ""


def test_nothing_that_arrives_raises() -> None:
    source = random.Random(1)
    valid = query("some.name.example")
    for _ in range(3000):
        data = bytearray(valid if source.random() < 0.7 else source.randbytes(source.randrange(80)))
        for _ in range(source.randrange(6)):
            if data:
                data[source.randrange(len(data))] = source.randrange(256)
        message = bytes(data[: source.randrange(len(data) + 1)])
        question = dns_message.parse_question(message)
        if question is not None:
            dns_message.reply(message, question, [b"1234"], limit=dns_message.size_limit(message))
            dns_message.reverse_address(question.name)
        if len(message) >= 12:
            dns_message.failure(message, 2)
