"""A project's place on this machine, all of it in one step: its record, its ports, and the names that its file fixes.

`enrol` writes under the lock of all records; where everything is as it was it only reads the project's own record. `preview` says what
`enrol` would give and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from hyperbox.project import identity, names, ports, subnets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.project.ports import Assignment, Bounds, InUse, Request

    Json = dict[str, object]


class Wishes(NamedTuple):
    """What a project asks for: fixed names as "KIND/NAME" (`desired.fixed_names`), ports, and how ports are given.

    `fields` are kept in its record beside that: what others show of it when its files are not at hand. `subnets` are those that the files fix,
    `taken` tells those of others (`subnets.settle`).
    """

    names: Sequence[str]
    requests: Sequence[Request]
    policy: str
    in_use: InUse
    bounds: Bounds
    fields: Mapping[str, object] = {}
    subnets: Mapping[str, str] = {}
    taken: Callable[[str], Iterable[str]] = lambda project_id: ()


class Enrolment(NamedTuple):
    """A project's place: who it is, the real name of each fixed one, the host port of each request by its key, the real subnets.

    `told`: what is new and not as the file has it, in one line each.
    """

    identity: identity.Identity
    names: dict[str, str]
    assignments: dict[str, Assignment]
    subnets: dict[str, tuple[str, str]] = {}
    told: tuple[str, ...] = ()


def enrol(projects: str, name: str, directory: str, wishes: Wishes, *, explicit: bool) -> Enrolment:
    """Record the project where it is new and give it what it asks for. Raises HyperBoxError when ports run out."""
    unchanged = _as_before(projects, name, directory, wishes, explicit=explicit)
    if unchanged is not None:
        return unchanged
    with identity.lock(projects):
        records = identity.read_all(projects)
        record = identity.find_record(records, name, directory, explicit=explicit)
        before = None if record is None else dict(record)
        result, record = _settle(records, record, name, directory, wishes, explicit=explicit)
        if record != before:
            identity.write(projects, record)
        return result


def _as_before(projects: str, name: str, directory: str, wishes: Wishes, *, explicit: bool) -> Enrolment | None:
    """Return the enrolment of a project that has all it asks for already, or None."""
    record = identity.read(projects, name)
    if record is None or not (explicit or identity.means(record, name, identity.real_folder(directory))):
        return None  # new, or one with a suffix: all records are read, once, under the lock
    found = identity.record_to_identity(record)
    given, kept, leases = names.names_of(record), ports.ports_of(record), ports.leases_of(record)
    policy = str(record.get("Policy") or "") or wishes.policy
    if any(record.get(key) != value for key, value in wishes.fields.items()):
        return None
    if any(key not in given for key in wishes.names) or any(each.key not in kept for each in wishes.requests):
        return None
    try:
        assignments = ports.decide(wishes.requests, kept, leases, policy, lambda address, port, protocol: False)
    except ports.Full:
        return None
    if any(each.port != kept[each.request.key] for each in assignments):
        return None
    nets = subnets.subnets_of(record)
    if any(nets.get(key, ("", ""))[0] != text for key, text in wishes.subnets.items()):
        return None
    return Enrolment(found, given, {each.request.key: each for each in assignments}, nets)


def preview(projects: str, name: str, directory: str, wishes: Wishes, *, explicit: bool) -> Enrolment:
    """Return what `enrol` would; records nothing."""
    unchanged = _as_before(projects, name, directory, wishes, explicit=explicit)
    if unchanged is not None:
        return unchanged
    records = identity.read_all(projects)
    record = identity.find_record(records, name, directory, explicit=explicit)
    return _settle(records, record, name, directory, wishes, explicit=explicit)[0]


def _settle(
    records: list[Json], record: Json | None, name: str, directory: str, wishes: Wishes, *, explicit: bool
) -> tuple[Enrolment, Json]:
    others = [each for each in records if each is not record]
    if record is None:
        record = identity.new_record(records, name, directory, explicit=explicit)
    record.update(wishes.fields)
    policy = str(record.get("Policy") or "") or wishes.policy
    record["Names"] = names.settle(record, others, wishes.names)
    assignments = ports.settle(record, others, wishes.requests, policy, wishes.in_use, wishes.bounds)
    by_key = {each.request.key: each for each in assignments}
    before = subnets.subnets_of(record)
    nets = before
    if wishes.subnets:
        nets = {key: (text, text) for key, text in wishes.subnets.items()}
        if policy != "strict":
            nets = subnets.settle(record, others, wishes.subnets, wishes.taken)
        record["Subnets"] = {key: list(pair) for key, pair in nets.items()}
    told = tuple(
        f"{record['Id']}: subnet {written} is taken, network {key.partition('/')[0]} uses {real} instead"
        for key, (written, real) in nets.items()
        if written != real and before.get(key) != (written, real)
    )
    return Enrolment(identity.record_to_identity(record), names.names_of(record), by_key, nets, told), record
