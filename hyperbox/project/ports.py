"""Which host port a published port gets: leases, policies, assignments.

Every project leases a range of ports (1,000 from 10000 by default: 10000-10999, 11000-11999, …; smaller ones when they run short;
never a port that the kernel gives to outgoing connections, /proc/sys/net/ipv4/ip_local_port_range). Policies:

    auto     the port that the file asks for, if it is free and no other project has it; otherwise `start + container_port % size`, or the
             next that is free
    range    always from the lease
    strict   what the file asks for, whatever comes of it (the engine says "port is already allocated")

`decide` is pure. `assign(projects, project_id, requests, policy=…, in_use=…)` decides under the lock and keeps the answer in the
project's record, so that it is the same on every restart; a port that is not the one asked for comes back with `remapped`, and the
command tells it in one line on stderr. `release` gives ports back on `down` (the lease stays until the project is removed with
`identity.forget`). Claims of projects are kept here; whether another program holds a port is what `in_use` says. A request's key is
"SERVICE/ORDINAL/CONTAINER_PORT/PROTOCOL/N".
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
SIZES = (1000, 500, 200, 100, 50, 20, 10, 5)
# no lease takes more than this part of the ports that are left, so that hundreds of projects find one
PART = 25
POLICIES = ("auto", "range", "strict")


class Request:
    """A port to publish: `key` names it within the project for good ("web/1/80/tcp/0"), `wanted` is 0 where any port will do."""

    __slots__ = ("address", "container_port", "key", "protocol", "wanted")

    def __init__(
        self, key: str, container_port: int, wanted: int = 0, protocol: str = "tcp", address: str = ""
    ) -> None:
        self.key = key
        self.container_port = container_port
        self.wanted = wanted
        self.protocol = protocol
        self.address = address


class Assignment:
    """The host port that a request got."""

    __slots__ = ("port", "request")

    def __init__(self, request: Request, port: int) -> None:
        self.request = request
        self.port = port

    @property
    def remapped(self) -> bool:
        """Whether it is another port than the file asks for."""
        return bool(self.request.wanted) and self.port != self.request.wanted

    def sentence(self, project: str) -> str:
        """Return the line that tells of a remap."""
        request = self.request
        service = request.key.partition("/")[0]
        return f"{project}: {service} port {request.wanted} is taken, published on {self.port} instead"


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


def ephemeral_range() -> tuple[int, int]:
    """Return the first and last port that the kernel gives to outgoing connections."""
    try:
        low, high = files.read_text("/proc/sys/net/ipv4/ip_local_port_range").split()
    except (OSError, ValueError):
        return 32768, 60999
    return int(low), int(high)


def choose_lease(
    taken: Sequence[Lease], ephemeral: tuple[int, int], first: int = FIRST, last: int = LAST, size: int = SIZE
) -> Lease:
    """Return the first free range, of `size` ports or of fewer when they run short. Raises HyperBoxError when there is none. Pure."""
    outside = max(0, min(ephemeral[1], last) - max(ephemeral[0], first) + 1)
    left = last - first + 1 - outside - sum(lease.size for lease in taken)
    for each in (size, *(smaller for smaller in SIZES if smaller < size)):
        if each > max(left // PART, SIZES[-1]):
            continue
        start = first
        while start + each - 1 <= last:
            end = start + each - 1
            if start <= ephemeral[1] and end >= ephemeral[0]:
                start = _aligned(ephemeral[1] + 1, first, each)
                continue
            clash = [lease for lease in taken if start < lease.start + lease.size and lease.start <= end]
            if not clash:
                return Lease(start, each)
            start = _aligned(max(lease.start + lease.size for lease in clash), first, each)
    raise HyperBoxError("no range of host ports is left to lease", hint="remove projects that you no longer need")


def _aligned(port: int, first: int, size: int) -> int:
    """Return the first start of a range at or after `port`."""
    return first + -(-(port - first) // size) * size


def decide(
    requests: Sequence[Request],
    kept: dict[str, int],
    lease: Lease,
    policy: str,
    in_use: InUse,
) -> list[Assignment]:
    """Return the port of each request. Pure.

    `kept` are the project's ports from before, by key; `in_use(address, port, protocol)` says whether somebody else has one.
    """
    chosen: set[tuple[int, str]] = set()
    result = []
    for request in requests:
        port = _port_for(request, kept.get(request.key, 0), lease, policy, in_use, chosen)
        chosen.add((port, request.protocol))
        result.append(Assignment(request, port))
    return result


def _port_for(
    request: Request, kept: int, lease: Lease, policy: str, in_use: InUse, chosen: set[tuple[int, str]]
) -> int:
    def free(port: int) -> bool:
        return (port, request.protocol) not in chosen and not in_use(request.address, port, request.protocol)

    if policy == "strict" and request.wanted:
        return request.wanted
    moved = lease.start <= kept < lease.start + lease.size  # it was given a port of the lease once: it stays there
    if policy == "auto" and request.wanted and not (moved and kept != request.wanted) and free(request.wanted):
        return request.wanted
    if moved and free(kept):
        return kept
    for port in lease.candidates(request.container_port):
        if free(port):
            return port
    raise HyperBoxError(f"no free port is left in {lease.start}-{lease.start + lease.size - 1}")


def assign(
    projects: str,
    project_id: str,
    requests: Sequence[Request],
    *,
    policy: str = "auto",
    in_use: InUse = lambda address, port, protocol: False,
    size: int = SIZE,
) -> list[Assignment]:
    """Return the host port of each request, decided once and kept. Atomic among all processes; the project is recorded already.

    `in_use` is asked about ports that the project does not hold by now. Raises HyperBoxError for an unknown policy, or when ports run out.
    """
    if policy not in POLICIES:
        raise HyperBoxError(f'unknown port policy "{policy}": auto, range or strict')
    with identity.lock(projects):
        records = identity.read_all(projects)
        record = next((each for each in records if each["Id"] == project_id), None)
        if record is None:
            raise HyperBoxError(f"no such project: {project_id}")
        others = [each for each in records if each is not record]
        lease = lease_of(record)
        if lease is None:
            taken = [found for each in others if (found := lease_of(each)) is not None]
            lease = choose_lease(taken, ephemeral_range(), size=size)
        kept = ports_of(record)
        asked = {request.key for request in requests}
        claimed = {(port, key.split("/")[3]) for each in others for key, port in ports_of(each).items()}
        claimed |= {(port, key.split("/")[3]) for key, port in kept.items() if key not in asked}
        mine = {(port, key.split("/")[3]) for key, port in kept.items()}

        def taken_by_others(address: str, port: int, protocol: str) -> bool:
            if (port, protocol) in claimed:
                return True
            return (port, protocol) not in mine and in_use(address, port, protocol)

        result = decide(requests, kept, lease, policy, taken_by_others)
        ports = {**kept, **{each.request.key: each.port for each in result}}
        if ports != kept or record["Lease"] is None:
            record["Ports"] = ports
            record["Lease"] = [lease.start, lease.size]
            identity.write(projects, record)
        return result


def lease_of(record: Json) -> Lease | None:
    """Return a project's lease, or None."""
    lease = record.get("Lease")
    return Lease(int(lease[0]), int(lease[1])) if isinstance(lease, list) else None


def ports_of(record: Json) -> dict[str, int]:
    """Return a project's ports by key."""
    ports = record.get("Ports")
    return {str(key): int(port) for key, port in ports.items()} if isinstance(ports, dict) else {}


def release(projects: str, project_id: str) -> None:
    """Give back the ports that a project has outside its lease; those in it are kept, nobody else gets them anyway."""
    with identity.lock(projects):
        record = identity.read(projects, project_id)
        if record is None:
            return
        lease = lease_of(record)
        ports = ports_of(record)
        kept = {
            key: port
            for key, port in ports.items()
            if lease is not None and lease.start <= port < lease.start + lease.size
        }
        if kept != ports:
            record["Ports"] = kept
            identity.write(projects, record)


def host_in_use(address: str, port: int, protocol: str) -> bool:
    """Return whether a program on this machine holds a port, found by trying to take it."""
    import _socket

    ipv6 = ":" in address
    kind = _socket.SOCK_DGRAM if protocol == "udp" else _socket.SOCK_STREAM
    try:
        socket = _socket.socket(_socket.AF_INET6 if ipv6 else _socket.AF_INET, kind)
    except OSError:
        return False
    try:
        if protocol != "udp":
            socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        socket.bind((address or "0.0.0.0", port))
        if protocol != "udp":
            socket.listen(0)
    except OSError as error:
        return error.errno == 98
    finally:
        socket.close()
    return False
