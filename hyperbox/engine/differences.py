"""What a container's upper folder changes in its image, as `docker diff` tells it: trees of any depth, each layer walked beside the upper folder."""

from __future__ import annotations

import os
import stat

from hyperbox.engine.state import NEVER, find_container
from hyperbox.errors import disk_error
from hyperbox.image.deep import Descent, Tree
from hyperbox.image.layer import is_opaque, is_whiteout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.engine.state import Roots

    Json = dict[str, object]

# what the runtime and we make in every root: never a change of the container's
MADE = frozenset(
    {
        "/.dockerenv",
        "/dev",
        "/dev/console",
        "/dev/mqueue",
        "/dev/pts",
        "/dev/shm",
        "/etc/hostname",
        "/etc/hosts",
        "/etc/mtab",
        "/etc/resolv.conf",
        "/proc",
        "/sys",
    }
)


def container_changes(roots: Roots, reference: str) -> list[Json]:
    """See `engine.api.Engine.container_changes`."""
    container = find_container(roots, reference)
    if container.state["StartedAt"] == NEVER and str(container.config.get("WorkingDir") or "/") != "/":
        from hyperbox.engine.archive import prepare_root

        prepare_root(roots, container)  # docker makes the working directory as it makes the container
    layers = container.record["Layers"]
    assert isinstance(layers, list)
    found: dict[str, int] = {}
    try:
        _changes_in(f"{container.folder()}/upper", [str(layer) for layer in layers], found)
    except OSError as error:
        raise disk_error(error) from None
    return [{"Path": path, "Kind": found[path]} for path in sorted(found)]


class Below:
    """Where an image's layers (top first) have the folder in which a walk of the upper one stands."""

    __slots__ = ("_layers", "_levels")

    def __init__(self, layers: Sequence[str]) -> None:
        self._layers: list[Descent] = []
        for layer in layers:
            self._layers.append(Descent(layer, kept=1))
        self._levels = [self._layers]

    def look(self, name: str) -> os.stat_result | None:
        """Return what the image has under a name in this folder, or None."""
        for layer in self._levels[-1]:
            try:
                status = os.stat(name, dir_fd=layer.descriptor, follow_symlinks=False)
            except FileNotFoundError:
                continue
            return None if is_whiteout(status) else status
        return None

    def down(self, name: str) -> None:
        """Go to a folder in this one, where the image has it: in no layer, perhaps."""
        inner: list[Descent] = []
        for layer in self._levels[-1]:
            try:
                layer.down(name)
            except FileNotFoundError:
                continue
            except OSError:  # a file, a link or a whiteout: it hides what lies below
                break
            inner.append(layer)
            if is_opaque(f"/proc/self/fd/{layer.descriptor}"):
                break
        self._levels.append(inner)

    def up(self) -> None:
        """Go to where `down` came from."""
        for layer in self._levels.pop():
            layer.up()

    def names(self) -> set[str]:
        """Return what the image has in this folder."""
        found: set[str] = set()
        for layer in self._levels[-1]:
            found.update(os.listdir(layer.descriptor))
        return {name for name in found if self.look(name) is not None}

    def close(self) -> None:
        """Close what is open."""
        for layer in self._layers:
            layer.close()


def _changes_in(upper: str, layers: Sequence[str], found: dict[str, int]) -> None:
    """Note what an upper folder of any depth changes: path -> docker's number for the kind. Raises OSError."""
    if not os.path.isdir(upper):
        return
    below = Below(layers)
    try:
        _walk(Tree(upper, both=True), below, found)
    finally:
        below.close()


def _walk(tree: Tree, below: Below, found: dict[str, int]) -> None:
    changed = [False]  # for each folder on the way, whether something in it has
    for entry in tree:
        path = f"/{entry.name}"
        if entry.is_folder() and not entry.left:
            below.down(entry.last)
            gone = _hidden_by(tree, entry.path, below)
            found.update((f"{path}/{name}", 2) for name in gone)
            changed.append(bool(gone))
            continue
        if entry.left:
            below.up()
        inner = changed.pop() if entry.left else False
        kind = _kind_of_change(entry.status, below.look(entry.last), path, inner)
        if kind is not None:
            found[path] = kind
            changed[-1] = True


def _hidden_by(tree: Tree, folder: str, below: Below) -> set[str]:
    """Return what an image has in a folder that was made anew and has it no more."""
    return below.names().difference(os.listdir(folder)) if is_opaque(folder) else set()


def _kind_of_change(status: os.stat_result, below: os.stat_result | None, path: str, inner: bool) -> int | None:
    """Return docker's number for how a path differs from the image's, or None; `inner`: something in it does."""
    if not inner and (path in MADE or (path == "/etc" and below is None)):
        return None
    if is_whiteout(status):
        return None if below is None else 2
    if below is None:
        return 1
    if inner or differs(status, below):
        return 0
    # a file that was brought up and not written, as by ln(1), is none of docker's changes
    same = (status.st_size, status.st_mtime_ns, status.st_rdev) == (below.st_size, below.st_mtime_ns, below.st_rdev)
    return None if same or stat.S_ISDIR(status.st_mode) else 0


def in_image(layers: Sequence[str], name: str) -> os.stat_result | None:
    """Return what an image has at the top of its root under a name, or None."""
    below = Below(layers)
    try:
        return below.look(name)
    finally:
        below.close()


def differs(status: os.stat_result, below: os.stat_result) -> bool:
    """Return whether mode or owner are others."""
    return (status.st_mode, status.st_uid, status.st_gid) != (below.st_mode, below.st_uid, below.st_gid)
