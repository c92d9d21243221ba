"""Contexts: where the files of a build come from, brought into a folder, and the ignore file's rules for them."""

from __future__ import annotations

import hashlib
import os

from hyperbox import files
from hyperbox.build.api import BuildFailed
from hyperbox.build.ignore import IgnoreRules, read_patterns
from hyperbox.build.jobs import JobFailed
from hyperbox.build.steps import Place
from hyperbox.build.tree import EVERYTHING, Root, Rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.build.api import Source
    from hyperbox.image.store import ImageStore

MAXIMUM_TEXT = 16 << 20  # bytes of a Dockerfile or an ignore file


class Context:
    """One context: its folder, and its files as a place once the ignore rules are read."""

    __slots__ = ("folder", "known", "place")

    def __init__(self, folder: str, known: str = "") -> None:
        self.folder = folder
        self.known = known
        self.place = Place(folder, EVERYTHING, known)

    def read(self, path: str) -> bytes | None:
        """Return a file of the context, links followed inside it; None where it is not there. Raises BuildFailed for one that is too large."""
        root = Root(self.folder)
        try:
            descriptor = root.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return None
        finally:
            root.close()
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(MAXIMUM_TEXT + 1)
        if len(data) > MAXIMUM_TEXT:
            raise BuildFailed(f"{path} is larger than {MAXIMUM_TEXT >> 20} MiB")
        return data

    def ignore(self, text: str) -> None:
        """Leave out what an ignore file names. Raises IgnoreError."""
        patterns = read_patterns(text)
        if patterns:
            rules = IgnoreRules(patterns)
            self.place = Place(self.folder, Rules(rules.excluded, rules.prunes), self.known)


def folder_context(data: str, path: str) -> Context:
    """Return the context of a folder of the host. Raises BuildFailed where it is not there."""
    if not os.path.isdir(path):
        raise BuildFailed(f"unable to prepare context: path {path!r} not found".replace("'", '"'))
    parent = f"{data}/build/contexts"
    os.makedirs(parent, 0o700, exist_ok=True)
    name = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:32]
    return Context(path, f"{parent}/{name}.json")


def staging(store: ImageStore) -> str:
    """Return a new folder of this process in the store's staging."""
    path = store.staging(f"context-{os.urandom(6).hex()}")
    os.mkdir(path, 0o755)
    return path


def fetch(store: ImageStore, data: str, source: Source) -> tuple[Context, bytes | None, list[str]]:
    """Return (context, a Dockerfile where the source is one, folders to remove at the end). Raises BuildFailed."""
    from hyperbox.build.fetching import clone, download, extract

    if source.kind == "folder":
        return folder_context(data, source.location), None, []
    if source.kind == "layout":
        raise BuildFailed(f"oci-layout contexts are not supported: {source.location}")
    folder = staging(store)
    if source.kind == "empty":
        return Context(folder), None, [folder]
    try:
        if source.kind == "archive":
            extract(source.location, folder)
            return Context(folder), None, [folder]
        if source.kind == "git":
            url, _, fragment = source.location.partition("#")
            reference, _, subfolder = fragment.partition(":")
            return Context(clone(url, reference, subfolder, folder, keep_git_dir=False)), None, [folder]
        if source.kind == "url":
            path = f"{folder}.download"
            try:
                download(source.location, path)
            except JobFailed as error:
                raise BuildFailed(f"failed to solve: failed to read downloaded context: {error.message}") from None
            try:
                if not extract(path, folder, required=False):
                    with open(path, "rb") as file:
                        return Context(folder), file.read(MAXIMUM_TEXT), [folder]
            finally:
                files.remove_tree(path)
            return Context(folder), None, [folder]
    except BaseException:
        files.remove_tree(folder)
        raise
    raise BuildFailed(f"unknown kind of context: {source.kind}")
