"""The one loop of a monitor: descriptors, timers and ended children; nothing here knows what they are for.

A monitor is one thread. Whatever may block is watched here instead; poll(2), signalfd's older brother: a wake-up pipe for SIGCHLD.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    OnReady = Callable[[int], None]
    OnTime = Callable[[], None]
    OnExit = Callable[[int], None]

READ = select.POLLIN
WRITE = select.POLLOUT
GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Timer:
    """Something to do at a time of the monotonic clock, once; `cancel` it and nothing happens."""

    __slots__ = ("action", "when")

    def __init__(self, when: float, action: OnTime) -> None:
        self.when = when
        self.action: OnTime | None = action

    def cancel(self) -> None:
        self.action = None


class Loop:
    """Calls back when a descriptor is ready, a time has come or a child has ended, until `stop`."""

    __slots__ = (
        *("_children", "_due", "_handlers", "_poller", "_running", "_timers", "_wake_read", "_wake_write"),
        *("strays", "touched"),
    )

    def __init__(self) -> None:
        self._poller = select.poll()
        self._handlers: dict[int, OnReady] = {}
        self._timers: list[Timer] = []
        # timers whose time has come and that are called one after the other
        self._due: list[Timer] = []
        self._children: dict[int, OnExit] = {}
        self._running = False
        # when a descriptor was ready last, by the monotonic clock
        self.touched = time.monotonic()
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        # children that ended before anybody asked for them: pid -> status
        self.strays: dict[int, int] = {}

    def catch_children(self) -> None:
        """Learn of ended children from now on, by SIGCHLD."""
        _signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        _signal.signal(_signal.SIGCHLD, lambda _number, _frame: None)
        self.watch(self._wake_read, READ, self._woken)
        self.after(0, self.reap)  # those that ended before

    def watch(self, descriptor: int, events: int, handler: OnReady) -> None:
        """Call `handler(events)` whenever `descriptor` is ready for one of `events` (or has gone); replaces an earlier watch."""
        self._handlers[descriptor] = handler
        self._poller.register(descriptor, events)

    def unwatch(self, descriptor: int) -> None:
        """Watch a descriptor no longer; not watched is no error."""
        if self._handlers.pop(descriptor, None) is not None:
            self._poller.unregister(descriptor)

    def after(self, seconds: float, action: OnTime) -> Timer:
        """Call `action` once, `seconds` from now."""
        timer = Timer(time.monotonic() + seconds, action)
        self._timers.append(timer)
        return timer

    def on_exit(self, pid: int, action: OnExit) -> None:
        """Call `action(status)`, a waitpid status, when the child `pid` has ended; at once if it has already."""
        status = self.strays.pop(pid, None)
        if status is not None:
            self.after(0, lambda: action(status))
        else:
            self._children[pid] = action

    def waits_only_for(self, descriptors: set[int], child: int, only: Timer | None = None) -> bool:
        """Return whether nothing but `descriptors`, all of them for reading, the end of `child` and the timer `only` can call back any more."""
        watched = set(self._handlers) - {self._wake_read}
        timers = any(timer.action is not None and timer is not only for timer in (*self._timers, *self._due))
        return watched == descriptors and not timers and set(self._children) == {child}

    def own_descriptors(self) -> set[int]:
        """Return the descriptors that are the loop's alone."""
        return {self._wake_read, self._wake_write}

    def stop(self) -> None:
        """Leave `run` after the present callbacks."""
        self._running = False

    def run(self) -> None:
        """Serve until `stop`."""
        self._running = True
        while self._running:
            for descriptor, events in self._poller.poll(self._patience()):
                handler = self._handlers.get(descriptor)
                if handler is not None and self._running:
                    self.touched = time.monotonic()
                    handler(events)
            if self._timers:
                self._run_timers()

    def _patience(self) -> float | None:
        times = [timer.when for timer in self._timers if timer.action is not None]
        if not times:
            return None
        return max(0.0, (min(times) - time.monotonic()) * 1000 + 0.5)

    def _run_timers(self) -> None:
        present = time.monotonic()
        self._due = [timer for timer in self._timers if timer.when <= present]
        self._timers = [timer for timer in self._timers if timer.when > present and timer.action is not None]
        for timer in self._due:
            action, timer.action = timer.action, None
            if action is not None:
                action()
        self._due = []

    def _woken(self, _events: int) -> None:
        try:
            os.read(self._wake_read, 512)
        except BlockingIOError:
            pass
        self.reap()

    def reap(self) -> None:
        """Collect every child that has ended and tell whoever asked."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            action = self._children.pop(pid, None)
            if action is None:
                self.strays[pid] = status
                if len(self.strays) > 64:
                    self.strays.pop(next(iter(self.strays)))
            else:
                action(status)
