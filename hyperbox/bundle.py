"""One file with the code of all modules, made by `setup install` beside them: importing from it costs half of what files of their own do.

    8 bytes    the interpreter's magic number for compiled code, and 4 zero bytes
    12 bytes   length of the loader (this module's own code), of the groups' and of the modules' index: little-endian, 32 bits each
    loader     marshalled code; bin/hyperbox executes it as the module hyperbox.bundle and calls `install`
    groups     marshalled {group: (offset, length)}
    index      marshalled {module: (is a package, source's path, its size, its mtime in ns, offset, length)}
    code       marshalled, each module's and each group's at its offset

A group is what one command needs, in the order in which it is imported: one read and one unmarshalling instead of thirty, and nothing of the
import system's own work. `preload` brings a group in; what it leaves out is imported one by one.

The sources stay the truth: a module whose source has another size or time than when the file was made is imported in the ordinary way, and
so is all where the file is missing or of another interpreter. The loader imports nothing that a started interpreter has not loaded, which
is why its annotations are strings.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

    # is a package, source's path, its size, its mtime
    Source = tuple[bool, str, int, int]
    Entry = tuple[bool, str, int, int, int, int]
    Path = Sequence[str] | None

NAME = "modules.bundle"
HEAD = 20
# of the standard library: it is imported by every module of ours, and nothing else on the hot paths is a file of Python
FOREIGN = ("__future__",)


def _below(package: str, names: str) -> "tuple[str, ...]":
    return tuple(f"hyperbox.{package}.{name}" for name in names.split())


_GRAMMAR = (*_below("cli", "dispatch connect"), *_below("grammar", "flags parse tables values"))
_ENGINE = (*_GRAMMAR, *_below("cli", "configuration_file"), *_below("engine", "control events native state"))
_ENGINE_FOR = (*_ENGINE, "hyperbox.cli.context_store")
_LAUNCH = _below("engine", "attach containers launch signals")
_PROCESS = (
    *_below("engine", "monitor_loop monitor_process monitor_streams spec spec_host"),
    "hyperbox.runtime.adapters",
)
# group -> the groups that are there before it, and the modules that it is for, with what these import as they are loaded
GROUPS: "dict[str, tuple[tuple[str, ...], tuple[str, ...]]]" = {
    "main": ((), ("hyperbox.__main__",)),
    # before a command forks its monitor, and then what each of the two goes on with
    "fork": (("main",), ("hyperbox.cli.connect", *_below("engine", "ahead state"))),
    "monitor": (
        ("main", "fork"),
        (*_PROCESS, *_below("engine", "monitor_start network network_files network_setup project_groups rootfs")),
    ),
    # what it needs while its container runs
    "monitor-serve": (("main", "fork", "monitor"), _below("engine", "monitor removal")),
    "exec-monitor": (("main", "fork"), (*_PROCESS, "hyperbox.engine.exec_monitor")),
    "run": (
        ("main", "fork"),
        (
            *_ENGINE,
            *_LAUNCH,
            *_below("cli", "run container_spec attached"),
            *_below("engine", "container_spec create_checks creation log_options merge_config names recovery"),
            *_below("image", "reference store"),
        ),
    ),
    "exec": (("main", "fork"), (*_ENGINE_FOR, *_LAUNCH, *_below("cli", "attached streams"), "hyperbox.engine.exec")),
    "start": (("main", "fork"), (*_ENGINE_FOR, *_LAUNCH, "hyperbox.cli.lifecycle")),
    "stop": (("main",), (*_ENGINE_FOR, *_below("cli", "lifecycle"), *_below("engine", "containers signals"))),
    "rm": (
        ("main",),
        (*_ENGINE_FOR, "hyperbox.cli.lifecycle", *_below("engine", "containers recovery removal signals")),
    ),
    "ps": (("main",), (*_ENGINE_FOR, *_below("cli", "container_list output"), *_below("engine", "inspect listing"))),
    "images": (("main",), (*_ENGINE_FOR, *_below("cli", "image_list output"), *_below("image", "listing store"))),
    "inspect": (("main",), (*_ENGINE_FOR, *_below("cli", "inspect output"), *_below("engine", "inspect spec volumes"))),
    "logs": (
        ("main",),
        (*_ENGINE_FOR, *_below("cli", "moments streams attached"), *_below("engine", "log_options logs")),
    ),
    "__complete": (
        ("main",),
        (*_GRAMMAR, "hyperbox.cli.complete", *_below("grammar", "complete complete_table help tables_help")),
    ),
}


class Finder:
    """A finder and loader (importlib.abc) over a bundle. The file is opened whenever something is read: descriptors don't outlive a fork."""

    __slots__ = ("_index", "_index_place", "groups", "path")

    def __init__(self, path: str, groups: "dict[str, tuple[int, int]]", index_place: "tuple[int, int]") -> None:
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
        import marshal

        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.pread(descriptor, place[1], place[0])
        finally:
            os.close(descriptor)
        return marshal.loads(data)  # type: ignore[no-any-return]

    def preload(self, group: str) -> None:
        """Import the modules of a group that are not there yet, but for those whose source has changed."""
        if group not in self.groups:
            return
        entries: tuple[tuple[str, Source, CodeType], ...] = self.read(self.groups[group])  # type: ignore[assignment]
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


def preload(group: str) -> None:
    """Import a group's modules at once where there is a bundle; elsewhere they come one by one, as they are asked for."""
    finder = sys.meta_path[0]
    if type(finder) is Finder:
        finder.preload(group)


# --- making ---
def sources(package: str) -> "Iterator[tuple[str, bool, str]]":
    """Yield (module, is a package, path) of every module below the folder of a package, and of those of the standard library."""
    for folder, folders, names in os.walk(package):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            path = f"{folder}/{name}"
            if name.endswith(".py"):
                words = os.path.relpath(path, os.path.dirname(package))[:-3].split("/")
                is_package = words[-1] == "__init__"
                yield ".".join(words[:-1] if is_package else words), is_package, path
    for name in FOREIGN:
        yield name, False, str(__import__(name).__file__)


def imported(text: str) -> "Iterator[str]":
    """Yield what a module's source imports as it is loaded: names of modules, and of what may be modules. Pure."""
    import ast

    for node in ast.parse(text).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def in_order(entries: "Iterable[str]", texts: "Mapping[str, str]") -> "list[str]":
    """Return `entries` (those that are in `texts`) and all that they import, each after what it needs itself. Pure."""
    found: list[str] = []

    def visit(name: str) -> None:
        if name in found or name in visiting or name not in texts:
            return
        visiting.add(name)
        visit(name.rpartition(".")[0])
        for each in imported(texts[name]):
            visit(each)
        found.append(name)

    visiting: set[str] = set()
    for entry in entries:
        visit(entry)
    return found


def members(group: str, texts: "Mapping[str, str]") -> "list[str]":
    """Return the modules of a group in order, without those of the groups before it. Pure."""
    before, entries = GROUPS[group]
    there = {name for each in before for name in (*members(each, texts),)}
    return [name for name in in_order(entries, texts) if name not in there]


def write(package: str) -> None:
    """Make the bundle of the package in the folder `package`, in one step. Raises OSError, SyntaxError."""
    import marshal
    from importlib.util import MAGIC_NUMBER

    from hyperbox.files import write_atomic

    places: dict[str, Source] = {}
    texts: dict[str, str] = {}
    codes: dict[str, CodeType] = {}
    for name, is_package, path in sources(os.path.abspath(package)):
        status = os.stat(path)
        places[name] = (is_package, path, status.st_size, status.st_mtime_ns)
        with open(path, encoding="utf-8") as file:
            texts[name] = file.read()
        codes[name] = compile(texts[name], path, "exec", dont_inherit=True)
    loader = marshal.dumps(codes["hyperbox.bundle"])
    blobs = {name: marshal.dumps(code) for name, code in codes.items()}
    joined = {
        group: marshal.dumps(tuple((name, places[name], codes[name]) for name in members(group, texts)))
        for group in GROUPS
    }
    # offsets are written with their final width whatever their value, so the length of the indexes is known before they are
    wide = 1 << 30
    groups = len(marshal.dumps(dict.fromkeys(joined, (wide, wide)), 2))
    length = len(marshal.dumps({name: (*source, wide, wide) for name, source in places.items()}, 2))
    offset = HEAD + len(loader) + groups + length
    offsets = {}
    for key, blob in (*blobs.items(), *joined.items()):
        offsets[key] = (offset, len(blob))
        offset += len(blob)
    lengths = b"".join(number.to_bytes(4, "little") for number in (len(loader), groups, length))
    indexes = (
        marshal.dumps({group: offsets[group] for group in joined}, 2),
        marshal.dumps({name: (*source, *offsets[name]) for name, source in places.items()}, 2),
    )
    content = b"".join((MAGIC_NUMBER, bytes(4), lengths, loader, *indexes, *blobs.values(), *joined.values()))
    write_atomic(f"{package}/{NAME}", content, mode=0o644)


if __name__ == "__main__":
    write(os.path.dirname(os.path.abspath(__file__)))
