"""`docker stats`: what containers use, once or again and again."""

from __future__ import annotations

import sys
import time

from hyperbox.cli.connect import engine_for
from hyperbox.cli.container_list import number
from hyperbox.cli.output import short_id
from hyperbox.cli.output_list import Listing, configured_format, text_of
from hyperbox.errors import EngineError
from hyperbox.go.units import bytes_size, human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hyperbox.engine.api import Engine, Filters
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

HEADERS = {
    "Container": "CONTAINER",
    "ID": "CONTAINER ID",
    "Name": "NAME",
    "CPUPerc": "CPU %",
    "MemUsage": "MEM USAGE / LIMIT",
    "MemPerc": "MEM %",
    "NetIO": "NET I/O",
    "BlockIO": "BLOCK I/O",
    "PIDs": "PIDS",
}
COLUMNS = ("ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs")
SAMPLE_SECONDS = 0.5
NOTHING = "--"


class Usage:
    """One line: a container and its figures; `sample` is None where there is none."""

    __slots__ = ("asked", "before", "identifier", "name", "sample")

    def __init__(self, asked: str, identifier: str, name: str, before: Json | None, sample: Json | None) -> None:
        self.asked = asked
        self.identifier = identifier
        self.name = name
        self.before = before
        self.sample = sample


def _part(value: object, *keys: str) -> Json:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def cpu_percent(before: Json | None, sample: Json) -> float:
    """Return the share of one CPU used between two samples, in per cent; a sample with precpu_stats is compared with those."""
    old = _part(sample, "precpu_stats")
    if not number(old, "system_cpu_usage"):
        old = _part(before, "cpu_stats")
    new = _part(sample, "cpu_stats")
    used = number(_part(new, "cpu_usage"), "total_usage") - number(_part(old, "cpu_usage"), "total_usage")
    system = number(new, "system_cpu_usage") - number(old, "system_cpu_usage")
    cpus = number(new, "online_cpus") or len(_part(new, "cpu_usage").get("percpu_usage") or [1])  # type: ignore[arg-type]
    if used <= 0 or system <= 0 or not old:
        return 0.0
    return used / system * cpus * 100.0


def memory_used(sample: Json) -> int:
    """Return the memory in use without the inactive page cache, as docker shows it (cgroup v1 and v2)."""
    memory = _part(sample, "memory_stats")
    usage = number(memory, "usage")
    stats = _part(memory, "stats")
    for key in ("total_inactive_file", "inactive_file"):
        if key in stats:
            cache = number(stats, key)
            return usage - cache if cache < usage else usage
    return usage


def network_bytes(sample: Json) -> tuple[int, int]:
    """Return the bytes received and sent by all interfaces."""
    interfaces = [value for value in _part(sample, "networks").values() if isinstance(value, dict)]
    return sum(number(one, "rx_bytes") for one in interfaces), sum(number(one, "tx_bytes") for one in interfaces)


def block_bytes(sample: Json) -> tuple[int, int]:
    """Return the bytes read and written on all devices."""
    entries = _part(sample, "blkio_stats").get("io_service_bytes_recursive")
    read = write = 0
    for entry in entries if isinstance(entries, list) else []:
        operation = str(entry.get("op") or "")[:1].lower()
        read += number(entry, "value") if operation == "r" else 0
        write += number(entry, "value") if operation == "w" else 0
    return read, write


def _two(pair: tuple[int, int]) -> str:
    return f"{human_size(pair[0])} / {human_size(pair[1])}"


def listing(*, short: bool) -> Listing:
    """Return how the figures are shown."""

    def figure(show: Callable[[Usage, Json], str], nothing: str = NOTHING) -> Callable[[Usage], str]:
        return lambda usage: nothing if usage.sample is None else show(usage, usage.sample)

    def limit(sample: Json) -> int:
        return number(_part(sample, "memory_stats"), "limit")

    def memory_percent(sample: Json) -> float:
        return memory_used(sample) / limit(sample) * 100.0 if limit(sample) else 0.0

    both = f"{NOTHING} / {NOTHING}"
    methods: dict[str, Callable[..., object]] = {
        "Container": lambda usage: usage.asked,
        "ID": lambda usage: short_id(usage.identifier) if short else usage.identifier,
        "Name": lambda usage: usage.name or NOTHING,
        "CPUPerc": figure(lambda usage, sample: f"{cpu_percent(usage.before, sample):.2f}%"),
        "MemUsage": figure(
            lambda _usage, sample: f"{bytes_size(memory_used(sample))} / {bytes_size(limit(sample))}", both
        ),
        "MemPerc": figure(lambda _usage, sample: f"{memory_percent(sample):.2f}%"),
        "NetIO": figure(lambda _usage, sample: _two(network_bytes(sample))),
        "BlockIO": figure(lambda _usage, sample: _two(block_bytes(sample))),
        "PIDs": figure(lambda _usage, sample: str(number(_part(sample, "pids_stats"), "current"))),
    }
    return Listing("*container.statsContext", methods, HEADERS, COLUMNS)


class Watch:
    """The containers under watch (those named, or all that `filters` let through), and the sample before of each."""

    __slots__ = ("engine", "every", "filters", "names", "samples")

    def __init__(self, engine: Engine, names: Sequence[str], *, every: bool, filters: Filters | None = None) -> None:
        self.engine = engine
        self.filters = filters
        self.names = list(dict.fromkeys(names))
        self.every = every
        self.samples: dict[str, Json] = {}

    def targets(self) -> list[tuple[str, str, str]]:
        """Return (as asked for, id, name) of each container; raises NotFound for a name that is none."""
        if self.names:
            found = [self.engine.container_inspect(name) for name in self.names]
            return [
                (name, str(one["Id"]), str(one["Name"]).removeprefix("/"))
                for name, one in zip(self.names, found, strict=True)
            ]
        listed = self.engine.container_list(all=self.every, filters=self.filters)
        return [(str(one["Id"]), str(one["Id"]), _first_name(one)) for one in reversed(listed)]

    def sample(self) -> list[Usage]:
        """Return the figures of now."""
        output = []
        for asked, identifier, name in self.targets():
            try:
                sample = self.engine.container_stats(identifier)
            except EngineError:
                sample = None
            if sample is not None:
                identifier, name = (
                    str(sample.get("id") or identifier),
                    str(sample.get("name") or name).removeprefix("/"),
                )
            output.append(Usage(asked, identifier, name, self.samples.get(identifier), sample))
            if sample is not None:
                self.samples[identifier] = sample
        return output


def _first_name(container: Json) -> str:
    names = container.get("Names")
    return str(names[0]).removeprefix("/") if isinstance(names, list) and names else ""


def stats(invocation: Invocation) -> int:
    """docker stats [CONTAINER…]"""
    return stats_of(invocation, None)


def stats_of(invocation: Invocation, filters: Filters | None) -> int:
    """Show what containers use: of those named, or of all that `filters` let through."""
    flags = invocation.flags
    template = configured_format(invocation, "statsFormat")
    shown = listing(short=not flags["no-trunc"])
    watch = Watch(engine_for(invocation), invocation.arguments, every=bool(flags["all"]), filters=filters)
    first = watch.sample()
    if any(_part(usage.sample, "cpu_stats") for usage in first):
        time.sleep(SAMPLE_SECONDS)
    if flags["no-stream"]:
        sys.stdout.write(text_of(shown, watch.sample(), template))
        return 0
    while True:
        usages = watch.sample()
        text = text_of(shown, usages, template)
        # as docker does it: the cursor goes home, and all is written once more, each line cleared to its end, and what was below it too
        text = f"\x1b[H{text}"
        sys.stdout.write(text + "".join(f"{line} \x1b[K\n" for line in text.split("\n")) + "\x1b[J")
        sys.stdout.flush()
        if invocation.arguments and all(usage.sample is None for usage in usages):
            return 0
        time.sleep(SAMPLE_SECONDS)
