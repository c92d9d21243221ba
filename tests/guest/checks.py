"""What runs in the guest: limits of containers and budgets of projects under cgroup v2, measured by what the containers get.

Each check prints "PASS name" or "FAIL name: why". The root file system of the guest is a ramfs, so containers have a tmpfs below them.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable

from hyperbox.engine.api import ContainerSpec
from hyperbox.engine.native import NativeEngine
from hyperbox.engine.state import Roots

UPTIME = "cut -d' ' -f1 /proc/uptime"
BUSY = "while :; do :; done"
GROW = "dd if=/dev/zero of=/dev/null bs=%dM count=1 2>/dev/null; echo $?"
FORKS = "n=0; for i in $(seq 25); do sleep 60 & n=$((n+1)); done; echo $n"
DISK = "/dev/vda"
RATE = 2 << 20  # bytes a second


class Machine:
    """The engine of the guest, and containers made for one check."""

    def __init__(self, *, fresh: bool = True) -> None:
        roots = Roots("/var/lib/hyperbox", "/run/hyperbox", "hyperbox")
        roots.prepare()
        self.engine = NativeEngine(roots)
        self.restored = self.engine.restore()
        if not fresh:
            return
        if os.fork() == 0:  # what an import loads would make every start of a container slower
            with open("/image.tar", "rb") as source:
                self.engine.image_import(
                    source, repository="busybox", tag="latest", message="", changes=["ENV PATH=/bin"]
                )
            os._exit(0)
        os.wait()

    @classmethod
    def again(cls) -> Machine:
        """Return the engine for another process, or after a reboot: the image is there."""
        return cls(fresh=False)

    def start(self, project: str, script: str, name: str = "", **host: object) -> str:
        """Start a container with a shell script and return its id."""
        config = {"Image": "busybox", "Cmd": ["sh", "-c", script], "Labels": {}}
        spec = ContainerSpec(name, config, {"NetworkMode": "none", **host}, {}, project=project)
        container_id = str(self.engine.container_create(spec)["Id"])
        self.engine.container_start(container_id)
        return container_id

    def end(self, container_id: str) -> tuple[int, str]:
        """Wait for a container's end; returns exit code and output, and removes it."""
        code = self.engine.container_wait(container_id)
        output = b"".join(data for _, data in self.engine.container_logs(container_id)).decode()
        self.engine.container_remove(container_id, force=True)
        return code, output.strip()

    def run(self, project: str, script: str, **host: object) -> tuple[int, str]:
        """Run a container to its end."""
        return self.end(self.start(project, script, **host))

    def oom_killed(self, container_id: str) -> bool:
        """Return what inspect says of a container."""
        state = self.engine.container_inspect(container_id)["State"]
        assert isinstance(state, dict)
        return bool(state["OOMKilled"])


def busy(seconds: int) -> str:
    """Return a script that prints uptime, the CPU time (seconds) that a busy loop got as the container counts it, and uptime."""
    return (
        f"{UPTIME}; timeout {seconds} sh -c '{BUSY}' 2>/dev/null; awk '{{print ($16+$17)/100}}' /proc/$$/stat; {UPTIME}"
    )


def cpus(*outputs: str) -> float:
    """Return how many CPUs the busy loops got together, from what `busy` printed."""
    rows = [[float(line) for line in output.splitlines()] for output in outputs]
    span = max(end for _, _, end in rows) - min(begin for begin, _, _ in rows)
    return sum(used for _, used, _ in rows) / span


def expect(condition: bool, *shown: object) -> None:
    """Raise AssertionError with what was seen."""
    if not condition:
        raise AssertionError(" ".join(map(str, shown)))


def check_cpu_max_of_a_container(machine: Machine) -> None:
    _, free = machine.run("p", busy(2))
    _, limited = machine.run("p", busy(4), NanoCpus=250_000_000)
    expect(cpus(free) > 0.6, "without a limit", free)
    expect(0.1 < cpus(limited) < 0.35, "with 0.25 CPUs", limited)


def check_memory_max_of_a_container(machine: Machine) -> None:
    limit = {"Memory": 24 << 20, "MemorySwap": 24 << 20}
    expect(machine.run("p", GROW % 8, **limit) == (0, "0"), "8 MB of 24")
    container_id = machine.start("p", "exec dd if=/dev/zero of=/dev/null bs=48M count=1", **limit)
    code = machine.engine.container_wait(container_id)
    expect(code == 137 and machine.oom_killed(container_id), "48 MB of 24", code)
    machine.end(container_id)


def check_pids_max_of_a_container(machine: Machine) -> None:
    code, output = machine.run("p", FORKS, PidsLimit=12)
    expect(code != 0 and "can't fork" in output, "25 of 12 processes", code, output)
    expect(machine.run("p", FORKS) == (0, "25"), "without a limit")


def reading(offset: int) -> str:
    """Return a script that reads 4 MiB of the disk past its cache and prints the machine's uptime before and after."""
    read = f"dd if={DISK} of=/dev/null bs=256k count=16 skip={offset} iflag=direct 2>/dev/null"
    return f"{UPTIME}; {read} && {UPTIME}"


def seconds(*outputs: str) -> float:
    """Return the time from the first beginning to the last end of what `reading` printed."""
    times = [[float(line) for line in output.splitlines()] for output in outputs]
    return max(end for _, end in times) - min(begin for begin, _ in times)


DEVICE = {"Devices": [{"PathOnHost": DISK, "PathInContainer": DISK, "CgroupPermissions": "r"}]}


def check_io_max_of_a_container(machine: Machine) -> None:
    _, free = machine.run("p", reading(0), **DEVICE)
    _, limited = machine.run("p", reading(32), BlkioDeviceReadBps=[{"Path": DISK, "Rate": RATE}], **DEVICE)
    expect(seconds(free) < 1.0, "without a limit", free)
    expect(seconds(limited) > 1.5, "4 MiB at 2 MiB/s", limited)


def check_cpu_of_a_project(machine: Machine) -> None:
    machine.engine.project_limit("shop", {"cpus": 0.4})
    both = [machine.start("shop", busy(4)) for _ in range(2)]
    got = cpus(*[machine.end(each)[1] for each in both])
    expect(0.15 < got < 0.55, "two containers of a project with 0.4 CPUs", got)


def check_memory_of_a_project(machine: Machine) -> None:
    machine.engine.project_limit("shop", {"memory": 40 << 20})
    other = machine.start("other", "sleep 300")
    first = machine.start("shop", "head -c 24000000 /dev/zero >/dev/shm/x; echo ready; sleep 300")
    for _ in range(400):
        if b"ready" in b"".join(data for _, data in machine.engine.container_logs(first)):
            break
        time.sleep(0.05)
    expect(machine.run("shop", GROW % 32) == (0, "137"), "24 MB + 32 MB of 40 together")
    expect(machine.run("other", GROW % 32) == (0, "0"), "32 MB in another project")
    stats = machine.engine.project_stats("shop")
    expect(stats["oom_kills"] == 1, "counted", stats["oom_kills"])
    for each in (first, other):
        state = machine.engine.container_inspect(each)["State"]
        assert isinstance(state, dict)
        expect(state["Running"] is True, "the others run on")
        machine.engine.container_remove(each, force=True)


def check_memory_high_of_a_project(machine: Machine) -> None:
    grow = "timeout 3 dd if=/dev/zero of=/dev/null bs=40M count=1 2>/dev/null; echo $?"
    machine.engine.project_limit("slow", {"memory_high": 8 << 20})
    container_id = machine.start("slow", grow)
    _, output = machine.end(container_id)
    expect(output != "0", "40 MB above memory_high 8 MB within 3 s", output)
    expect(machine.engine.project_stats("slow")["oom_kills"] == 0, "nothing is killed by it")
    machine.engine.project_limit("slow", {})
    expect(machine.run("slow", GROW % 40) == (0, "0"), "and without it")


def check_pids_of_a_project_and_its_change_while_it_runs(machine: Machine) -> None:
    machine.engine.project_limit("shop", {"pids": 20})
    sleeper = machine.start("shop", "for i in $(seq 10); do sleep 300 & done; wait")
    code, output = machine.run("shop", FORKS)
    expect(code != 0 and "can't fork" in output, "10 + 25 of 20 processes", code, output)
    machine.engine.project_limit("shop", {"pids": 100})
    expect(machine.run("shop", FORKS) == (0, "25"), "after it was raised")
    machine.engine.container_remove(sleeper, force=True)


def check_io_of_a_project(machine: Machine) -> None:
    machine.engine.project_limit("shop", {"io": {DISK: {"rbps": RATE}}})
    both = [machine.start("shop", reading(64 + 32 * number), **DEVICE) for number in range(2)]
    took = seconds(*[machine.end(each)[1] for each in both])
    expect(took > 3.0, "two containers read 8 MiB at 2 MiB/s together:", took)
    machine.engine.project_limit("shop", {})
    took = min(seconds(machine.run("shop", reading(160 + 16 * number), **DEVICE)[1]) for number in range(3))
    expect(took < 1.0, "the fastest of three readings after it was lifted", took)  # the machine may have more to do


def check_counters_and_pressure(machine: Machine) -> None:
    machine.engine.project_limit("load", {"cpus": 0.2})
    machine.run("load", busy(3))
    stats = machine.engine.project_stats("load")
    pressure = stats["pressure"]
    assert isinstance(pressure, dict)
    expect(int(str(stats["cpu"])) > 200_000_000, "cpu", stats["cpu"])
    expect(set(pressure) == {"cpu", "memory", "io"} and "some" in pressure["cpu"], "pressure", pressure)
    expect(pressure["cpu"]["some"]["total"] > 0, "pressure", pressure["cpu"])


def check_nothing_is_left(machine: Machine) -> None:
    for project in ("p", "shop", "other", "slow", "load"):
        machine.engine.project_remove(project)
    for _ in range(200):
        left = [path for path, _, _ in os.walk("/sys/fs/cgroup/hyperbox")]
        if not left:
            return
        time.sleep(0.02)
    expect(False, "groups are left:", left)


def run_checks(machine: Machine, found: dict[str, Callable[[Machine], None]]) -> None:
    """Run checks and print how each went."""
    for name, check in found.items():
        started = time.monotonic()
        try:
            check(machine)
        except Exception as error:
            print(f"FAIL {name}: {type(error).__name__}: {error}".replace("\n", " "), flush=True)
            if not isinstance(error, AssertionError):
                traceback.print_exc(file=sys.stdout)
        else:
            print(f"PASS {name} ({time.monotonic() - started:.1f} s)", flush=True)


def main(names: list[str]) -> None:
    """Run the checks that are named, or all."""
    found = {name[6:]: check for name, check in globals().items() if name.startswith("check_")}
    machine = Machine()
    print(f"MODE {'v2' if os.path.exists('/sys/fs/cgroup/cgroup.controllers') else 'v1'}", flush=True)
    run_checks(machine, {name: found[name] for name in names or found})
