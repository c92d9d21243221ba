"""What `hyperbox bench` measures: a table of cases, each a few command lines of any docker-compatible program.

In a command, `{cli}` stands for the program, `{image}` for the image, `{name}` for a name of the case's own, `{folder}` for a scratch folder,
`{archive}` and `{small_files}` for the image archives of `bench_image`, `{registry}` for a registry that has the same image.
Only `timed` is measured. `before` and `after` run around every measurement, `setup` and `teardown` once per program.
"""

from __future__ import annotations

from typing import NamedTuple

from hyperbox.cli.bench_image import REPOSITORY, SMALL_COUNT, SMALL_FILES


class Case(NamedTuple):
    """One row of the report. `goal` is the highest ratio to the first peer that the project aims at, or None.

    A measurement is one process, or the mean of `times`, `wide` at a time. `synced` lets the disk settle before each; `memory` is looked at
    meanwhile. `dockerfile` is a file of that name in the folder. Neighbours of the same `shared` name have one setup, teardown and `{name}`.
    Cases of more than a few commands state their `runs`; the others are measured with pauses as well.
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
    dockerfile: str = ""
    synced: bool = False
    memory: bool = False
    wide: int = 1
    times: int = 1
    shared: str = ""


def ten_stopped() -> tuple[str, ...]:
    """Return the commands that make ten stopped containers."""
    return tuple(f"{{cli}} run --name {{name}}-{number} {{image}} echo {number}" for number in range(10))


def ten_running() -> tuple[str, ...]:
    """Return the commands that start ten detached containers."""
    return tuple(f"{{cli}} run -d --name {{name}}-{number} {{image}} sleep 1000" for number in range(10))


def throughput(wide: int, times: int) -> Case:
    """Return the case of many short containers, `wide` at a time."""
    what = f"run --rm IMAGE true, {wide} at a time, each"
    return Case(f"wide-{wide}", what, "{cli} run --rm {image} true", 0.25, runs=3, wide=wide, times=times)


def remove_ten() -> tuple[str, ...]:
    """Return the command that removes them."""
    return ("{cli} rm -f " + " ".join(f"{{name}}-{number}" for number in range(10)),)


def among_many(name: str, what: str, timed: str, goal: float, before: tuple[str, ...] = ()) -> Case:
    """Return a case among a thousand stopped and a hundred running containers, which all such cases share."""
    create = "xargs -P 4 -I % {cli} create --name {name}-% --label bench={name} {image} true"
    start = "xargs -P 4 -I % {cli} run -d --name {name}-r% --label bench={name} {image} sleep 100000"
    there = "test $({cli} ps -aq --filter label=bench={name} | wc -l) -ge 1100"
    setup = (f"sh -c '{there} || {{{{ seq 1000 | {create}; seq 100 | {start}; }}}} >/dev/null'",)
    remove = "sh -c '{cli} ps -aq --filter label=bench={name} | xargs -n 100 {cli} rm -f >/dev/null'"
    return Case(
        f"scale-{name}",
        f"{what} (1,000 stopped, 100 running)",
        timed,
        goal,
        setup=setup,
        before=before,
        teardown=(remove,),
        runs=7,
        shared="scale",
    )


def small_files(name: str, what: str, timed: str, before: str = "", after: str = "", files: int = SMALL_COUNT) -> Case:
    """Return a case of one image of many small files, which all such cases share."""
    image = f"{SMALL_FILES}:loaded"
    setup = ("{cli} load -q -i {small_files}", f"{{cli}} create --name {{name}} {image} true")
    return Case(
        f"small-{name}",
        f"{what} ({files:,} small files)",
        timed,
        1.0,
        setup=setup,
        before=(before,) if before else (),
        after=(after,) if after else (),
        teardown=("sh -c '{cli} rm -f {name} {name}-written; {cli} rmi -f " + f"{image} {{name}}-committed; true'",),
        runs=3,
        synced=True,
        shared="small-files",
    )


# a container that has written some
WRITTEN_COUNT = 4_000
WRITTEN = (
    "{cli} run --name {name}-written {image} sh -c "
    f"'mkdir /many && cd /many && i=0 && while [ $i -lt {WRITTEN_COUNT} ]; do echo $i >$i; i=$((i+1)); done'"
)


def logged(name: str, what: str, command: str, megabytes: int) -> Case:
    """Return the case of much output."""
    timed = f"{{cli}} run --rm {{image}} sh -c '{command}'"
    return Case(name, f"run IMAGE: {megabytes} MB of {what}", timed, 1.0, runs=2, memory=True)


ONE_RUNNING = ("{cli} run -d --name {name} {image} sleep 10000",)

# bytes in one piece, which no log, pipe or archive may change; what a stream carries is the same for all programs
STREAMED = 100_000_000
RANDOM = f"head -c {STREAMED} /dev/urandom"


def stream(name: str, what: str, timed: str, setup: tuple[str, ...] = (), before: tuple[str, ...] = ()) -> Case:
    """Return the case of random bytes through a pipe to or from a command: a shell's script, with `{cli}` in it."""
    return Case(
        f"stream-{name}", f"{what}: 100 MB of random bytes", f"sh -c '{timed}'", 2.0,
        setup=setup, before=before, teardown=("sh -c '{cli} rm -f {name}; {cli} rmi -f {name}-image; true'",), runs=2,
    )  # fmt: skip


STREAMS = (
    stream("run", "run -i IMAGE cat", f"{RANDOM} | {{cli}} run --rm -i {{image}} cat >/dev/null"),
    stream("in", "run -i IMAGE wc", f"{RANDOM} | {{cli}} run --rm -i {{image}} wc -c >/dev/null"),
    stream("exec", "exec -i CONTAINER cat", f"{RANDOM} | {{cli}} exec -i {{name}} cat >/dev/null", ONE_RUNNING),
    stream(
        "attach",
        "attach to a copier",
        f"{RANDOM} | {{cli}} attach {{name}} >/dev/null",
        before=("sh -c '{cli} rm -f {name}; {cli} run -d -i --name {name} {image} head -c " + f"{STREAMED}'",),
    ),
    stream(
        "logs",
        "logs",
        "{cli} logs {name} >/dev/null",
        (f"{{cli}} run --name {{name}} {{image}} sh -c '{RANDOM}'",),
    ),
    stream(
        "save",
        "save | load",
        "{cli} save {name}-image | {cli} load -q",
        (
            f"{{cli}} run --name {{name}} {{image}} sh -c '{RANDOM} >/bytes'",
            "{cli} commit {name} {name}-image",
        ),
    ),
)


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
REMOVE_ONE = ("{cli} rm -f {name}",)

DOCKERFILE = """FROM {image}
WORKDIR /work
COPY Dockerfile .
RUN echo one >one
RUN mkdir two && echo two >two/two
ENV A=b
RUN cat one two/two >three
"""

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
    Case(
        "down-idle",
        "compose down, 10 idle services",
        DOWN[0],
        0.25,
        before=(*UP, "sleep 2.5"),
        compose=services(10),
        runs=5,
    ),
    Case("rm-idle", "rm -f of 10 idle containers", remove_ten()[0], 0.25, before=(*ten_running(), "sleep 2.5"), runs=5),
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
    among_many("ps-all", "ps -a", "{cli} ps -a", 1.0),
    among_many("ps", "ps", "{cli} ps", 1.0),
    among_many("inspect", "inspect CONTAINER", "{cli} inspect {name}-500", 1.0),
    among_many("complete", "__complete rm", "{cli} __complete rm ''", 1.0),
    among_many("df", "system df", "{cli} system df", 1.0),
    among_many("run", "run --rm IMAGE true", "{cli} run --rm {image} true", 0.2),
    among_many(
        "rm", "rm CONTAINER", "{cli} rm {name}-gone", 1.0, before=("{cli} create --name {name}-gone {image} true",)
    ),
    Case(
        "pull",
        "pull, 200 MB in 8 layers",
        "{cli} pull -q {registry}",
        0.8,
        after=("{cli} rmi -f {registry}",),
        runs=3,
        synced=True,
    ),
    Case(
        "load",
        "load, 200 MB in 8 layers",
        "{cli} load -q -i {archive}",
        0.8,
        after=(f"{{cli}} rmi -f {REPOSITORY}:loaded",),
        runs=3,
        synced=True,
    ),
    small_files(
        "load",
        "load",
        "{cli} load -q -i {small_files}",
        f"sh -c '{{cli}} rm -f {{name}}; {{cli}} rmi -f {SMALL_FILES}:loaded; true'",
        f"{{cli}} create --name {{name}} {SMALL_FILES}:loaded true",
    ),
    small_files("save", "save", f"sh -c '{{cli}} save {SMALL_FILES}:loaded >/dev/null'"),
    small_files("export", "export", "sh -c '{cli} export {name} >/dev/null'"),
    small_files("cp", "cp from a container", "sh -c '{cli} cp {name}:/usr/share/many - >/dev/null'"),
    small_files(
        "commit",
        "commit",
        "{cli} commit {name}-written {name}-committed",
        WRITTEN,
        "sh -c '{cli} rm {name}-written && {cli} rmi {name}-committed'",
        WRITTEN_COUNT,
    ),
    small_files("rm", "rm", "{cli} rm {name}-written", WRITTEN, files=WRITTEN_COUNT),
    small_files(
        "rmi",
        "rmi",
        f"{{cli}} rmi {SMALL_FILES}:loaded",
        "sh -c '{cli} load -q -i {small_files} && {cli} rm -f {name}'",
    ),
    Case(
        "build-cached",
        "build, all steps cached",
        "{cli} build -q -t {name} {folder}",
        1.0,
        setup=("{cli} build -q -t {name} {folder}",),
        teardown=("{cli} rmi -f {name}",),
        dockerfile=DOCKERFILE,
        runs=7,
    ),
    Case(
        "build",
        "build --no-cache, 6 steps",
        "{cli} build -q --no-cache -t {name} {folder}",
        1.0,
        teardown=("{cli} rmi -f {name}",),
        dockerfile=DOCKERFILE,
        runs=3,
    ),
    Case("config", "compose config, 10 services", f"{COMPOSE} config", 1.5, compose=services(10)),
    Case("config-200", "compose config, 200 services", f"{COMPOSE} config", 3.0, compose=services(200), runs=5),
    logged("log", "text", "yes a line of text as many programs write them | head -c 200000000", 200),
    *STREAMS,
    logged("log-random", "random bytes", "head -c 100000000 /dev/urandom", 100),
)
