import _socket

import pytest

from hyperbox.engine import control
from hyperbox.engine.attach import DetachKeys, StreamAttachment, key_bytes
from hyperbox.errors import InvalidParameter


def test_keys_are_read_as_docker_reads_them() -> None:
    assert key_bytes("") == b"\x10\x11"
    assert key_bytes("ctrl-a,d") == b"\x01d"
    assert key_bytes("ctrl-[") == b"\x1b"
    with pytest.raises(InvalidParameter):
        key_bytes("bogus-x")


def test_what_only_begins_the_sequence_is_held_back_and_then_sent() -> None:
    keys = DetachKeys(b"\x10\x11")
    assert keys.feed(b"ab\x10") == (b"ab", False)
    assert keys.feed(b"c") == (b"\x10c", False)
    assert keys.feed(b"\x10\x10") == (b"\x10\x10", False)  # as docker does (golden/docker/sessions, keys-first-twice)
    assert keys.feed(b"\x11\x10") == (b"\x11", False)
    assert keys.feed(b"\x11rest") == (b"", True)


def framed(stream: int, data: bytes) -> bytes:
    return bytes((stream, 0, 0, 0)) + len(data).to_bytes(4, "big") + data


def test_frames_are_taken_apart_wherever_they_are_cut() -> None:
    whole = framed(1, b"hello") + framed(2, b"err") + framed(1, b"") + framed(1, b"bye")
    for size in range(1, len(whole) + 1):
        ours, theirs = _socket.socketpair()
        attachment = StreamAttachment(ours, control.Channel(theirs), tty=False, fallback=lambda: 0)
        out = {1: b"", 2: b""}
        for start in range(0, len(whole), size):
            theirs.send(whole[start : start + size])
            for stream, data in attachment.read() or ():
                out[stream] += data
        assert out == {1: b"hellobye", 2: b"err"}


def test_the_exit_code_comes_from_the_control_channel_or_from_the_fallback() -> None:
    for told, expected in (({"exit": 7}, 7), (None, 99)):
        ours, theirs = _socket.socketpair()
        data, _ = _socket.socketpair()
        attachment = StreamAttachment(data, control.Channel(ours), tty=False, fallback=lambda: 99)
        if told:
            control.Channel(theirs).send(told)
        theirs.close()
        assert attachment.wait() == expected
