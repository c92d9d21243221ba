import _socket
import os
import random
import tracemalloc
from pathlib import Path

from hyperbox.engine.log_options import LogOptions
from hyperbox.engine.monitor_log import LogWriter
from hyperbox.engine.monitor_loop import Loop
from hyperbox.engine.monitor_streams import HELD_BYTES, Client, Stdio, Streams


class Setting:
    """A process's pipes as a monitor has them, and one attached client."""

    def __init__(self, *, stdin: bool = True, stdin_once: bool = True) -> None:
        self.loop = Loop()
        self.in_read, in_write = os.pipe()
        out_read, self.out_write = os.pipe()
        err_read, self.err_write = os.pipe()
        self.streams = Streams(self.loop, None, stdin_once=stdin_once)
        self.client, monitors = _socket.socketpair()
        self.streams.add(Client(monitors, stdin=stdin, stdout=True, stderr=True))
        self.streams.begin(Stdio(in_write, out_read, err_read, tty=False))

    def turn(self, seconds: float = 0.05) -> None:
        self.loop.after(seconds, self.loop.stop)
        self.loop.run()


def test_output_reaches_the_client_framed_by_stream() -> None:
    setting = Setting()
    os.write(setting.out_write, b"out")
    setting.turn()
    os.write(setting.err_write, b"err")
    setting.turn()
    assert setting.client.recv(100) == b"\1\0\0\0\0\0\0\3out\2\0\0\0\0\0\0\3err"


def test_a_client_that_does_not_read_stops_the_reading_and_bounds_the_memory() -> None:
    setting = Setting()
    os.set_blocking(setting.out_write, False)
    written = 0
    for _ in range(400):
        try:
            written += os.write(setting.out_write, b"x" * 65536)
        except BlockingIOError:
            setting.turn(0.001)
    assert written < HELD_BYTES + (4 << 20)
    received = 0
    setting.client.setblocking(False)
    for _ in range(2000):
        try:
            received += len(setting.client.recv(1 << 20))
        except BlockingIOError:
            setting.turn(0.001)
            if received >= written:
                break
    assert received > written


def test_much_output_of_no_text_takes_little_memory_on_its_way_to_log_and_client(tmp_path: Path) -> None:
    setting = Setting()
    setting.streams.log = LogWriter(str(tmp_path / "log"), LogOptions("json-file", 0, 1, compress=False))
    os.set_blocking(setting.out_write, False)
    setting.client.setblocking(False)
    block = random.Random(1).randbytes(1 << 20)
    tracemalloc.start()
    written = received = 0
    buffer = bytearray(1 << 20)
    while received < 6 << 20:
        try:
            written += os.write(setting.out_write, block)
        except BlockingIOError:
            setting.turn(0.001)
        try:
            received += setting.client.recv_into(buffer)
        except BlockingIOError:
            setting.turn(0.001)
    peak = tracemalloc.get_traced_memory()[1] - len(buffer)
    tracemalloc.stop()
    assert written >= 6 << 20
    assert peak < 3 << 20


def test_input_goes_to_the_process_and_half_closing_ends_it() -> None:
    setting = Setting()
    setting.client.send(b"typed")
    setting.turn()
    assert os.read(setting.in_read, 100) == b"typed"
    setting.client.shutdown(_socket.SHUT_WR)
    setting.turn()
    assert os.read(setting.in_read, 100) == b""
    os.write(setting.out_write, b"still")
    setting.turn()
    assert setting.client.recv(100).endswith(b"still")


def test_input_that_is_not_to_end_with_its_client_stays_open() -> None:
    setting = Setting(stdin_once=False)
    setting.client.shutdown(_socket.SHUT_WR)
    setting.turn()
    os.set_blocking(setting.in_read, False)
    try:
        assert os.read(setting.in_read, 1) != b""
    except BlockingIOError:
        pass


def test_more_input_than_the_pipe_takes_arrives_whole() -> None:
    setting = Setting()
    data = os.urandom(300_000)
    setting.client.setblocking(False)
    sent, received = 0, b""
    os.set_blocking(setting.in_read, False)
    for _ in range(1000):
        if sent < len(data):
            try:
                sent += setting.client.send(data[sent:])
            except BlockingIOError:
                pass
        setting.turn(0.001)
        try:
            received += os.read(setting.in_read, 1 << 20)
        except BlockingIOError:
            pass
        if len(received) == len(data):
            break
    assert received == data


def test_the_end_waits_for_all_output_and_for_its_delivery() -> None:
    setting = Setting()
    done: list[str] = []
    os.write(setting.out_write, b"last words")
    os.close(setting.out_write)
    os.close(setting.err_write)
    setting.streams.finish(lambda: done.append("ended"))
    setting.turn()
    setting.streams.when_delivered(lambda: done.append("delivered"))
    setting.turn()
    assert done == ["ended", "delivered"]
    assert setting.client.recv(100).endswith(b"last words")
    assert setting.client.recv(100) == b""


def test_a_client_that_goes_is_forgotten() -> None:
    setting = Setting()
    setting.client.close()
    for _ in range(3):
        os.write(setting.out_write, b"x")
        setting.turn()
    done: list[str] = []
    setting.streams.when_delivered(lambda: done.append("delivered"))
    assert done == ["delivered"]
