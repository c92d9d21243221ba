"""One file with the code of all modules, made by `setup install` (`bundle_making`): importing from it costs half of what files of their own do.

    8 bytes    the interpreter's magic number for compiled code, and 4 zero bytes
    12 bytes   length of the loader, of the groups' and of the modules' index: little-endian, 32 bits each
    loader     marshalled ((name, code), …) of the modules in LOADER; bin/hyperbox executes each and calls its `install`
    groups     marshalled {group: ((offset, length), …)}
    index      marshalled {module: (is a package, source's path, its size, its mtime in ns, offset, length)}
    code       marshalled, each module's and each part of a group at its offset

A group is what one command needs, in the order in which it is imported: a few reads and unmarshallings instead of thirty, and nothing of the
import system's own work. `preload` brings a group in; what it leaves out is imported one by one. It lies in parts, so that each is read into
the memory of the one before: a page that is touched for the first time costs 2-3 µs.

The sources stay the truth: a module whose source has another size or time than when the file was made is imported in the ordinary way, and
so is all where the file is missing or of another interpreter. The loader imports nothing that a started interpreter has not loaded, which
is why its annotations are strings; `os` is the light one from here on.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

    # is a package, source's path, its size, its mtime
    Source = tuple[bool, str, int, int]
    Entry = tuple[bool, str, int, int, int, int]
    Path = Sequence[str] | None

NAME = "modules.bundle"
LOADER = ("hyperbox.light_os", "hyperbox.bundle")
HEAD = 20
# of the standard library: it is imported by every module of ours, and nothing else on the hot paths is a file of Python
FOREIGN = ("__future__",)


class Finder:
    """A finder and loader (importlib.abc) over a bundle. The file is opened whenever something is read: descriptors don't outlive a fork."""

    __slots__ = ("_index", "_index_place", "groups", "path")

    def __init__(
        self, path: str, groups: "dict[str, tuple[tuple[int, int], ...]]", index_place: "tuple[int, int]"
    ) -> None:
        self.path = path
        self.groups = groups
        self._index_place = index_place
        self._index: dict[str, Entry] | None = None

    def find_spec(self, name: str, _path: "Path" = None, _target: object = None) -> "ModuleSpec | None":
        if not name.startswith("hyperbox") and name not in FOREIGN:
            return None
        entry = self.index().get(name)
        if entry is None or not unchanged(entry[:4]):
            return None
        return self.spec(name, entry[:4])

    def spec(self, name: str, source: "Source") -> "ModuleSpec":
        """Return the import system's record of a module."""
        spec: ModuleSpec = type(__spec__)(name, self, origin=source[1], is_package=source[0])  # type: ignore[arg-type]
        spec.has_location = True
        if source[0]:
            spec.submodule_search_locations = [os.path.dirname(source[1])]
        return spec

    def create_module(self, _spec: "ModuleSpec") -> None:
        return None

    def exec_module(self, module: "ModuleType") -> None:
        exec(self.read(self.index()[module.__name__][4:]), module.__dict__)

    def index(self) -> "dict[str, Entry]":
        """Return where each module's code lies."""
        if self._index is None:
            found: dict[str, Entry] = self.read(self._index_place)  # type: ignore[assignment]
            self._index = found
        return self._index

    def read(self, place: "tuple[int, int]") -> "CodeType":
        """Return what lies at (offset, length)."""
        return next(self.each((place,)))  # type: ignore[return-value]

    def each(self, places: "tuple[tuple[int, int], ...]") -> "Iterator[object]":
        """Yield what lies at each (offset, length)."""
        import marshal

        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            for offset, length in places:
                yield marshal.loads(os.pread(descriptor, length, offset))
        finally:
            os.close(descriptor)

    def preload(self, group: str) -> None:
        """Import the modules of a group that are not there yet, but for those whose source has changed."""
        if group not in self.groups:
            return
        entries: tuple[tuple[str, Source, CodeType], ...]
        for entries in self.each(self.groups[group]):  # type: ignore[assignment]
            for name, source, code in entries:
                if name not in sys.modules and unchanged(source):
                    self._load(name, source, code)

    def _load(self, name: str, source: "Source", code: "CodeType") -> None:
        """Do what an import does, where nothing has to be looked for."""
        module = type(sys)(name)
        parent, _, own_name = name.rpartition(".")
        module.__spec__ = self.spec(name, source)
        module.__loader__ = self  # type: ignore[assignment]
        module.__file__ = source[1]
        module.__package__ = name if source[0] else parent
        if source[0]:
            module.__path__ = module.__spec__.submodule_search_locations  # type: ignore[assignment]
        sys.modules[name] = module
        try:
            exec(code, module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
        if parent:
            setattr(sys.modules[parent], own_name, module)


def unchanged(source: "Source") -> bool:
    """Return whether a module's source is what it was when the bundle was made."""
    try:
        status = os.stat(source[1])
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == source[2:]


def install(path: str, descriptor: int) -> None:
    """Let imports look first into the bundle at `path`, which is open behind `descriptor`."""
    import marshal

    head = os.pread(descriptor, HEAD, 0)
    loader, groups, index = (int.from_bytes(head[place : place + 4], "little") for place in (8, 12, 16))
    places = marshal.loads(os.pread(descriptor, groups, HEAD + loader))
    sys.meta_path.insert(0, Finder(path, places, (HEAD + loader + groups, index)))


def install_beside(package: str) -> None:
    """Do the same with the bundle that lies in the package's folder, where there is one that this interpreter can read."""
    try:
        descriptor = os.open(f"{package}/{NAME}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if os.pread(descriptor, 4, 0) == sys.modules["_frozen_importlib_external"].MAGIC_NUMBER:
            install(f"{package}/{NAME}", descriptor)
    finally:
        os.close(descriptor)


def preload(group: str) -> None:
    """Import a group's modules at once where there is a bundle; elsewhere they come one by one, as they are asked for."""
    finder = sys.meta_path[0]
    if type(finder) is Finder:
        finder.preload(group)
