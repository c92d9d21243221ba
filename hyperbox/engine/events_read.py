"""Reading events back and following them; see `events` for the file.

The end of a container whose monitor was killed is written by nobody: who follows events watches the monitors, and brings such a container to
its end itself, see `recovery`.
"""

from __future__ import annotations

import os
import select
import time

from hyperbox import files
from hyperbox.engine.state import monitor_is_alive, notice_end, read_container
from hyperbox.errors import InvalidParameter, NotFound
from hyperbox.image.moments import to_moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hyperbox.engine.state import Roots

    Json = dict[str, object]
    Filters = dict[str, list[str]]

KINDS = ("container", "image", "network", "volume", "plugin", "daemon", "service", "node", "secret", "config")

BLOCK = 1 << 16
# writers take the time before they write, so that lines are in order but for this many seconds
DISORDER = 2.0
# who follows events for a shorter time looks at the containers himself then
WATCHING_SECONDS = 2.0
# monitors that are watched at once: each takes a descriptor, of which a process may have 1024 as a rule
WATCHED = 500


def read_events(roots: Roots, since: str, until: str, filters: Filters) -> Iterator[Json]:
    """Yield the events from `since` (past ones only where it is given), then new ones until `until`; for ever without it."""
    present = time.time()
    try:
        first = to_moment(since, present) if since else present
        last = to_moment(until, present) if until else None
    except ValueError as error:
        raise InvalidParameter(str(error)) from None
    return follow(roots, (first, last), filters, past=bool(since))


def follow(roots: Roots, span: tuple[float, float | None], filters: Filters, *, past: bool) -> Iterator[Json]:
    """Yield the events in `span` (seconds of the epoch) that pass the filters."""
    from hyperbox.kernel import inotify

    first, last = span
    path = f"{roots.run}/events"
    changes = inotify.watch(roots.run, inotify.MODIFY | inotify.CREATE | inotify.MOVED)
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    watch = MonitorWatch(roots, filters, changes)
    try:
        if past:
            begin = position_before(descriptor, first)
            if begin == 0:
                yield from selected(older(path), first, last, filters)
            os.lseek(descriptor, begin, os.SEEK_SET)
        else:
            os.lseek(descriptor, 0, os.SEEK_END)
        while True:
            yield from selected(new_lines(descriptor), first, last, filters, watch)
            left = None if last is None else last - time.time()
            if left is not None and left <= 0:
                return
            descriptor = replaced(path, descriptor)
            watch.wait(left)
    finally:
        os.close(descriptor)
        watch.close()


class MonitorWatch:
    """Waits for new events, and for the ends of the monitors whose containers' events pass the filters."""

    def __init__(self, roots: Roots, filters: Filters, changes: int) -> None:
        self._roots = roots
        self._filters = {key: values for key, values in filters.items() if key != "event"}
        self._changes = changes
        self._poller = select.poll()
        self._poller.register(changes, select.POLLIN)
        self._monitors: dict[int, str] = {}
        self._begun = "container" not in filters.get("type", ["container"])

    def wait(self, seconds: float | None) -> None:
        """Return once there may be new events, or after some seconds."""
        if not self._begun and (seconds is None or seconds > WATCHING_SECONDS):
            self._begun = True
            for container_id in self._meant():
                self._add(container_id)
        for descriptor, _ in self._poller.poll(None if seconds is None else seconds * 1000):
            if descriptor == self._changes:
                os.read(descriptor, 65536)
            else:
                self._ended(descriptor)

    def heard(self, event: Json) -> None:
        """Watch the monitor of a container that has been started."""
        if self._begun and event.get("status") == "start" and passes(event, self._filters):
            self._add(str(event["id"]))

    def _meant(self) -> list[str]:
        """Return the ids of the containers to look at: those that the filters name, or all that have a monitor."""
        named = self._filters.get("container")
        if named and all(len(name) == 64 for name in named):
            return named
        try:
            return os.listdir(f"{self._roots.run}/containers")
        except FileNotFoundError:
            return []

    def _add(self, container_id: str) -> None:
        from hyperbox.engine.events import of_container

        if len(self._monitors) >= WATCHED:
            return
        try:
            container = read_container(self._roots, container_id)
        except NotFound:
            return
        monitor = container.state["Monitor"]
        assert isinstance(monitor, int)
        if not container.running or not passes(of_container("die", container).record(0), self._filters):
            return
        try:
            descriptor = os.pidfd_open(monitor)
        except OSError:
            descriptor = -1
        if descriptor < 0 or not monitor_is_alive(container):
            notice_end(self._roots, container_id)
        if descriptor >= 0:
            self._monitors[descriptor] = container_id
            self._poller.register(descriptor, select.POLLIN)

    def _ended(self, descriptor: int) -> None:
        self._poller.unregister(descriptor)
        os.close(descriptor)
        notice_end(self._roots, self._monitors.pop(descriptor))

    def close(self) -> None:
        """Wait no longer."""
        for descriptor in (self._changes, *self._monitors):
            os.close(descriptor)


def position_before(descriptor: int, moment: float) -> int:
    """Return where in the file to begin to read so that no event since `moment` is missed: at a line's start, 0 where that is uncertain.

    Whoever waits for a container reads the end of a file of megabytes.
    """
    position = os.lseek(descriptor, 0, os.SEEK_END)
    while position > BLOCK:
        position -= BLOCK
        data = os.pread(descriptor, BLOCK, position)
        start = data.find(b"\n") + 1
        line = data[start : data.find(b"\n", start)] if start else b""
        digits = line.rpartition(b'"timeNano":')[2].rstrip(b"}")
        if digits.isdigit() and int(digits) / 1e9 < moment - DISORDER:
            return position + start
    return 0


def replaced(path: str, descriptor: int) -> int:
    """Return a descriptor of the present file where a new one was begun."""
    try:
        if os.stat(path).st_ino == os.fstat(descriptor).st_ino:
            return descriptor
        fresh = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return descriptor
    os.close(descriptor)
    return fresh


def older(path: str) -> Iterator[bytes]:
    """Yield the lines of the file before the present one."""
    try:
        with open(f"{path}.1", "rb") as file:
            yield from file
    except FileNotFoundError:
        return


def new_lines(descriptor: int) -> Iterator[bytes]:
    """Yield whole lines from where the descriptor stands, which is left behind the last of them."""
    from hyperbox.engine.logs import whole_lines

    return whole_lines(descriptor)


def selected(
    lines: Iterator[bytes], first: float, last: float | None, filters: Filters, watch: MonitorWatch | None = None
) -> Iterator[Json]:
    """Yield the events in the span that pass the filters; `watch` hears of all."""
    for line in lines:
        try:
            event = files.loads(line.decode("utf-8", "surrogateescape"))
        except ValueError:
            continue
        if not isinstance(event, dict):
            continue
        if watch is not None:
            watch.heard(event)
        moment = event["timeNano"]
        assert isinstance(moment, int)
        if moment / 1e9 < first or (last is not None and moment / 1e9 > last):
            continue
        if passes(event, filters):
            yield event


def passes(event: Json, filters: Filters) -> bool:
    """Return whether an event passes: OR within a key, AND across keys; labels must all be there."""
    actor = event["Actor"]
    assert isinstance(actor, dict)
    attributes = actor["Attributes"]
    kind = str(event["Type"])
    for key, values in filters.items():
        if key == "label":
            if not all(has_label(attributes, value) for value in values):
                return False
        elif key == "event":
            action = str(event["Action"])
            if not any(action == value or action.partition(":")[0] == value for value in values):
                return False
        elif key == "type":
            if kind not in values:
                return False
        elif key == "scope":
            if event["scope"] not in values:
                return False
        elif key in KINDS:
            names = (
                str(actor["ID"]),
                attributes.get("name", ""),
                attributes.get("image", "") if key == "image" else "",
            )
            matches = any(value and any(name.startswith(value) for name in names) for value in values)
            if not matches or (key == "image" and kind not in ("image", "container")):
                return False  # an event of another kind passes by its name, as docker has it
    return True  # a key that there is not is passed over, as docker does


def has_label(attributes: Json, text: str) -> bool:
    """Return whether "KEY" or "KEY=VALUE" is among an event's attributes."""
    key, separator, value = text.partition("=")
    return key in attributes and (not separator or attributes[key] == value)
