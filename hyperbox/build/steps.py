"""The jobs of a build that make layers without running anything: COPY, ADD, WORKDIR, and digests of their sources.

Each function runs in a child (see `build.jobs`) and returns what its message holds.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from hyperbox.build.content import Digester, Known, missing
from hyperbox.build.copying import Copier
from hyperbox.build.jobs import JobFailed
from hyperbox.build.tree import EVERYTHING, Root, Rules, SourceMissing
from hyperbox.build.workspace import Workspace
from hyperbox.engine.spec_host import read_in_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.build import graph
    from hyperbox.build.jobs import Child
    from hyperbox.image.store import ImageStore, Lease

    Json = dict[str, object]


class Place(NamedTuple):
    """Where a source's files are: a context's folder with its rules, or layers (bottom first) to be mounted."""

    folder: str = ""
    rules: Rules = EVERYTHING
    known: str = ""
    diff_ids: tuple[str, ...] = ()

    @property
    def is_context(self) -> bool:
        """Whether these are a context's files, which all become root's."""
        return bool(self.folder)


def exclusion(patterns: Sequence[str]) -> Rules:
    """Return the rules of --exclude, for paths relative to a source."""
    if not patterns:
        return EVERYTHING
    from hyperbox.build.ignore import IgnoreRules, read_patterns

    rules = IgnoreRules(read_patterns("\n".join(patterns)))
    return Rules(rules.excluded, rules.prunes)


def open_place(work: Workspace, place: Place) -> Root:
    """Return the root of a source; layers are mounted first."""
    if place.is_context:
        return Root(place.folder, place.rules)
    return Root(work.mount(place.diff_ids))


def digest_job(
    child: Child,
    store: ImageStore,
    places: Sequence[Place],
    wanted: Sequence[tuple[int, str]],
    exclude: Sequence[str],
    *,
    any_depth: bool = False,
) -> Json:
    """Return {"Digests": for each (place, pattern) its [name, digest] pairs, "Bytes": read or known}."""
    work = Workspace(store)
    rules = exclusion(exclude)
    total = index = 0
    digests: list[object] = []
    try:
        digesters: dict[int, Digester] = {}
        for index, pattern in wanted:
            if index not in digesters:
                place = places[index]
                digesters[index] = Digester(open_place(work, place), Known(place.known), owned=not place.is_context)
            digests.append(digesters[index].selection(pattern, rules, any_depth=any_depth))
        for digester in digesters.values():
            digester.known.save()
            total += digester.bytes
    except SourceMissing as error:
        raise JobFailed(missing(error), kind="missing", code=index) from None
    finally:
        work.close()
    return {"Digests": digests, "Bytes": total}


def copy_job(
    child: Child, store: ImageStore, lease: Lease, operation: graph.Copy, base: Sequence[str], places: Sequence[Place]
) -> Json:
    """Do a COPY or ADD over the layers `base` and keep the layer; returns {"DiffId", "Size"}."""
    work = Workspace(store)
    try:
        root = work.begin(base)
        owner = resolve_owner(root, operation.chown)
        rules = exclusion(operation.exclude)
        roots = [open_place(work, place) for place in places]
        for source in operation.sources:
            place = places[source.input - 1]
            copier = Copier(root, owner, operation.chmod, operation.created, owned=not place.is_context)
            copy_source(copier, roots[source.input - 1], source, operation, rules)
            copier.finish()
        copier = Copier(root, owner, operation.chmod, operation.created, owned=False)
        for document in operation.inline:
            copier.inline(document.name, document.text, operation.destination)
        copier.finish()
        for each in roots:
            each.close()
        return work.keep(lease)
    except SourceMissing as error:
        raise JobFailed(missing(error), kind="missing") from None
    finally:
        work.close()


def copy_source(copier: Copier, root: Root, source: graph.From, operation: graph.Copy, rules: Rules) -> None:
    """Copy all that one source matches."""
    pattern, base = source.path, ""
    if operation.parents:
        base, dot, rest = source.path.partition("/./")
        base, pattern = (base, f"{base}/{rest}") if dot else ("", source.path)
        base = os.path.normpath("/" + base.lstrip("/")).lstrip("/")
        pattern = os.path.normpath("/" + pattern.lstrip("/"))
    for match in root.matches(pattern, any_depth=operation.parents):
        try:
            destination = operation.destination
            if source.unpack and unpacked(copier, match.folder, match.last, match.status, destination):
                continue
            if operation.parents:
                destination = copier.parents_of(root, match.path, base, destination)
                if os.path.basename(match.path) and match.last == ".":
                    destination += os.path.basename(match.path)
            copier.match(root, match, destination, rules)
        finally:
            match.close()


def unpacked(copier: Copier, folder: int, name: str, status: os.stat_result, destination: str) -> bool:
    """Unpack a source of ADD where it is an archive; returns whether it was."""
    import stat

    from hyperbox.build.unpacking import is_archive, unpack_into

    if not stat.S_ISREG(status.st_mode):
        return False
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        if not is_archive(descriptor):
            return False
        target = copier.folder(destination)
        try:
            unpack_into(descriptor, target, copier.owner)
        finally:
            os.close(target)
        return True
    finally:
        os.close(descriptor)


def resolve_owner(root: str, text: str) -> tuple[int, int] | None:
    """Return (uid, gid) of --chown, names looked up in the image at `root`; a user that it does not have is 0, as in BuildKit.

    Without a group, or with one that the image does not have: the group of the account, or for a number the same number.
    """
    if not text:
        return None
    user, colon, group = text.partition(":")
    uid = gid = 0
    if user.isdigit():
        uid = gid = int(user)
    elif user:
        for row in _rows(read_in_root(root, "etc/passwd")):
            if row[0] == user and len(row) > 3 and row[2].isdigit() and row[3].isdigit():
                uid, gid = int(row[2]), int(row[3])
                break
    if colon and group.isdigit():
        gid = int(group)
    elif colon and group:
        for row in _rows(read_in_root(root, "etc/group")):
            if row[0] == group and len(row) > 2 and row[2].isdigit():
                gid = int(row[2])
                break
    if max(uid, gid) >= 1 << 32:
        raise JobFailed(f"invalid user index: {text}")
    return uid, gid


def _rows(content: bytes) -> list[list[str]]:
    return [line.split(":") for line in content.decode("utf-8", "replace").splitlines()]


def folder_job(child: Child, store: ImageStore, lease: Lease, operation: graph.MakeFolder, base: Sequence[str]) -> Json:
    """Do a WORKDIR: make the folder, its user's own, where it is not there."""
    work = Workspace(store)
    try:
        root = work.begin(base)
        copier = Copier(root, resolve_owner(root, operation.user), "", operation.created, owned=False)
        os.close(copier.folder(operation.path))
        copier.finish()
        return work.keep(lease)
    finally:
        work.close()
