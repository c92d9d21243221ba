"""Which host port a published port gets: leases, policies, assignments.

Every project leases a range of ports (1,000 from 10000 by default: 10000-10999, 11000-11999, …; smaller ones when they run short;
never a port that the kernel gives to outgoing connections, /proc/sys/net/ipv4/ip_local_port_range), and a further one when it is full.
Policies:

    auto     the port that the file asks for, if it is free and no other project has it; otherwise `start + container_port % size`, or the
             next that is free
    range    always from the lease
    strict   what the file asks for, whatever comes of it (the engine says "port is already allocated")

`decide` and `settle` are pure but for the question `in_use`; `enrolment` and `assign` keep the answer in the project's record under the lock,
so that it is the same on every restart. A port that is not the one asked for comes back with `remapped`, and the command tells it in one line
on stderr. `release` gives ports back on `down` (the leases stay until the project is removed with `identity.forget`). Claims of projects
are kept here; whether another program holds a port is what `in_use` says.

A request's key is "SERVICE/ORDINAL/CONTAINER_PORT/PROTOCOL/N/HOST_ADDRESS"; two claims on a port meet only where their addresses do.
"""

from __future__ import annotations

from hyperbox import files
from hyperbox.errors import HyperBoxError
from hyperbox.project import identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Json = dict[str, object]
    InUse = Callable[[str, int, str], bool]

FIRST, LAST, SIZE = 10000, 65535, 1000
SIZES = (1000, 500, 200, 100, 50, 20, 10, 5, 2, 1)
# no lease takes more than this part of the ports that are left, or LEAST ports, so that hundreds of projects find one
PART, LEAST = 25, 5
POLICIES = ("auto", "range", "strict")
ANY = ("", "0.0.0.0", "::", "[::]")


class Request:
    """A port to publish: `key` names it within the project for good; `wanted` is 0 where any port will do.

    `last` is the end of the range "wanted-last" that the file offers, or 0.
    """

    __slots__ = ("address", "container_port", "key", "last", "protocol", "wanted")

    def __init__(
        self, key: str, container_port: int, wanted: int = 0, protocol: str = "tcp", address: str = "", last: int = 0
    ) -> None:
        self.key = key
        self.container_port = container_port
        self.wanted = wanted
        self.protocol = protocol
        self.address = address
        self.last = last or wanted

    def asked(self) -> str:
        """Return what the file asks for, as it is written there."""
        return f"{self.wanted}-{self.last}" if self.last > self.wanted else str(self.wanted or "")


class Assignment:
    """The host port that a request got."""

    __slots__ = ("port", "request")

    def __init__(self, request: Request, port: int) -> None:
        self.request = request
        self.port = port

    @property
    def remapped(self) -> bool:
        """Whether it is another port than the file asks for."""
        return bool(self.request.wanted) and not self.request.wanted <= self.port <= self.request.last

    def sentence(self, project: str) -> str:
        """Return the line that tells of a remap."""
        service = self.request.key.partition("/")[0]
        return f"{project}: {service} port {self.request.asked()} is taken, published on {self.port} instead"


class Lease:
    """A range of ports: the first, and how many."""

    __slots__ = ("size", "start")

    def __init__(self, start: int, size: int) -> None:
        self.start = start
        self.size = size

    def candidates(self, container_port: int) -> Iterable[int]:
        """Yield its ports, `start + container_port % size` first."""
        first = container_port % self.size
        for offset in range(self.size):
            yield self.start + (first + offset) % self.size

    def has(self, port: int) -> bool:
        """Return whether a port is one of the range."""
        return self.start <= port < self.start + self.size


class Bounds:
    """Where leases lie: the first and last port, the usual size, and the ports between that the kernel gives to outgoing connections."""

    __slots__ = ("ephemeral", "first", "last", "size")

    def __init__(
        self, first: int = FIRST, last: int = LAST, size: int = SIZE, ephemeral: tuple[int, int] | None = None
    ) -> None:
        self.first = first
        self.last = last
        self.size = size
        self.ephemeral = ephemeral_range() if ephemeral is None else ephemeral


class Full(HyperBoxError):
    """No port is left in a project's leases."""


def ephemeral_range() -> tuple[int, int]:
    """Return the first and last port that the kernel gives to outgoing connections."""
    try:
        low, high = files.read_text("/proc/sys/net/ipv4/ip_local_port_range").split()
    except (OSError, ValueError):
        return 32768, 60999
    return int(low), int(high)


def choose_lease(taken: Sequence[Lease], bounds: Bounds) -> Lease:
    """Return the first free range, of the usual size or of fewer ports when they run short. Raises HyperBoxError for none. Pure."""
    first, last, ephemeral = bounds.first, bounds.last, bounds.ephemeral
    outside = max(0, min(ephemeral[1], last) - max(ephemeral[0], first) + 1)
    left = last - first + 1 - outside - sum(lease.size for lease in taken)
    occupied = sorted([*((lease.start, lease.start + lease.size - 1) for lease in taken), ephemeral])
    for each in (bounds.size, *(smaller for smaller in SIZES if smaller < bounds.size)):
        if each > max(left // PART, LEAST):
            continue
        start = first
        for begin, end in occupied:
            if begin >= start + each:
                break
            if end >= start:
                start = _aligned(end + 1, first, each)
        if start + each - 1 <= last:
            return Lease(start, each)
    raise HyperBoxError(
        f"no range of host ports is left to lease in {first}-{last}", hint="remove projects that you no longer need"
    )


def _aligned(port: int, first: int, size: int) -> int:
    """Return the first start of a range at or after `port`."""
    return first + -(-(port - first) // size) * size


def meet(one: str, other: str) -> bool:
    """Return whether a packet to one host address may be one to the other: the same, or any address of its family. Pure."""
    if one == other or one == "" or other == "":
        return True
    return (one in ANY or other in ANY) and (":" in one) == (":" in other)


class Claims:
    """Ports that are claimed, by number and protocol."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[tuple[int, str], list[str]] = {}

    def add(self, address: str, port: int, protocol: str) -> None:
        """Claim a port on an address ("" for all)."""
        self._held.setdefault((port, protocol), []).append(address)

    def add_record(self, record: Json, without: frozenset[str] = frozenset()) -> None:
        """Add what a project holds, but for some keys."""
        found = record.get("Ports")
        for key, port in found.items() if isinstance(found, dict) else ():
            if key not in without:
                parts = key.split("/")
                self.add(parts[5] if len(parts) > 5 else "", int(port), parts[3])

    def has(self, address: str, port: int, protocol: str) -> bool:
        """Return whether a claim meets this one."""
        return any(meet(address, other) for other in self._held.get((port, protocol), ()))


def decide(
    requests: Sequence[Request],
    kept: dict[str, int],
    leases: Sequence[Lease],
    policy: str,
    in_use: InUse,
) -> list[Assignment]:
    """Return the port of each request. Pure. Raises Full.

    `kept` are the project's ports from before, by key; `in_use(address, port, protocol)` says whether somebody else has one.
    """
    chosen = Claims()
    result = []
    for request in requests:
        port = _port_for(request, kept.get(request.key, 0), leases, policy, in_use, chosen)
        chosen.add(request.address, port, request.protocol)
        result.append(Assignment(request, port))
    return result


def _port_for(request: Request, kept: int, leases: Sequence[Lease], policy: str, in_use: InUse, chosen: Claims) -> int:
    def free(port: int) -> bool:
        return not chosen.has(request.address, port, request.protocol) and not in_use(
            request.address, port, request.protocol
        )

    moved = any(lease.has(kept) for lease in leases)  # it was given a port of the lease once: it stays there
    offered = range(request.wanted, request.last + 1) if request.wanted else range(0)
    if offered and (policy == "strict" or (policy == "auto" and (not moved or kept in offered))):
        first = kept if kept in offered else request.wanted
        found = next((port for port in (first, *offered) if free(port)), 0)
        if found or policy == "strict":
            return found or request.wanted
    if moved and free(kept):
        return kept
    for lease in leases:
        for port in lease.candidates(request.container_port):
            if free(port):
                return port
    raise Full("no free port is left in " + ", ".join(f"{each.start}-{each.start + each.size - 1}" for each in leases))


def settle(
    record: Json, others: Sequence[Json], requests: Sequence[Request], policy: str, in_use: InUse, bounds: Bounds
) -> list[Assignment]:
    """Return the port of each request and note leases and ports in `record`, which the caller writes.

    `in_use` is asked about ports that the project does not hold by now. Raises HyperBoxError when ports run out.
    """
    kept = ports_of(record)
    asked = frozenset(request.key for request in requests)
    claimed, mine = Claims(), Claims()
    for other in others:
        claimed.add_record(other)
    claimed.add_record(record, asked)
    mine.add_record(record)

    def taken_by_others(address: str, port: int, protocol: str) -> bool:
        if claimed.has(address, port, protocol):
            return True
        return not mine.has(address, port, protocol) and in_use(address, port, protocol)

    leases = leases_of(record)
    taken = [lease for each in others for lease in leases_of(each)]
    if not leases:
        try:
            leases.append(choose_lease(taken, bounds))
        except HyperBoxError:  # a project whose ports are free as the file has them needs none
            pass
    while True:
        try:
            result = decide(requests, kept, leases, policy, taken_by_others)
            break
        except Full:  # a further lease: it ends when none is left
            leases.append(choose_lease([*taken, *leases], bounds))
    record["Ports"] = {**kept, **{each.request.key: each.port for each in result}}
    record["Leases"] = [[lease.start, lease.size] for lease in leases]
    return result


def check_policy(policy: str) -> str:
    """Return a policy. Raises HyperBoxError for an unknown one."""
    if policy not in POLICIES:
        raise HyperBoxError(f'unknown port policy "{policy}": auto, range or strict')
    return policy


def assign(
    projects: str,
    project_id: str,
    requests: Sequence[Request],
    *,
    policy: str = "auto",
    in_use: InUse = lambda address, port, protocol: False,
    bounds: Bounds | None = None,
) -> list[Assignment]:
    """Return the host port of each request, decided once and kept. Atomic among all processes; the project is recorded already.

    Raises HyperBoxError for an unknown policy, or when ports run out.
    """
    check_policy(policy)
    with identity.lock(projects):
        records = identity.read_all(projects)
        record = next((each for each in records if each["Id"] == project_id), None)
        if record is None:
            raise HyperBoxError(f"no such project: {project_id}")
        before = (ports_of(record), record.get("Leases"))
        others = [each for each in records if each is not record]
        result = settle(record, others, requests, policy, in_use, bounds or Bounds())
        if before != (record["Ports"], record["Leases"]):
            identity.write(projects, record)
        return result


def leases_of(record: Json) -> list[Lease]:
    """Return a project's leases, the oldest first."""
    leases = record.get("Leases")
    return [Lease(int(start), int(size)) for start, size in leases] if isinstance(leases, list) else []


def ports_of(record: Json) -> dict[str, int]:
    """Return a project's ports by key."""
    ports = record.get("Ports")
    return {str(key): int(port) for key, port in ports.items()} if isinstance(ports, dict) else {}


def release(projects: str, project_id: str) -> None:
    """Give back what a project that is down need not keep: ports outside its leases, passing names, subnets."""
    from hyperbox.project import names

    with identity.lock(projects):
        record = identity.read(projects, project_id)
        if record is None:
            return
        leases, ports, given = leases_of(record), ports_of(record), names.names_of(record)
        kept = {key: port for key, port in ports.items() if any(lease.has(port) for lease in leases)}
        names_kept = names.without_passing(given)
        if kept != ports or names_kept != given or record.get("Subnets"):
            record["Ports"], record["Names"], record["Subnets"] = kept, names_kept, {}
            identity.write(projects, record)


def host_in_use(address: str, port: int, protocol: str) -> bool:
    """Return whether a program on this machine holds a port, found by trying to take it."""
    import _socket

    bare = address.strip("[]")
    ipv6 = ":" in bare
    kind = _socket.SOCK_DGRAM if protocol == "udp" else _socket.SOCK_STREAM
    try:
        socket = _socket.socket(_socket.AF_INET6 if ipv6 else _socket.AF_INET, kind)
    except OSError:
        return False
    try:
        if ipv6:
            socket.setsockopt(41, 26, 1)  # IPPROTO_IPV6, IPV6_V6ONLY: as the engine will bind it
        if protocol != "udp":
            socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        socket.bind((bare or "0.0.0.0", port))
        if protocol != "udp":
            socket.listen(0)
    except OSError as error:
        return error.errno == 98
    finally:
        socket.close()
    return False
