"""Bind mounts that share what is mounted below them with the host (bind-propagation shared, rshared, slave, rslave).

A monitor's mount namespace receives from the host's and gives nothing back. A mount that is to give back is therefore taken out of the
host's namespace by a descriptor before the monitor leaves it (open_tree(2)), and put down in the new one, still in the host's peer group.
"""

from __future__ import annotations

import os

from hyperbox import files
from hyperbox.engine import volumes
from hyperbox.errors import InvalidParameter
from hyperbox.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.state import Container

    Json = dict[str, object]

SHARED = frozenset({"shared", "rshared"})
SLAVE = frozenset({"slave", "rslave"})


def unescaped(text: str) -> str:
    """Return a path of mountinfo without its octal escapes; see proc(5)."""
    if "\\" not in text:
        return text
    return (
        text.encode("latin-1", "surrogateescape")
        .decode("unicode_escape")
        .encode("latin-1")
        .decode("utf-8", "surrogateescape")
    )


def mount_of(path: str) -> tuple[str, bool, bool]:
    """Return (mount point, is shared, receives from another) of the mount that a path lies on."""
    real = os.path.realpath(path)
    found = ("/", False, False)
    for line in files.read_text("/proc/self/mountinfo").splitlines():
        fields = line.split(" ")
        point = unescaped(fields[4])
        if (real + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(found[0]):
            tags = fields[6 : fields.index("-")]
            found = (
                point,
                any(tag.startswith("shared:") for tag in tags),
                any(tag.startswith("master:") for tag in tags),
            )
    return found


def take(container: Container) -> dict[str, int]:
    """Return source -> descriptor of its mount for each bind that is to give back to the host; call it in the host's namespace.

    Raises InvalidParameter with docker's words where a source's mount does not share what the bind asks for.
    """
    held: dict[str, int] = {}
    for point in volumes.points(container):
        propagation, source = str(point.get("Propagation") or ""), str(point.get("Source") or "")
        if point.get("Type") != "bind" or propagation not in SHARED | SLAVE or not os.path.exists(source):
            continue
        place, shared, receives = mount_of(source)
        if propagation in SHARED and not shared:
            raise InvalidParameter(f"path {source} is mounted on {place} but it is not a shared mount")
        if not (shared or receives):
            raise InvalidParameter(f"path {source} is mounted on {place} but it is not a shared or slave mount")
        if propagation in SHARED:
            held[source] = syscalls.open_tree(source, recursive=True)
    return held


def put_down(container: Container, held: dict[str, int], mounts: list[Json]) -> list[Json]:
    """Attach what `take` has taken below the container's runtime folder, and return the OCI mounts with those sources."""
    places = {}
    for number, (source, descriptor) in enumerate(held.items()):
        place = f"{container.roots.container_run(container.id)}/shared-{number}"
        if os.path.isdir(source):
            os.makedirs(place, 0o700, exist_ok=True)
        else:
            files.write_atomic(place, "")
        syscalls.move_mount(descriptor, place)
        os.close(descriptor)
        places[source] = place
    return [
        {**mount, "source": places[str(mount["source"])]} if str(mount.get("source")) in places else mount
        for mount in mounts
    ]
