"""What `hyperbox bench` measures: a table of cases, each a few command lines of any docker-compatible program.

In a command, `{cli}` stands for the program, `{image}` for the image, `{name}` for a name of the case's own, `{folder}` for a scratch folder.
Only `timed` is measured. `before` and `after` run around every measurement, `setup` and `teardown` once per program.
"""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    """One row of the report. `goal` is the highest ratio to the first peer that the project aims at, or None.

    A measurement is one process, or the mean of `times`, `wide` at a time.
    """

    name: str
    what: str
    timed: str
    goal: float | None
    setup: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    teardown: tuple[str, ...] = ()
    runs: int = 0
    compose: str = ""
    memory: bool = False
    wide: int = 1
    times: int = 1


def ten_stopped() -> tuple[str, ...]:
    """Return the commands that make ten stopped containers."""
    return tuple(f"{{cli}} run --name {{name}}-{number} {{image}} echo {number}" for number in range(10))


def throughput(wide: int, times: int) -> Case:
    """Return the case of many short containers, `wide` at a time."""
    what = f"run --rm IMAGE true, {wide} at a time, each"
    return Case(f"wide-{wide}", what, "{cli} run --rm {image} true", 0.25, runs=3, wide=wide, times=times)


def remove_ten() -> tuple[str, ...]:
    """Return the command that removes them."""
    return ("{cli} rm -f " + " ".join(f"{{name}}-{number}" for number in range(10)),)


def services(count: int, *, chained: bool = False) -> str:
    """Return a compose file of `count` services; chained, each waits until the one before it is healthy."""
    lines = ["services:"]
    for number in range(count):
        lines += [
            f"  s{number}:",
            "    image: {image}",
            "    command: sleep 1000",
            "    stop_grace_period: 0s",
            "    init: false",
        ]
        if chained:
            lines += [
                "    healthcheck:",
                "      test: [CMD, 'true']",
                "      interval: 1s",
                "      start_period: 5s",
                "      start_interval: 100ms",
            ]
            if number:
                lines += ["    depends_on:", f"      s{number - 1}:", "        condition: service_healthy"]
    return "\n".join(lines) + "\n"


COMPOSE = "{cli} compose -f {folder}/compose.yaml -p {name}"
DOWN = (f"{COMPOSE} down -t 0",)
UP = (f"{COMPOSE} up -d",)
ONE_RUNNING = ("{cli} run -d --name {name} {image} sleep 10000",)
REMOVE_ONE = ("{cli} rm -f {name}",)

CASES = (
    Case("run", "run --rm IMAGE true", "{cli} run --rm {image} true", 0.15),
    Case("run-port", "run --rm -p 18099:80 IMAGE true", "{cli} run --rm -p 18099:80 {image} true", 0.15),
    Case("run-none", "run --rm --network none IMAGE true", "{cli} run --rm --network none {image} true", 0.20),
    throughput(1, 12),
    throughput(2, 24),
    throughput(6, 36),
    throughput(20, 60),
    Case("run-detached", "run -d IMAGE sleep", "{cli} run -d --name {name} {image} sleep 1000", 0.15, after=REMOVE_ONE),
    Case("exec", "exec CONTAINER true", "{cli} exec {name} true", 0.40, setup=ONE_RUNNING, teardown=REMOVE_ONE),
    Case("ps", "ps (10 stopped)", "{cli} ps -a", 1.0, setup=ten_stopped(), teardown=remove_ten()),
    Case("ps-quiet", "ps -q (10 stopped)", "{cli} ps -aq", 1.0, setup=ten_stopped(), teardown=remove_ten()),
    Case("images", "images", "{cli} images", 1.0),
    Case("inspect", "inspect CONTAINER", "{cli} inspect {name}-1", 1.0, setup=ten_stopped(), teardown=remove_ten()),
    Case("logs", "logs CONTAINER", "{cli} logs {name}-1", 1.0, setup=ten_stopped(), teardown=remove_ten()),
    Case("complete", "__complete ru", "{cli} __complete ru", 1.0),
    Case("up", "compose up -d, 10 services", UP[0], 0.25, after=DOWN, compose=services(10), runs=5),
    Case("down", "compose down, 10 services", DOWN[0], 0.25, before=UP, compose=services(10), runs=5),
    Case("up-nothing", "compose up -d, nothing to do", UP[0], 1.0, setup=UP, teardown=DOWN, compose=services(10)),
    Case("compose-ps", "compose ps, 10 services", f"{COMPOSE} ps", 1.0, setup=UP, teardown=DOWN, compose=services(10)),
    Case(
        "up-chain",
        "up --wait, chain of 5 health checks",
        f"{COMPOSE} up -d --wait",
        0.3,
        after=DOWN,
        compose=services(5, chained=True),
        runs=3,
    ),
    Case("config", "compose config, 10 services", f"{COMPOSE} config", 1.5, compose=services(10)),
    Case("config-200", "compose config, 200 services", f"{COMPOSE} config", 3.0, compose=services(200), runs=5),
    Case(
        "log",
        "run IMAGE: 1 GB to stdout",
        "{cli} run --rm {image} head -c 1000000000 /dev/zero",
        1.0,
        runs=3,
        memory=True,
    ),
)
