"""Work on one piece of content is done by one process at a time."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from hyperbox.image.content_lock import ContentLock


def test_one_content_is_one_process_work_at_a_time_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        with ContentLock(str(tmp_path), "fetch sha256:aa"):
            os.write(writer, b".")
            time.sleep(60)
        os._exit(0)
    assert os.read(reader, 1) == b"."
    with ContentLock(str(tmp_path), "fetch sha256:bb"):
        pass
    begun = time.monotonic()
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    with ContentLock(str(tmp_path), "fetch sha256:aa", stop):
        assert time.monotonic() - begun >= 0.2
    threading.Timer(0.2, os.kill, (pid, 9)).start()
    begun = time.monotonic()
    with ContentLock(str(tmp_path), "fetch sha256:aa"):
        assert 0.15 <= time.monotonic() - begun < 20
    os.waitpid(pid, 0)


def test_threads_of_one_process_wait_for_each_other_as_well(tmp_path: Path) -> None:
    together = []
    inside = threading.Lock()

    def work() -> None:
        with ContentLock(str(tmp_path), "x"):
            together.append(inside.acquire(blocking=False))
            time.sleep(0.02)
            inside.release()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [True] * 4
