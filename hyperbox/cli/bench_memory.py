"""What programs keep while nobody uses them: processes and memory, idle and for each detached container. Part of `hyperbox bench`."""

from __future__ import annotations

import os
import subprocess
import time
from typing import NamedTuple

CONTAINERS = 5
# seconds after which what is idle has settled: our monitors become small after one
SETTLED = 3.0
# program -> the processes (as /proc/PID/comm tells them) that it keeps
PROCESSES: dict[str, tuple[str, ...]] = {
    "hyperbox": ("hyperbox-monito",),
    "docker": ("dockerd", "containerd", "containerd-shim", "docker-proxy"),
    "podman": ("conmon", "podman", "rootlessport", "aardvark-dns"),
}


class Kept(NamedTuple):
    """What there is of a program: how many processes, and their memory (proportional set size) in bytes."""

    processes: int
    memory: int


def kept(program: str, more: int = 0) -> Kept:
    """Return what runs of a program on this machine, and of the process `more`; of processes that end meanwhile nothing is told."""
    count = memory = 0
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/comm") as file:
                command = file.read().strip()
            if command not in PROCESSES.get(program, ()) and int(name) != more:
                continue
            with open(f"/proc/{name}/smaps_rollup") as file:
                memory += sum(int(line.split()[1]) for line in file if line.startswith("Pss:")) * 1024
        except (OSError, IndexError):
            continue
        count += 1
    return Kept(count, memory)


def memory_note(label: str, words: tuple[str, ...], image: str) -> str:
    """Return a line of the report: what a program keeps now, and how much more with some detached containers, for each."""
    if label not in PROCESSES:
        return f"not measured: idle memory of {label}: its processes are not known"
    idle = kept(label)
    names = [f"bench-memory-{number}" for number in range(CONTAINERS)]
    try:
        for name in names:
            run = [*words, "run", "-d", "--name", name, image, "sleep", "1000"]
            finished = subprocess.run(run, capture_output=True, check=False, stdin=subprocess.DEVNULL)
            if finished.returncode != 0:
                return f"not measured: memory of {label}: {finished.stderr.decode(errors='replace').strip()}"
        time.sleep(SETTLED)
        more = kept(label)
    finally:
        subprocess.run([*words, "rm", "-f", *names], capture_output=True, check=False, stdin=subprocess.DEVNULL)
    each = (more.memory - idle.memory) / CONTAINERS / 2**20
    return (
        f"memory: {label}: idle {idle.processes} processes, {idle.memory / 2**20:.1f} MiB; "
        f"each detached container {(more.processes - idle.processes) / CONTAINERS:g} processes, {each:.1f} MiB (PSS)"
    )
