"""Containers of one step: started, waited for and taken down by one process, with no monitor, no name and no place in any list.

    DATA/build/containers/ID/   owner ("PID START" of the process that runs it, and its cgroup), hosts, resolv.conf
    RUN/build/containers/ID/    the OCI bundle

Mounts belong to that process's own mount namespace and the network namespace to its descriptor; what a kill leaves besides (processes, a cgroup,
addresses, these folders) `sweep` gives back, which every command does that sweeps containers.
"""

from __future__ import annotations

import os
import time

from hyperbox import files, process
from hyperbox.engine.state import Container, Roots, new_id, new_state
from hyperbox.errors import HyperBoxError
from hyperbox.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

PROJECT = "_build"  # no compose project has such a name
HOSTNAME = "buildkitsandbox"
HOSTS = f"127.0.0.1\tlocalhost {HOSTNAME}\n::1\tlocalhost ip6-localhost ip6-loopback\n"


def step_roots(roots: Roots) -> Roots:
    """Return the roots below which steps keep their folders."""
    return Roots(f"{roots.data}/build", f"{roots.run}/build", roots.cgroup, roots.test_step, roots.pool)


class Transient:
    """One step's container: `start` it in a mount namespace of your own, `wait`, and always `take_down`."""

    __slots__ = ("cgroup", "container", "netns", "pid", "roots")

    def __init__(self, roots: Roots, config: Json, host_config: Json) -> None:
        self.roots = roots
        own = step_roots(roots)
        record: Json = {
            "Name": "",
            "Project": PROJECT,
            "Config": {"Hostname": HOSTNAME, **config},
            "HostConfig": host_config,
        }
        self.container = Container(own, new_id(), record, new_state())
        from hyperbox.engine import project_groups

        parent = str(host_config.get("CgroupParent") or "").strip("/")
        place = f"/{parent}" if parent else f"{project_groups.claim_parent(roots)}/{PROJECT}"
        self.cgroup = f"{place}/{self.container.id}"
        self.netns = -1
        self.pid = 0

    @property
    def folder(self) -> str:
        """The step's own folder on disk."""
        return self.container.folder()

    @property
    def bundle(self) -> str:
        """The folder of its OCI bundle."""
        return self.container.roots.container_run(self.container.id)

    def prepare(self) -> None:
        """Make the folders and say whose they are; to be called before anything else is made."""
        os.makedirs(self.folder, 0o700)
        me = os.getpid()
        files.write_atomic(f"{self.folder}/owner", f"{me} {process.start_time(me)} {self.cgroup}")
        os.makedirs(self.bundle, 0o700)
        self.roots.reached("step-owned")

    def start(self, rootfs: str, mounts: list[Json], environment: list[str], streams: tuple[int, int, int]) -> None:
        """Start the process in `rootfs` with these streams. Raises HyperBoxError or OSError; `take_down` is still due then."""
        from hyperbox.engine import project_groups, spec, spec_host
        from hyperbox.engine.monitor_process import runtime_folder
        from hyperbox.kernel import cgroups
        from hyperbox.runtime.adapters import adapter

        cgroups.mend_hierarchies()
        cgroups.create_project(project_groups.parent(self.roots), PROJECT)
        host = spec_host.read_host(self.container, rootfs)
        settings = self._network()
        self._files(settings)
        document = spec.container_to_oci(
            self.container,
            rootfs=rootfs,
            mounts=mounts,
            netns_path="" if self.netns < 0 else f"/proc/{os.getpid()}/fd/{self.netns}",
            cgroup_path=self.cgroup,
            host=host,
        )
        words = document["process"]
        assert isinstance(words, dict)
        home = [] if any(entry.startswith("HOME=") for entry in environment) else [f"HOME={host.user.home}"]
        words["env"] = [*environment, *home]
        document["mounts"] = [
            _read_only(mount) for mount in _mounts(document) if mount["destination"] != "/etc/hostname"
        ]
        files.write_json(f"{self.bundle}/config.json", document)
        self.roots.reached("step-bundled")
        runtime = adapter("", runtime_folder(self.roots))
        stdin, stdout, stderr = streams
        self.pid = runtime.run(self.bundle, self.container.id, stdin=stdin, stdout=stdout, stderr=stderr)
        self.roots.reached("step-started")

    def _network(self) -> Json:
        """Give the step its network and return the API's NetworkSettings."""
        from hyperbox.engine import network

        if self.container.host_config.get("NetworkMode") == "host":
            return {}
        self.netns = syscalls.new_netns()
        return network.setup(self.roots, self.container, self.netns)

    def _files(self, settings: Json) -> None:
        from hyperbox.engine.network_files import extra_hosts, resolv_conf

        host = self.container.host_config.get("NetworkMode") == "host"
        extra = "".join(f"{address}\t{name}\n" for address, name in extra_hosts(self.container, settings))
        files.write_atomic(f"{self.folder}/hosts", HOSTS + extra, mode=0o644)
        text = resolv_conf(self.container, embedded=False, host_network=host)
        files.write_atomic(f"{self.folder}/resolv.conf", text, mode=0o644)

    def wait(self, lifeline: int) -> int:
        """Wait for the process, killing it once `lifeline` is readable; returns its exit code as a shell would give it.

        The caller is a subreaper (`syscalls.become_subreaper`), so that the process is its child.
        """
        import select

        descriptor = os.pidfd_open(self.pid)
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        poller.register(lifeline, select.POLLIN)
        while True:
            ready = {number for number, _ in poller.poll()}
            if descriptor in ready:
                break
            poller.unregister(lifeline)
            os.kill(self.pid, 9)
        os.close(descriptor)
        code = reap(self.pid)
        self.pid = 0
        return code

    def out_of_memory(self) -> bool:
        """Return whether the kernel killed something in the step for want of memory."""
        from hyperbox.kernel import cgroups

        return cgroups.killed_for_memory(self.cgroup)

    def take_down(self) -> None:
        """Give everything back. Idempotent."""
        take_down(self.roots, self.container.id, self.cgroup)
        if self.netns >= 0:
            os.close(self.netns)
            self.netns = -1


def reap(pid: int) -> int:
    """Return the exit code of an ended process that is, or is about to become, this subreaper's child.

    The runtime's helper that is its parent may be a moment from its own end. Raises ChildProcessError where it never comes.
    """
    for _ in range(2000):
        try:
            return process.wait(pid)
        except ChildProcessError:
            time.sleep(0.001)
    raise ChildProcessError(10, "the exit code was lost")


def _mounts(document: Json) -> list[Json]:
    mounts = document["mounts"]
    assert isinstance(mounts, list)
    return mounts


def _read_only(mount: Json) -> Json:
    if mount["destination"] in ("/etc/hosts", "/etc/resolv.conf"):
        return {**mount, "options": ["rbind", "rprivate", "ro", "nosuid", "nodev", "noexec"]}
    return mount


def take_down(roots: Roots, container_id: str, cgroup: str) -> None:
    """Kill what still runs in a step's cgroup and give back what the step held; its folders go last."""
    from hyperbox.engine import network
    from hyperbox.engine.monitor_process import runtime_folder
    from hyperbox.kernel import cgroups

    for _ in range(400):
        if not [pid for pid in cgroups.processes(cgroup) if _killed(pid)]:
            break
        time.sleep(0.005)
    try:
        network.teardown(roots, container_id)
    except (OSError, HyperBoxError):
        pass
    cgroups.remove_group(cgroup)
    folder = runtime_folder(roots)
    for name in files.subfolders(folder):
        files.remove_tree(f"{folder}/{name}/{container_id}")
    own = step_roots(roots)
    files.remove_tree(own.container_run(container_id))
    files.remove_tree(own.container(container_id))


def _killed(pid: int) -> bool:
    """Kill a process; returns whether there was one."""
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return False
    return True


def sweep(roots: Roots) -> None:
    """Give back what steps hold whose process has died."""
    own = step_roots(roots)
    try:
        names = os.listdir(f"{own.data}/containers")
    except FileNotFoundError:
        return
    for name in names:
        try:
            owner = files.read_text(f"{own.container(name)}/owner").split(" ")
        except OSError:
            if time.time() - _changed(own.container(name)) > 2:
                files.remove_tree(own.container(name))
            continue
        if len(owner) == 3 and not process.is_alive(int(owner[0]), int(owner[1])):
            take_down(roots, name, owner[2])


def _changed(path: str) -> float:
    try:
        return os.stat(path).st_ctime
    except FileNotFoundError:
        return time.time()
