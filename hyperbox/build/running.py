"""RUN done: a container of the native engine over a fresh upper folder, which becomes the layer.

Secrets lie in a tmpfs of this job alone, agents are reached through a socket of their own; neither is part of the root file system. Mount points
that were made for the run are taken away again before the layer is measured.
"""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from hyperbox.build.cache_mounts import CacheMount
from hyperbox.build.copying import Copier
from hyperbox.build.jobs import JobFailed
from hyperbox.build.tree import Root
from hyperbox.build.workspace import Workspace
from hyperbox.engine.transient import Transient
from hyperbox.errors import HyperBoxError
from hyperbox.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.build import graph
    from hyperbox.build.api import Agent, Secret
    from hyperbox.build.jobs import Child
    from hyperbox.engine.state import Roots
    from hyperbox.image.store import ImageStore, Lease

    Json = dict[str, object]


SECRET_LIMIT = 500 << 10  # bytes, as BuildKit's


class RunInputs(NamedTuple):
    """What a RUN needs besides its operation: layers of its root and of each mounted input (by input index), proxies, secrets, agents."""

    base: tuple[str, ...]
    mounted: dict[int, tuple[str, ...]]
    proxies: tuple[str, ...]
    secrets: tuple[Secret, ...]
    agents: tuple[Agent, ...]


class Running:
    """One RUN in its job."""

    def __init__(self, roots: Roots, store: ImageStore, operation: graph.Run, inputs: RunInputs) -> None:
        self.roots = roots
        self.operation = operation
        self.inputs = inputs
        self.work = Workspace(store)
        self.root = ""
        self.caches: list[CacheMount] = []
        self.environment = list(operation.environment)
        self.step: Transient | None = None
        self.helpers: list[int] = []
        self.roots_opened: dict[int, str] = {}
        self.private = ""

    def run(self, child: Child, streams: tuple[int, int], lease: Lease) -> Json:
        """Run to the end and keep the layer. Raises JobFailed of kind "exit" for a code that is not 0."""
        syscalls.become_subreaper()
        self.root = self.work.begin(self.inputs.base)
        mounts = [mount for each in self.operation.mounts if (mount := self.mount(each)) is not None]
        stubs = Stubs(self.root, [str(mount["destination"]) for mount in mounts])
        self._make_working_dir()
        null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        step = self.step = Transient(self.roots, self.config(), self.host_config())
        step.prepare()
        self.environment += self.inputs.proxies
        try:
            step.start(self.root, mounts, self.environment, (null, *streams))
        except HyperBoxError as error:
            raise self.not_started(error, child) from None
        child.tell({"started": True})
        for descriptor in (null, *streams):
            os.close(descriptor)
        code = step.wait(child.lifeline)
        starved = code != 0 and step.out_of_memory()
        step.take_down()
        if code:
            raise JobFailed("cannot allocate memory" if starved else f"exit code: {code}", code=code, kind="exit")
        stubs.remove()
        return self.work.keep(lease)

    def not_started(self, error: HyperBoxError, child: Child) -> JobFailed:
        """Return what BuildKit says of a process that could not be started: the reason goes to its log where the runtime gave one."""
        text = error.message
        if error.exit_code in (126, 127):
            reason = text.partition("unable to start container process: ")[2] or text
            child.tell({"log": f"runc run failed: unable to start container process: {reason}\n"})
            return JobFailed("exit code: 1", code=1, kind="exit")
        return JobFailed(text, kind="exit")

    def config(self) -> Json:
        """Return the API's ContainerConfig of the step."""
        operation = self.operation
        return {
            "Cmd": list(operation.arguments),
            "WorkingDir": operation.working_dir,
            "User": operation.user,
            "Env": [],
        }

    def host_config(self) -> Json:
        """Return the API's HostConfig of the step."""
        operation = self.operation
        limits = [{"Name": name, "Soft": soft, "Hard": hard} for name, soft, hard in operation.ulimits]
        return {
            "NetworkMode": operation.network,
            "ExtraHosts": [f"{name}:{address}" for name, address in operation.hosts],
            "ShmSize": operation.shm_size,
            "Ulimits": limits,
            "CgroupParent": operation.cgroup_parent,
            "AutoRemove": True,
        }

    def _make_working_dir(self) -> None:
        from hyperbox.engine.rootfs import prepare_working_dir

        prepare_working_dir(self.root, self.operation.working_dir)

    # --- mounts ---
    def mount(self, mount: graph.Mount) -> Json | None:
        """Return the OCI mount of a --mount, what it needs being made; None where there is nothing to mount."""
        makers = {
            "bind": self._bind,
            "cache": self._cache,
            "tmpfs": self._tmpfs,
            "secret": self._secret,
            "ssh": self._agent,
        }
        return makers[mount.kind](mount)

    def _opened(self, index: int) -> str:
        """Return where an input's files are mounted."""
        if index not in self.roots_opened:
            self.roots_opened[index] = self.work.mount(self.inputs.mounted[index])
        return self.roots_opened[index]

    def _source(self, mount: graph.Mount) -> str:
        """Return the real path of a mount's source, links followed inside its root. Raises JobFailed."""
        root = Root(self._opened(mount.input))
        try:
            descriptor = root.open(mount.source, os.O_PATH)
        except OSError:
            raise JobFailed(f'"/{mount.source.strip("/")}": not found', kind="missing") from None
        finally:
            root.close()
        try:
            return os.readlink(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)

    def _bind(self, mount: graph.Mount) -> Json:
        options = ["rbind", "rprivate"] + ([] if mount.writable else ["ro"])
        return {"destination": mount.target, "type": "bind", "source": self._source(mount), "options": options}

    def _cache(self, mount: graph.Mount) -> Json:
        cache = CacheMount(f"{self.roots.data}/build/mounts", mount.id, mount.sharing)
        self.caches.append(cache)
        if cache.is_new:
            copier = Copier(cache.making, None, "", None, owned=True)
            owner, mode = (mount.uid, mount.gid), mount.mode
            if mount.input >= 0:
                source = Root(self._opened(mount.input))
                found = source.find(mount.source)
                copier.match(source, found, "/")
                owner, mode = (found.status.st_uid, found.status.st_gid), stat.S_IMODE(found.status.st_mode)
                found.close()
                source.close()
            copier.finish()
            os.chown(cache.making, *owner)
            os.chmod(cache.making, mode)
            cache.ready()
        options = ["rbind", "rprivate"] + ([] if mount.writable else ["ro"])
        return {"destination": mount.target, "type": "bind", "source": cache.folder, "options": options}

    def _tmpfs(self, mount: graph.Mount) -> Json:
        options = ["nosuid", *([f"size={mount.size}"] if mount.size else [])]
        return {"destination": mount.target, "type": "tmpfs", "source": "tmpfs", "options": options}

    def _private(self) -> str:
        """Return a folder that is on no disk and that only this job's mount namespace has."""
        if not self.private:
            self.private = self.work.path("private")
            os.mkdir(self.private, 0o700)
            syscalls.mount("tmpfs", self.private, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=700")
        return self.private

    def _secret(self, mount: graph.Mount) -> Json | None:
        secret = next((each for each in self.inputs.secrets if each.id == mount.id), None)
        if secret is None:
            if mount.required:
                raise JobFailed(f"secret {mount.id}: not found", kind="plain")
            return None
        value = secret.value if secret.value is not None else _content(secret.path)
        if mount.variable:
            self.environment.append(f"{mount.variable}={value.decode('utf-8', 'surrogateescape')}")
            if not mount.target:
                return None
        path = f"{self._private()}/{os.urandom(8).hex()}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
        with os.fdopen(descriptor, "wb") as file:
            file.write(value)
        os.chown(path, mount.uid, mount.gid)
        os.chmod(path, mount.mode)
        options = ["rbind", "rprivate", "ro", "nosuid", "nodev", "noexec"]
        return {"destination": mount.target, "type": "bind", "source": path, "options": options}

    def _agent(self, mount: graph.Mount) -> Json | None:
        from hyperbox.build.agent import forward

        agent = next((each for each in self.inputs.agents if each.id == mount.id), None)
        if agent is None:
            if mount.required:
                raise JobFailed(f"unset ssh forward key {mount.id}", kind="plain")
            return None
        path = f"{self._private()}/{os.urandom(8).hex()}"
        self.helpers += forward(agent, path, (mount.uid, mount.gid), mount.mode)
        if not any(entry.startswith("SSH_AUTH_SOCK=") for entry in self.environment):
            self.environment.append(f"SSH_AUTH_SOCK={mount.target}")
        return {"destination": mount.target, "type": "bind", "source": path, "options": ["rbind", "rprivate"]}

    def close(self) -> None:
        """Put everything away."""
        for pid in self.helpers:
            try:
                os.kill(pid, 9)
                os.waitpid(pid, 0)
            except OSError:
                continue
        if self.step is not None:
            self.step.take_down()
        for cache in self.caches:
            cache.close()
        if self.private:
            try:
                syscalls.umount(self.private)
            except OSError:
                pass
        self.work.close()


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(SECRET_LIMIT + 1)
    except OSError as error:
        raise JobFailed(f"failed to read secret {path}: {(error.strerror or '').lower()}", kind="plain") from None
    if len(data) > SECRET_LIMIT:
        raise JobFailed(f"invalid secret size {os.path.getsize(path)}: larger than {SECRET_LIMIT} bytes", kind="plain")
    return data


class Stubs:
    """Mount points that the runtime makes in the root file system, to be removed after the run where nothing was put into them."""

    ALWAYS = ("/proc", "/dev", "/sys", "/etc/hosts", "/etc/resolv.conf")

    def __init__(self, root: str, targets: Sequence[str]) -> None:
        self.root = Root(root)
        self.missing: list[tuple[str, tuple[str, int, int] | None]] = []
        for target in (*self.ALWAYS, *targets):
            parts = target.strip("/").split("/")
            for count in range(1, len(parts) + 1):
                path = "/".join(parts[:count])
                if not self._there(path):
                    parent = "/".join(parts[: count - 1])
                    paths = ["/".join(parts[:more]) for more in range(count, len(parts) + 1)]
                    self.missing += [(each, None) for each in reversed(paths[1:])]
                    self.missing.append((paths[0], self._times(parent)))
                    break

    def _there(self, path: str) -> bool:
        try:
            os.close(self.root.open(path, os.O_PATH))
        except OSError:
            return False
        return True

    def _times(self, path: str) -> tuple[str, int, int] | None:
        try:
            descriptor = self.root.open(path, os.O_PATH | os.O_DIRECTORY)
        except OSError:
            return None
        status = os.fstat(descriptor)
        os.close(descriptor)
        return path, status.st_atime_ns, status.st_mtime_ns

    def remove(self) -> None:
        """Remove what is still empty; a folder that lost one gets its time back."""
        for path, times in self.missing:
            parent, _, name = path.rpartition("/")
            try:
                folder = self.root.open(parent, os.O_RDONLY | os.O_DIRECTORY)
            except OSError:
                continue
            try:
                self._remove_one(folder, name)
                if times is not None:
                    os.utime(folder, ns=times[1:])
            except OSError:
                continue
            finally:
                os.close(folder)
        self.root.close()

    def _remove_one(self, folder: int, name: str) -> None:
        import stat

        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            os.rmdir(name, dir_fd=folder)
        elif stat.S_ISREG(status.st_mode) and status.st_size == 0:
            os.unlink(name, dir_fd=folder)
        else:
            raise OSError(39, "not empty")


def run_job(
    child: Child,
    roots: Roots,
    store: ImageStore,
    lease: Lease,
    operation: graph.Run,
    inputs: RunInputs,
    streams: tuple[int, int],
) -> Json:
    """Do a RUN; returns {"DiffId", "Size"}."""
    running = Running(roots, store, operation, inputs)
    try:
        return running.run(child, streams, lease)
    finally:
        running.close()
