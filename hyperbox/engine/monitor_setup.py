"""What a monitor makes before a container's process can start: mounts, network namespace, and the OCI bundle.

All of it goes when the monitor goes (mounts in its own namespace, network namespace held by a descriptor), or is undone by `take_down`,
which `recovery` calls too when a monitor was killed.
"""

from __future__ import annotations

import os

from hyperbox import bundle, files
from hyperbox.engine.state import Container, Roots, find_container
from hyperbox.errors import EngineError, HyperBoxError, NotFound
from hyperbox.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.dns import Resolver
    from hyperbox.engine.monitor_process import Starting, Stdio
    from hyperbox.runtime.adapters import Adapter

    Json = dict[str, object]


def cgroup_path(roots: Roots, container: Container) -> str:
    """Return where a container's cgroup lies below each hierarchy: /PARENT/PROJECT/ID, or below the parent that the user gave."""
    parent = str(container.host_config.get("CgroupParent") or "")
    if parent:
        return f"/{parent.strip('/')}/{container.id}"
    from hyperbox.engine import project_groups

    return f"{project_groups.parent(roots)}/{container.project}/{container.id}"


class Ground:
    """What every monitor makes first, knowing nothing of its container: mounts of its own, with the OCI runtime that is likely and the
    cgroup hierarchies as runtimes want them, and a network namespace. All of it dies with the process.
    """

    __slots__ = ("_host", "_root", "netns", "shielded")

    def __init__(self, roots: Roots) -> None:
        from hyperbox.engine.monitor_process import runtime_folder
        from hyperbox.kernel import cgroups
        from hyperbox.runtime.adapters import adapter

        self._host = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        self._root = os.open("/", os.O_PATH | os.O_CLOEXEC)
        syscalls.private_mounts()
        cgroups.mend_hierarchies()
        self.shielded = ""
        try:
            self.shield(adapter("", runtime_folder(roots)))
        except EngineError:  # no runtime is installed: told when the container's own is looked for
            pass
        self.netns = syscalls.new_netns()

    def leave(self) -> None:
        """Go back to the host's mounts, and give up the network namespace."""
        folder = os.getcwd()
        syscalls.setns(self._host, syscalls.CLONE_NEWNS)
        syscalls.change_root(self._root)
        os.chdir(folder)
        os.close(self._host)
        os.close(self._root)
        os.close(self.netns)

    def shield(self, runtime: Adapter) -> None:
        """Shield a runtime's program, unless that is done."""
        if runtime.path != self.shielded:
            runtime.shield()
            self.shielded = runtime.path


def load_modules() -> None:
    """Import what `set_up` will need before the runtime can go to work."""
    from hyperbox.engine import (  # noqa: F401
        monitor_process,
        monitor_start,
        network_files,
        project_groups,
        rootfs,
        spec,
        spec_host,
    )
    from hyperbox.kernel import cgroups

    if cgroups.is_v2():
        from hyperbox.kernel import systemd  # noqa: F401


class Prepared:
    """A container that is starting: its process, whose runtime is at work where that can hold it, and is to be started with `config`
    where not; and what answers its questions for names, if anything does."""

    __slots__ = ("config", "resolver", "starting")

    def __init__(self, starting: Starting, config: Json, resolver: Resolver | None) -> None:
        self.starting = starting
        self.config = config
        self.resolver = resolver

    def finish(self) -> tuple[int, Stdio]:
        """Let the process run; returns its pid and our ends of its streams. Raises EngineError with docker's words."""
        if not self.starting.start.holds:
            self.starting.start.configure(self.config)
        return self.starting.finish()


def set_up(roots: Roots, container: Container, ground: Ground | None) -> Prepared:
    """Mount, join networks and let the runtime make the container, which then waits for `starting.finish`.

    The runtime's program loads while the root file system is mounted; it works while the network is made, where it can hold the container.
    The state gets its NetworkSettings in memory only: they are written when the process runs. Raises HyperBoxError with docker's words,
    or OSError; the caller owes `take_down` then.
    """
    from hyperbox.engine import monitor_process, network_files

    runtime = monitor_process.runtime_of(roots, container)
    held: dict[str, int] = {}
    if shares_mounts(container):
        held = take_shared_mounts(container, ground)
        ground = None
    ground = ground or Ground(roots)
    ground.shield(runtime)
    starting = monitor_process.Starting(roots, container)
    start = starting.start
    try:
        start.spawn_waiting()
        netns = network_namespace(roots, container, ground)
        # sysctls of an interface want it to be there
        meanwhile = start.holds and joins_networks(container) and not container.host_config.get("Sysctls")
        if not meanwhile:
            connect(roots, container, netns)
        network_files.prepare_files(roots, container)
        config = make_bundle(roots, container, netns, held)
        if start.holds:
            start.configure(config)
        roots.reached("bundled")
        bundle.preload("monitor-serve")
        if meanwhile:
            connect(roots, container, netns)
            network_files.complete_files(roots, container)
        return Prepared(starting, config, resolver_of(roots, container, netns))
    except BaseException:
        starting.abandon()
        raise


def connect(roots: Roots, container: Container, netns: int) -> None:
    """Set the container's network up and put its NetworkSettings into the state."""
    from hyperbox.engine import network

    settings = network.setup(roots, container, netns) if joins_networks(container) else {}
    container.state = {**container.state, "NetworkSettings": settings}
    roots.reached("networked")


def make_bundle(roots: Roots, container: Container, netns: int, held: dict[str, int]) -> Json:
    """Make what a container's process needs around it, and return the runtime's configuration (OCI). `held`: see `propagation`."""
    from hyperbox.engine import project_groups, spec, spec_host

    project_groups.create(roots, container.project)
    target = mount_root(roots, container)
    mounts = prepare_mounts(roots, container)
    if held:
        from hyperbox.engine import propagation

        mounts = propagation.put_down(container, held, mounts)
    return spec.container_to_oci(
        container,
        rootfs=target,
        mounts=mounts,
        netns_path="" if netns < 0 else f"/proc/{os.getpid()}/fd/{netns}",
        cgroup_path=cgroup_path(roots, container),
        host=spec_host.read_host(container, target),
    )


def resolver_of(roots: Roots, container: Container, netns: int) -> Resolver | None:
    """Return what answers the container's DNS questions, bound already, where it is on a network of the user's."""
    from hyperbox.engine.network_files import on_user_network

    settings = container.state.get("NetworkSettings")
    if netns < 0 or not isinstance(settings, dict) or not on_user_network(settings):
        return None
    from hyperbox.engine.dns import Resolver

    return Resolver(roots, container.id, netns)


def late_resolver(roots: Roots, container: Container) -> Resolver | None:
    """Return what answers a running container's questions, or None where it can't be made: the container has ended, or nftables fails."""
    from hyperbox.engine.dns import Resolver

    try:
        netns = os.open(f"/proc/{container.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return Resolver(roots, container.id, netns)
    except (OSError, HyperBoxError):
        return None
    finally:
        os.close(netns)


def mount_root(roots: Roots, container: Container) -> str:
    """Mount the container's root file system, with all in it that a start needs, and return where."""
    from hyperbox.engine import rootfs

    folder = container.folder()
    target = f"{folder}/merged"
    layers = container.record["Layers"]
    assert isinstance(layers, list)
    rootfs.mount_rootfs(
        [str(layer) for layer in layers],
        f"{folder}/upper",
        f"{folder}/work",
        target,
        volatile=bool(container.host_config.get("AutoRemove")),
    )
    roots.reached("mounted")
    rootfs.prepare_mount_points(target)
    rootfs.prepare_working_dir(target, str(container.config.get("WorkingDir") or ""))
    return target


def shares_mounts(container: Container) -> bool:
    """Return whether mounts of the container and the host's are to propagate to each other."""
    if not container.record.get("Mounts"):
        return False
    from hyperbox.engine import volumes

    return any("s" in str(point.get("Propagation") or "") for point in volumes.points(container))


def prepare_mounts(roots: Roots, container: Container) -> list[Json]:
    """See `volumes.prepare_mounts`, which only containers with mounts load."""
    if not container.record.get("Mounts") and not container.host_config.get("Tmpfs"):
        return []
    from hyperbox.engine import volumes

    return volumes.prepare_mounts(roots, container)


def take_shared_mounts(container: Container, ground: Ground | None) -> dict[str, int]:
    """See `propagation.take`, which only containers with such binds load; the ground, made in vain, is given up for it."""
    from hyperbox.engine import propagation

    if ground is not None:
        ground.leave()
    return propagation.take(container)


def joins_networks(container: Container) -> bool:
    """Return whether the container's network namespace is its own to set up."""
    mode = str(container.host_config.get("NetworkMode") or "")
    return mode != "host" and not mode.startswith("container:")


def network_namespace(roots: Roots, container: Container, ground: Ground) -> int:
    """Return a descriptor of the container's network namespace: the new one, another container's, or -1 for the host's."""
    mode = str(container.host_config.get("NetworkMode") or "")
    if joins_networks(container):
        return ground.netns
    os.close(ground.netns)
    if mode == "host":
        return -1
    try:
        other = find_container(roots, mode[10:])
    except NotFound:
        raise NotFound(f"joining network namespace of container: No such container: {mode[10:]}") from None
    if not other.running or not other.pid:
        raise EngineError(
            f"cannot join network namespace of a non running container: container {other.name} is {other.status}"
        )
    return os.open(f"/proc/{other.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def take_down(roots: Roots, container: Container) -> None:
    """Give back what `set_up` and the runtime took, mounts excepted. Idempotent; what fails is left for the next sweep."""
    from hyperbox.engine import network
    from hyperbox.kernel import cgroups

    try:
        network.teardown(roots, container.id)
    except (OSError, HyperBoxError):
        pass
    cgroups.remove_group(cgroup_path(roots, container))
    forget_runtime_state(roots, container)
    forget_execs(roots, container.id)
    unmount_images(roots, container)
    files.remove_tree(roots.container_run(container.id))


def unmount_images(roots: Roots, container: Container) -> None:
    """Unmount the images that are mounted into the container (`mounts._image_source`): their files can't be removed, nor may they."""
    if not container.record.get("Mounts"):
        return
    folder = roots.container_run(container.id)
    for name in files.subfolders(folder):
        if name.startswith("image-"):
            try:
                syscalls.umount(f"{folder}/{name}")
            except OSError:  # not mounted in this mount namespace
                continue


def unmount_root(roots: Roots, container: Container) -> None:
    """Unmount the container's root file system, so that its folder can be removed; none mounted is no error."""
    from hyperbox.engine import removal

    try:
        syscalls.umount(f"{removal.present_folder(roots, container)}/merged")
    except OSError:
        return


def forget_execs(roots: Roots, container_id: str) -> None:
    """Give back the claims of a container's execs, whose records lie in its runtime folder."""
    try:
        names = os.listdir(roots.container_run(container_id))
    except FileNotFoundError:
        return
    for name in names:
        if name.startswith("exec."):
            files.remove_tree(f"{roots.run}/execs/{name[5:]}")


def forget_runtime_state(roots: Roots, container: Container) -> None:
    """Remove what the OCI runtime remembers of a container that has ended."""
    from hyperbox.engine.monitor_process import runtime_folder

    folder = runtime_folder(roots)
    for name in files.subfolders(folder):
        files.remove_tree(f"{folder}/{name}/{container.id}")
