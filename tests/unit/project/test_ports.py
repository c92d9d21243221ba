"""Leases, policies and assignments of host ports."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from hyperbox.errors import HyperBoxError
from hyperbox.project import identity, ports
from hyperbox.project.ports import Lease, Request

EPHEMERAL = (32768, 60999)
LEASE = Lease(10000, 1000)


def nobody(address: str, port: int, protocol: str) -> bool:
    return False


def one(
    request: Request, policy: str = "auto", kept: dict[str, int] | None = None, in_use: ports.InUse = nobody
) -> int:
    return ports.decide([request], kept or {}, [LEASE], policy, in_use)[0].port


def test_auto_gives_the_port_that_is_asked_for_while_it_is_free() -> None:
    assert one(Request("web/1/80/tcp/0", 80, 8080)) == 8080


def test_auto_gives_a_port_of_the_lease_when_the_one_asked_for_is_taken() -> None:
    assert one(Request("web/1/80/tcp/0", 80, 8080), in_use=lambda address, port, protocol: port == 8080) == 10080


def test_a_remapped_port_stays_when_the_one_asked_for_becomes_free() -> None:
    assert one(Request("web/1/80/tcp/0", 80, 8080), kept={"web/1/80/tcp/0": 10080}) == 10080


def test_a_file_that_asks_for_another_port_gets_it() -> None:
    assert one(Request("web/1/80/tcp/0", 80, 9090), kept={"web/1/80/tcp/0": 8080}) == 9090


def test_range_takes_the_lease_and_strict_what_is_asked_for() -> None:
    request = Request("web/1/80/tcp/0", 80, 8080)
    assert one(request, "range") == 10080
    assert one(request, "strict", in_use=lambda address, port, protocol: True) == 8080


def test_two_ports_of_one_project_never_get_the_same_one() -> None:
    requests = [Request("a/1/80/tcp/0", 80), Request("b/1/80/tcp/0", 80), Request("c/1/80/udp/0", 80, protocol="udp")]
    assert [each.port for each in ports.decide(requests, {}, [LEASE], "auto", nobody)] == [10080, 10081, 10080]


def test_a_full_lease_is_an_error() -> None:
    with pytest.raises(HyperBoxError, match="no free port is left in 10000-10999"):
        one(Request("a/1/80/tcp/0", 80), "range", in_use=lambda address, port, protocol: True)


def test_two_hundred_leases_are_distinct_and_never_ephemeral() -> None:
    leases: list[Lease] = []
    for _ in range(200):
        leases.append(ports.choose_lease(leases, ports.Bounds(ephemeral=EPHEMERAL)))
    taken = [port for lease in leases for port in range(lease.start, lease.start + lease.size)]
    assert len(taken) == len(set(taken))
    assert not any(EPHEMERAL[0] <= port <= EPHEMERAL[1] for port in taken)
    assert [(lease.start, lease.size) for lease in leases[:2]] == [(10000, 1000), (11000, 1000)]
    assert min(lease.size for lease in leases) < 1000


def take(arguments: tuple[str, str]) -> tuple[str, tuple[int, int], int]:
    projects, directory = arguments
    found = identity.resolve(projects, "shop", directory, explicit=False)
    (given,) = ports.assign(projects, found.id, [Request("web/1/80/tcp/0", 80, 8080)])
    record = identity.read(projects, found.id)
    assert record is not None
    (lease,) = ports.leases_of(record)
    return found.id, (lease.start, lease.size), given.port


def test_fifty_processes_with_one_name_and_one_port_get_fifty_projects_leases_and_ports(tmp_path: Path) -> None:
    folders = [tmp_path / f"copy{number}" / "shop" for number in range(50)]
    for folder in folders:
        folder.mkdir(parents=True)
    projects = str(tmp_path / "projects")
    with multiprocessing.get_context("fork").Pool(50) as pool:
        results = pool.map(take, [(projects, str(folder)) for folder in folders], chunksize=1)
    for column in range(3):
        assert len({result[column] for result in results}) == 50
    assert sum(result[2] == 8080 for result in results) == 1
    assert sorted(take((projects, str(folder)))[2] for folder in folders) == sorted(result[2] for result in results)


def test_released_ports_can_be_had_by_others_and_leases_stay(tmp_path: Path) -> None:
    projects = str(tmp_path / "projects")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert take((projects, str(tmp_path / "a")))[1:] == ((10000, 1000), 8080)
    ports.release(projects, "shop")
    assert take((projects, str(tmp_path / "b")))[1:] == ((11000, 1000), 8080)
    assert take((projects, str(tmp_path / "a")))[1:] == ((10000, 1000), 10080)


def test_a_second_replica_does_not_get_the_first_ones_port(tmp_path: Path) -> None:
    projects = str(tmp_path / "projects")
    identity.resolve(projects, "shop", str(tmp_path), explicit=False)
    first = ports.assign(projects, "shop", [Request("web/1/80/tcp/0", 80, 8080)])
    second = ports.assign(projects, "shop", [Request("web/2/80/tcp/0", 80, 8080)])
    assert (first[0].port, second[0].port) == (8080, 10080)
    assert second[0].sentence("shop") == "shop: web port 8080 is taken, published on 10080 instead"


def test_an_unknown_policy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HyperBoxError, match="unknown port policy"):
        ports.assign(str(tmp_path), "shop", [], policy="maybe")


def test_one_port_on_two_addresses_is_no_collision_and_on_all_addresses_it_is() -> None:
    requests = [
        Request("a/1/80/tcp/0/127.0.0.1", 80, 8080, address="127.0.0.1"),
        Request("a/1/80/tcp/1/[::1]", 80, 8080, address="[::1]"),
        Request("b/1/80/tcp/0/127.0.0.2", 80, 8080, address="127.0.0.2"),
        Request("c/1/80/tcp/0/0.0.0.0", 80, 8080, address="0.0.0.0"),
        Request("d/1/80/tcp/0/::", 80, 8080, address="::"),
    ]
    assert [each.port for each in ports.decide(requests, {}, [LEASE], "auto", nobody)] == [
        8080,
        8080,
        8080,
        10080,
        10080,
    ]


@pytest.mark.parametrize(
    ("one_address", "other", "answer"),
    [
        ("", "127.0.0.1", True),
        ("", "::1", True),
        ("0.0.0.0", "10.0.0.1", True),
        ("0.0.0.0", "::1", False),
        ("127.0.0.1", "127.0.0.2", False),
        ("[::]", "[::1]", True),
    ],
)
def test_addresses_meet_where_a_packet_could_go_to_both(one_address: str, other: str, answer: bool) -> None:
    assert ports.meet(one_address, other) is answer
    assert ports.meet(other, one_address) is answer


def test_of_a_range_the_first_free_port_is_taken_and_kept_and_the_lease_comes_last() -> None:
    request = Request("a/1/80/tcp/0/", 80, 8000, last=8002)
    assert one(request) == 8000
    assert one(request, in_use=lambda address, port, protocol: port < 8002) == 8002
    assert one(request, kept={request.key: 8001}) == 8001
    (found,) = ports.decide([request], {}, [LEASE], "auto", lambda address, port, protocol: port < 9000)
    assert (found.port, found.remapped) == (10080, True)
    assert found.sentence("shop") == "shop: a port 8000-8002 is taken, published on 10080 instead"


def test_a_project_whose_lease_is_full_gets_a_further_one(tmp_path: Path) -> None:
    projects = str(tmp_path / "projects")
    identity.resolve(projects, "shop", str(tmp_path), explicit=False)
    requests = [Request(f"web/{number}/80/tcp/0/", 80) for number in range(1, 13)]
    bounds = ports.Bounds(10000, 10099, 5, EPHEMERAL)
    given = [each.port for each in ports.assign(projects, "shop", requests, bounds=bounds)]
    assert len(set(given)) == 12
    record = identity.read(projects, "shop")
    assert record is not None
    assert record["Leases"] == [[10000, 5], [10005, 5], [10010, 5]]
    assert [each.port for each in ports.assign(projects, "shop", requests, bounds=bounds)] == given
    with pytest.raises(HyperBoxError, match="no range of host ports is left to lease in 10000-10099"):
        ports.assign(projects, "shop", [Request(f"x/{n}/80/tcp/0/", 80) for n in range(200)], bounds=bounds)
    assert identity.read(projects, "shop") == record


def test_a_lease_never_reaches_into_the_kernels_own_range() -> None:
    bounds = ports.Bounds(30000, 40000, 1000, (30500, 39500))
    leases: list[Lease] = []
    for _ in range(25):
        leases.append(ports.choose_lease(leases, bounds))
    assert not any(30500 <= port <= 39500 for lease in leases for port in range(lease.start, lease.start + lease.size))


def test_leases_end_only_when_no_port_is_left_and_a_project_may_do_without(tmp_path: Path) -> None:
    projects = str(tmp_path / "projects")
    bounds = ports.Bounds(10000, 10029, 20, EPHEMERAL)
    for number in range(30):
        identity.resolve(projects, f"p{number}", "/", explicit=True)
        given = ports.assign(projects, f"p{number}", [Request("web/1/80/tcp/0/", 80, 8000 + number)], bounds=bounds)
        assert given[0].port == 8000 + number
    leased = [
        port
        for record in identity.read_all(projects)
        for lease in ports.leases_of(record)
        for port in lease.candidates(0)
    ]
    assert sorted(leased) == sorted(set(leased))
    assert len(leased) == 30
    with pytest.raises(HyperBoxError, match="no range of host ports is left"):
        ports.assign(projects, "p29", [Request("web/1/81/tcp/0/", 81)], bounds=bounds)
