"""What the native engine remembers, on disk: folders, records, names, locks.

    DATA/                               kept over reboots
      making/frozen.ID-PID-START        the process PID has frozen the container while it reads it (`freezing`)
      making/ID-PID-START/              a container that the process PID is making; renamed to containers/ID when it is whole
      containers/ID/container.json      what it was made from: {"Id", "Name", "Created", "ImageID", "Project", "Config", "HostConfig", …};
                                        changed by rename and update alone
      containers/ID/state.json          what it is now: {"Status", "Pid", "PidStart", "Monitor", "MonitorStart", "ExitCode", …}; not there
                                        before the first start
      containers/ID/wanted              symbolic link to "stopped" (by kill and rm) or "stop" (by stop, whose event whoever records the
                                        end tells): nobody is to restart it; removed by start
      containers/ID/{upper,work}/       its overlay; merged/ is where the monitor mounts it, in its own mount namespace
      containers/ID/ID-json.log         its output
      removing/ID/                      a container that is no more for anybody; its monitor, or the next command, removes the rest
      names/NAME                        claim: symbolic link to the id
      networks/ volumes/ images/ projects/ budgets/   the rooms' own, see there
    RUN/                                gone after a reboot
      containers/ID/                    config.json (the OCI bundle), monitor.sock, exec sockets
      runtime/NAME/                     an OCI runtime's own state; runtime/NAME-filters/ what `runtime/filters` keeps for it
      events                            one JSON object a line
      restored                          what came back after the machine's start; see `restore`

Locks, always taken in this order: containers/ID/lock (one container's start and removal; a starting monitor inherits it, so that it outlives
a command that is killed), containers/ID/state.lock (around reading, changing and writing state.json), then the rooms' own. Names need
none (claims). A record is replaced as a whole, so reading needs no lock.
"""

from __future__ import annotations

import os
import time

from hyperbox import files, process
from hyperbox.errors import Conflict, EmptyName, EngineError, HyperBoxError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Json = dict[str, object]

STOP = "stop"


class Roots:
    """Where an engine keeps things: the data folder, the runtime folder, and the name of its cgroup parent.

    `test_step` is empty but in tests of crashes; see `reached`. `pool` gives (address, prefix length, prefix length of one network) of what new
    networks get their subnets from.
    """

    __slots__ = ("cgroup", "data", "pool", "run", "test_step")

    def __init__(
        self,
        data: str,
        run: str,
        cgroup: str,
        test_step: str = "",
        pool: Callable[[], tuple[str, int, int]] = lambda: ("10.89.0.0", 16, 24),
    ) -> None:
        self.data = data
        self.run = run
        self.cgroup = cgroup
        self.test_step = test_step
        self.pool = pool

    def reached(self, step: str) -> None:
        """Called between two changes to the machine, with the name of the first; does nothing but in tests.

        There `test_step` names the step at which the process is to kill itself, or a file (with "/") to which the steps are appended.
        """
        if self.test_step:
            test_reached(self.test_step, step)

    def container(self, container_id: str) -> str:
        """Return a container's data folder."""
        return f"{self.data}/containers/{container_id}"

    def container_run(self, container_id: str) -> str:
        """Return a container's runtime folder."""
        return f"{self.run}/containers/{container_id}"

    def monitor_socket(self, container_id: str) -> str:
        """Return the path of the socket that a container's monitor serves."""
        return f"{self.run}/containers/{container_id}/monitor.sock"

    def log(self, container_id: str) -> str:
        """Return the path of a container's log."""
        return f"{self.data}/containers/{container_id}/{container_id}-json.log"

    def prepare(self) -> bool:
        """Make the folders where they are missing; returns whether all is as the machine's start wants it (see `restore`)."""
        if os.path.exists(f"{self.run}/restored") and os.path.isdir(f"{self.data}/names"):
            return True
        for name in ("making", "containers", "removing", "names", "images"):
            os.makedirs(f"{self.data}/{name}", 0o711, exist_ok=True)
        os.makedirs(f"{self.run}/containers", 0o711, exist_ok=True)
        from hyperbox.kernel.inode_flags import spread_folders

        spread_folders(f"{self.data}/making")
        return False


class Container:
    """A container's two records as they were when they were read. `record` never changes but for rename and update."""

    __slots__ = ("id", "record", "roots", "state")

    def __init__(self, roots: Roots, container_id: str, record: Json, state: Json) -> None:
        self.roots = roots
        self.id = container_id
        self.record = record
        self.state = state

    @property
    def name(self) -> str:
        return str(self.record["Name"])

    @property
    def project(self) -> str:
        return str(self.record["Project"])

    @property
    def config(self) -> Json:
        """The API's ContainerConfig with the image's own defaults merged in."""
        value = self.record["Config"]
        assert isinstance(value, dict)
        return value

    @property
    def host_config(self) -> Json:
        value = self.record["HostConfig"]
        assert isinstance(value, dict)
        return value

    @property
    def status(self) -> str:
        return str(self.state["Status"])

    @property
    def pid(self) -> int:
        value = self.state.get("Pid", 0)
        assert isinstance(value, int)
        return value

    @property
    def running(self) -> bool:
        """Whether it counts as running: also while paused or waiting for its next start."""
        return self.status in ("running", "paused", "restarting")

    def stopped_by_stop(self) -> bool:
        """Whether `stop` is what ends it, or has."""
        return files.claim_owner(f"{self.folder()}/wanted") == STOP

    def lock(self) -> files.Lock:
        """Return the lock of this container's start, stop and removal."""
        return files.Lock(f"{self.roots.container(self.id)}/lock")

    def folder(self) -> str:
        """Return its data folder."""
        return self.roots.container(self.id)


def test_reached(wish: str, step: str) -> None:
    """Die by SIGKILL where `step` is the one that a test wishes for, or note the step in the file that it names."""
    if wish == step:
        os.kill(os.getpid(), 9)
    elif "/" in wish:
        descriptor = os.open(wish, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.write(descriptor, f"{step}\n".encode())
        os.close(descriptor)


DISK_FULL = (28, 122)  # ENOSPC, EDQUOT
NEVER = "0001-01-01T00:00:00Z"


def new_state() -> Json:
    """Return the state of a container that was just made."""
    return {
        "Status": "created",
        "Pid": 0,
        "PidStart": 0,
        "Monitor": 0,
        "MonitorStart": 0,
        "ExitCode": 0,
        "Error": "",
        "StartedAt": NEVER,
        "FinishedAt": NEVER,
        "OOMKilled": False,
        "RestartCount": 0,
        "Health": None,
        "Networks": {},
        "Ports": {},
    }


def new_id() -> str:
    """Return a new container id: 64 hexadecimal digits, the first 12 of them never all decimal."""
    while True:
        container_id = os.urandom(32).hex()
        if not container_id[:12].isdigit():
            return container_id


def now() -> str:
    """The present time as the Engine API writes it (RFC 3339, nanoseconds, UTC)."""
    nanoseconds = time.time_ns()
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(nanoseconds // 10**9))}.{nanoseconds % 10**9:09d}Z"


def read_container(roots: Roots, container_id: str) -> Container:
    """Read one container by its full id. Raises NotFound where it is not there or not fully made."""
    folder = roots.container(container_id)
    try:
        record = files.read_json(f"{folder}/container.json")
    except (OSError, ValueError):
        raise NotFound(f"No such container: {container_id}") from None
    try:
        state = files.read_json(f"{folder}/state.json")
    except (OSError, ValueError):
        state = new_state()
    assert isinstance(record, dict)
    assert isinstance(state, dict)
    return Container(roots, container_id, record, state)


def container_ids(roots: Roots) -> list[str]:
    """Return the ids of all container folders, half-made ones included."""
    try:
        return os.listdir(f"{roots.data}/containers")
    except FileNotFoundError:
        return []


def find_id(roots: Roots, reference: str) -> str:
    """Return the full id that a name, an id or the beginning of one means. Raises NotFound, EmptyName, Conflict for several."""
    name = reference[1:] if reference.startswith("/") else reference
    if name and "/" not in name and name not in (".", ".."):
        if len(name) == 64 and os.path.exists(f"{roots.container(name)}/container.json"):
            return name
        owner = files.claim_owner(f"{roots.data}/names/{name}")
        if owner is not None:
            return owner
        matches = [container_id for container_id in container_ids(roots) if container_id.startswith(name)]
        if len(matches) == 1:
            return matches[0]
        if len(matches) > 1:
            raise Conflict(f"Multiple IDs found with provided prefix: {name}")
    if not reference.strip():
        raise EmptyName("container")
    raise NotFound(f"No such container: {reference}")


def notice_end(roots: Roots, container_id: str) -> None:
    """Have the end of a container recorded and told where its monitor, which was to do that, was killed; see `recovery`."""
    try:
        find_container(roots, container_id)
    except HyperBoxError:  # it is gone, or another command's matter
        return


def find_container(roots: Roots, reference: str) -> Container:
    """Return the container that `reference` means, its state checked against the processes that it names."""
    try:
        return settled(read_container(roots, find_id(roots, reference)))
    except NotFound:  # removed between the two looks: told by the name that the user gave
        raise NotFound(f"No such container: {reference}") from None


def update_state(container: Container, changes: Json) -> None:
    """Change some fields of the state, as it is on disk now, and write it. Raises NotFound where the container is gone."""
    change_state(container, lambda _present: changes)


def change_state(container: Container, change: Callable[[Json], Json | None]) -> bool:
    """Change the state by what `change` makes of it as it is on disk now, nothing where that is None; returns whether it was changed.

    Raises NotFound where the container is gone.
    """
    path = f"{container.folder()}/state.json"
    try:
        with files.Lock(f"{container.folder()}/state.lock"):
            try:
                present = files.read_json(path)
            except (FileNotFoundError, ValueError):
                present = container.state
            assert isinstance(present, dict)
            changes = change(present)
            container.state = {**present, **(changes or {})}
            if changes is None:
                return False
            try:
                files.write_json(path, container.state)
            except OSError as error:
                if error.errno not in DISK_FULL or not os.path.exists(path):
                    raise
                files.overwrite_json(path, container.state)  # the end of a container must be told, and stop must work
    except FileNotFoundError:
        raise NotFound(f"No such container: {container.id}") from None
    return True


def monitor_is_alive(container: Container) -> bool:
    """Return whether the container's monitor runs."""
    monitor, started = container.state.get("Monitor", 0), container.state.get("MonitorStart", 0)
    assert isinstance(monitor, int)
    assert isinstance(started, int)
    return monitor > 0 and process.is_alive(monitor, started or None)


def is_settled(container: Container) -> bool:
    """Return whether a container's state is true; see `settled`."""
    status = container.status
    if status == "exited":  # all but the monitor's last steps may be done, or a new one may have died in its first
        return not holds_something(container) or monitor_is_alive(container)
    if status != "created" or container.state["Monitor"]:
        return monitor_is_alive(container)
    maker = container.record.get("Maker")
    if maker is None or container.state["Error"]:
        return True
    pid, _, started = str(maker).partition("-")
    return process.is_alive(int(pid), int(started))


def holds_something(container: Container) -> bool:
    """Return whether a monitor's socket or bundle is there; the sockets of those who wait for a start (`attach`) are no monitor's."""
    try:
        names = os.listdir(container.roots.container_run(container.id))
    except FileNotFoundError:
        return False
    return any(not name.startswith("waiting.") for name in names)


def settled(container: Container) -> Container:
    """Return the container with a state that is true: one whose monitor died is brought to its end first.

    A container never outlives its monitor for long: its output would go nowhere and its exit code would be lost. One that was made to
    be started at once, by a command that was killed before it could, has never been. Raises NotFound where the container is gone then.
    """
    if is_settled(container):
        return container
    again = read_container(container.roots, container.id)
    if is_settled(again):
        return again
    from hyperbox.engine.recovery import recover

    return recover(again)


def claim_name(roots: Roots, name: str, container_id: str) -> None:
    """Take a name for a container. Raises Conflict with docker's words; a claim whose container is gone is taken over."""
    path = f"{roots.data}/names/{name}"
    for _ in range(8):
        owner = files.claim(path, container_id)
        if owner is None or owner == container_id:
            return
        # in this order: a container moves from making/ to containers/, never back
        if is_being_made(roots, owner) or (is_there(roots, owner) and not has_left(roots, name, owner)):
            raise Conflict(
                f'Conflict. The container name "/{name}" is already in use by container "{owner}". '
                "You have to remove (or rename) that container to be able to reuse that name."
            )
        release_name(roots, name, owner)
    raise EngineError(f"the name {name} could not be taken")


def is_there(roots: Roots, container_id: str) -> bool:
    """Return whether there is a container of this id, once what killed commands left of it is gone."""
    try:
        settled(read_container(roots, container_id))
    except NotFound:
        return os.path.exists(roots.container(container_id))
    return True


def has_left(roots: Roots, name: str, container_id: str) -> bool:
    """Return whether a container that claims `name` has another one by now: a rename was killed before it gave the old one back."""
    try:
        with files.Lock(f"{roots.container(container_id)}/lock", wait=False) as lock:
            return lock.descriptor >= 0 and read_container(roots, container_id).name != name
    except (FileNotFoundError, NotFound):
        return False


def is_being_made(roots: Roots, container_id: str) -> bool:
    """Return whether a living process is making a container of this id."""
    try:
        entries = os.listdir(f"{roots.data}/making")
    except FileNotFoundError:
        return False
    return any(entry.startswith(container_id) and maker_is_alive(entry) for entry in entries)


def maker_is_alive(entry: str) -> bool:
    """Return whether the process named by a folder in making/ ("ID-PID-START") still runs."""
    _container_id, pid, started = entry.split("-")
    return process.is_alive(int(pid), int(started))


def release_name(roots: Roots, name: str, container_id: str) -> None:
    """Give a name back, if it is still this container's."""
    path = f"{roots.data}/names/{name}"
    if files.claim_owner(path) == container_id:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass


def all_containers(roots: Roots) -> Iterator[Container]:
    """Yield every container that is fully made, in no order."""
    for container_id in container_ids(roots):
        try:
            yield settled(read_container(roots, container_id))
        except NotFound:
            continue


def image_users(roots: Roots) -> dict[str, list[str]]:
    """Return the ids of the containers that were made from each image."""
    users: dict[str, list[str]] = {}
    for container_id in container_ids(roots):
        try:
            record = files.read_json(f"{roots.container(container_id)}/container.json")
        except (OSError, ValueError):
            continue
        if isinstance(record, dict):
            held = {str(record.get("ImageID", ""))}
            points = record.get("Mounts")
            for point in points if isinstance(points, list) else ():
                if isinstance(point, dict) and point.get("ImageID"):
                    held.add(str(point["ImageID"]))
            for image_id in held:
                users.setdefault(image_id, []).append(container_id)
    return users
