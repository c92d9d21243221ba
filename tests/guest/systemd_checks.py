"""What runs in the guest with systemd: the checks of checks.py once more, with `daemon-reload` between them, and those of our scope.

Prints as checks.py does. The last check of the first boot reboots the machine for real; those named `after_reboot_…` are of the second one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

sys.path.insert(0, "/hyperbox")

import checks
from checks import DEVICE, DISK, FORKS, GROW, RATE, Machine, expect, reading, run_checks, seconds

from hyperbox.engine import project_groups
from hyperbox.engine.state import find_container
from hyperbox.kernel import cgroups, systemd

SCOPE = "/hyperbox.slice/hyperbox.scope"
STAY = "trap 'exit 0' TERM; echo ready; while :; do sleep 1 & wait $!; done"
AGAIN = ("cpu_of_a_project", "memory_of_a_project", "memory_high_of_a_project")
REBOOTED = "/var/lib/rebooted"


def systemctl(*words: str) -> str:
    """Run systemctl and return what it prints."""
    return subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False).stdout.strip()


def wait_for(condition: object, what: str, timeout: float = 40.0) -> None:
    """Wait until a condition holds."""
    assert callable(condition)
    deadline = time.monotonic() + timeout
    while not condition():
        expect(time.monotonic() < deadline, "still not:", what)
        time.sleep(0.05)


def group_of(pid: int) -> str:
    """Return the cgroup in which a process is; "" for one that is gone."""
    return cgroups.read(f"/proc/{pid}/cgroup").partition("::")[2]


def pids(machine: Machine, container_id: str) -> tuple[int, int]:
    """Return the pids of a container's process and of its monitor."""
    state = find_container(machine.engine.roots, container_id).state
    return int(str(state["Pid"])), int(str(state["Monitor"]))


def runs(machine: Machine, container_id: str) -> bool:
    """Return whether a container runs, as inspect says."""
    state = machine.engine.container_inspect(container_id)["State"]
    assert isinstance(state, dict)
    return bool(state["Running"])


def check_all_is_in_a_scope_that_systemd_knows(machine: Machine) -> None:
    container_id = machine.start("shop", STAY)
    process, monitor = pids(machine, container_id)
    expect(group_of(process) == f"{SCOPE}/shop/{container_id}", "container", group_of(process))
    expect(group_of(monitor) == f"{SCOPE}/_monitors", "monitor", group_of(monitor))
    exec_id = machine.engine.exec_create(container_id, {"Cmd": ["sleep", "500"]})
    machine.engine.exec_start(exec_id, detach=True)
    there = [group_of(pid) for pid in cgroups.processes(SCOPE)]
    expect(there.count(f"{SCOPE}/shop/{container_id}") >= 2, "the exec's process is in the container's group", there)
    expect(
        there.count(f"{SCOPE}/_monitors") >= 3, "and its monitor beside the container's and what keeps the scope", there
    )
    expect(systemctl("is-active", "hyperbox.scope") == "active", "the scope")
    expect(systemctl("show", "-P", "Delegate", "hyperbox.scope") == "yes", "is delegated")
    expect(systemctl("show", "-P", "TasksMax", "hyperbox.scope") == "infinity", "has no limit of its own")
    expect(not os.path.exists("/sys/fs/cgroup/hyperbox"), "nothing of ours is at the root")
    machine.engine.container_remove(container_id, force=True)


def check_limits_hold_while_systemd_reloads_and_executes_itself_anew(machine: Machine) -> None:
    machine.engine.project_limit("shop", {"pids": 20, "memory": 40 << 20, "io": {DISK: {"rbps": RATE}}})
    sleeper = machine.start("shop", "for i in $(seq 10); do sleep 300 & done; exec sleep 300")
    before = pids(machine, sleeper)
    for word in ("daemon-reload", "daemon-reexec"):
        systemctl(word)
        expect(pids(machine, sleeper) == before and runs(machine, sleeper), "it runs on after", word)
    code, output = machine.run("shop", FORKS)
    expect(code != 0 and "can't fork" in output, "10 + 25 of 20 processes", code, output)
    expect(machine.run("shop", GROW % 64) == (0, "137"), "64 MB of 40")
    expect(runs(machine, sleeper), "what is killed for memory takes nothing else along")
    expect(systemctl("is-active", "hyperbox.scope") == "active", "nor the scope")
    _, output = machine.run("shop", reading(64), **DEVICE)
    expect(seconds(output) > 1.5, "4 MiB at 2 MiB/s", output)
    machine.engine.container_remove(sleeper, force=True)
    machine.engine.project_limit("shop", {})


def check_the_slice_limits_all_that_we_run(machine: Machine) -> None:
    container_id = machine.start("shop", STAY)
    systemctl("set-property", "--runtime", "hyperbox.slice", "MemoryMax=60M")
    expect(machine.run("other", GROW % 80) == (0, "137"), "80 MB of the slice's 60")
    systemctl("set-property", "--runtime", "hyperbox.slice", "MemoryMax=infinity")
    expect(runs(machine, container_id), "the other one runs on")
    machine.engine.container_remove(container_id, force=True)


def check_a_container_outlives_the_service_that_started_it(machine: Machine) -> None:
    script = (
        "import sys; sys.path.insert(0, '/hyperbox'); from systemd_checks import *; "
        "m = Machine.again(); print(m.start('served', STAY))"
    )
    words = ["systemd-run", "--quiet", "--collect", "--unit=caller", "-pType=oneshot", "-pStandardOutput=file:/run/out"]
    done = subprocess.run([*words, "python3", "-c", script], capture_output=True, text=True, check=False)
    expect(done.returncode == 0, done.stderr[-600:])
    with open("/run/out") as file:
        container_id = file.read().strip()
    expect(systemctl("is-active", "caller.service") == "inactive", "the service has ended")
    process, monitor = pids(machine, container_id)
    expect(group_of(monitor) == f"{SCOPE}/_monitors", "its monitor", group_of(monitor))
    expect(runs(machine, container_id) and group_of(process) != "", "it runs on")
    os.kill(process, 9)
    expect(machine.engine.container_wait(container_id) == 137, "and is looked after")
    machine.engine.container_remove(container_id, force=True)


def check_a_scope_that_was_stopped_is_made_anew(machine: Machine) -> None:
    container_id = machine.start("shop", STAY)
    process, _ = pids(machine, container_id)
    systemctl("stop", "hyperbox.scope")
    wait_for(lambda: not group_of(process), "its processes have ended")
    wait_for(lambda: not runs(machine, container_id), "and that is seen")
    again = machine.start("shop", STAY)
    expect(group_of(pids(machine, again)[0]) == f"{SCOPE}/shop/{again}", "the next one")
    expect(systemctl("is-active", "hyperbox.scope") == "active", "is in a new scope")
    for each in (container_id, again):
        machine.engine.container_remove(each, force=True)


def check_many_first_starts_at_once_make_one_scope(machine: Machine) -> None:
    systemctl("stop", "hyperbox.scope")
    script = (
        "import sys; sys.path.insert(0, '/hyperbox'); from systemd_checks import *; "
        "m = Machine.again(); print(m.run(sys.argv[1], 'echo hello'))"
    )
    running = [
        subprocess.Popen(["python3", "-c", script, f"p{number}"], stdout=subprocess.PIPE, text=True)
        for number in range(3)
    ]
    outputs = [each.communicate()[0].strip() for each in running]
    expect(outputs == ["(0, 'hello')"] * 3, outputs)
    sleepers = [
        line
        for line in subprocess.run(["busybox", "ps"], capture_output=True, text=True, check=False).stdout.split("\n")
        if f"sleep {systemd.KEPT}" in line
    ]
    expect(len(sleepers) <= 1, sleepers)
    for number in range(3):
        machine.engine.project_remove(f"p{number}")


def check_later_starts_ask_systemd_for_nothing(machine: Machine) -> None:
    machine.run("p", "true")
    first = systemctl("show", "-P", "InvocationID", "hyperbox.scope")
    for _ in range(2):
        expect(machine.run("p", "true") == (0, ""), "it runs")
    expect(systemctl("show", "-P", "InvocationID", "hyperbox.scope") == first != "", "one scope for all")


def check_nothing_is_left_of_projects_that_are_removed(machine: Machine) -> None:
    for project in ("p", "shop", "other", "slow", "load", "served"):
        machine.engine.project_remove(project)
    left = [name for name in cgroups.groups(SCOPE) if name != systemd.MONITORS]
    expect(not left, "groups are left:", left)
    monitors = cgroups.processes(f"{SCOPE}/{systemd.MONITORS}")
    expect(len(monitors) <= 1, "only what keeps the scope is in it", monitors)


def check_before_the_reboot(machine: Machine) -> None:
    for name, policy in (
        ("always", "always"),
        ("unless", "unless-stopped"),
        ("stopped", "unless-stopped"),
        ("no", "no"),
    ):
        container_id = machine.start("boot", STAY, name=name, RestartPolicy={"Name": policy, "MaximumRetryCount": 0})
        if name == "stopped":
            machine.engine.container_stop(container_id, timeout=1)
    machine.engine.project_limit("boot", {"pids": 40})


def check_after_reboot_the_first_command_brings_back_what_policies_want(machine: Machine) -> None:
    names = sorted(machine.restored)
    expect(names == ["always", "unless"], "restored", names)
    states = {str(row["Names"][0]).lstrip("/"): row["State"] for row in machine.engine.container_list(all=True)}  # type: ignore[index]
    expect(states == {"always": "running", "unless": "running", "stopped": "exited", "no": "exited"}, states)
    process, _ = pids(machine, "always")
    expect(group_of(process).startswith(f"{SCOPE}/boot/"), "in the scope", group_of(process))
    code, output = machine.run("boot", FORKS.replace("25", "60"))
    expect(code != 0 and "can't fork" in output, "its budget holds: 60 of 40 processes", code, output)
    expect(project_groups.parent(machine.engine.roots) == SCOPE, "the scope")


def reboot() -> None:
    """Reboot as an administrator does."""
    with open(REBOOTED, "w"):
        pass
    os.sync()
    print("GUEST reboots", flush=True)
    systemctl("--no-block", "reboot")


def main() -> None:
    """Run the checks of this boot, those that /checks names or all, then reboot or end."""
    found = {name[6:]: check for name, check in globals().items() if name.startswith("check_")}
    second = os.path.exists(REBOOTED)
    with open("/checks") as file:
        wanted = file.read().split()
    print(f"GUEST up after {cgroups.read('/proc/uptime').split()[0]} s", flush=True)
    machine = Machine.again() if second else Machine()
    again = {f"{name}_beside_systemd": vars(checks)[f"check_{name}"] for name in AGAIN}
    chosen = {name: check for name, check in found.items() if name.startswith("after_reboot") == second}
    chosen = chosen if second else {**again, **chosen}
    run_checks(machine, {name: check for name, check in chosen.items() if not wanted or name in wanted})
    print(f"GUEST done after {cgroups.read('/proc/uptime').split()[0]} s", flush=True)
    if not second and (not wanted or "before_the_reboot" in wanted):
        reboot()
    else:
        os.sync()
        systemctl("poweroff", "-ff")


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        systemctl("poweroff", "-ff")
        raise
