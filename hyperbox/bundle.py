"""One file with the code of all modules, made by `setup install` beside them: importing from it costs half of what files of their own do.

    8 bytes    the interpreter's magic number for compiled code, and 4 zero bytes
    8 bytes    length of the loader (this module's own code), length of the index: little-endian, 32 bits each
    loader     marshalled code; bin/hyperbox executes it and calls `install`
    index      marshalled {module: (is a package, source's path, its size, its mtime in ns, offset, length)}
    code       marshalled, each module's at its offset

The sources stay the truth: a module whose source has another size or time than when the file was made is imported in the ordinary way, and
so is all where the file is missing or of another interpreter. The loader imports nothing that a started interpreter has not loaded, which
is why its annotations are strings.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    Entry = tuple[bool, str, int, int, int, int]
    Path = Sequence[str] | None

NAME = "modules.bundle"
HEAD = 16
# of the standard library: it is imported by every module of ours, and nothing else on the hot paths is a file of Python
FOREIGN = ("__future__",)


class Finder:
    """A finder and loader (importlib.abc) over the index of a bundle. The file is opened for each module: descriptors don't outlive a fork."""

    __slots__ = ("index", "path")

    def __init__(self, path: str, index: "dict[str, Entry]") -> None:
        self.path = path
        self.index = index

    def find_spec(self, name: str, _path: "Path" = None, _target: object = None) -> "ModuleSpec | None":
        entry = self.index.get(name)
        if entry is None:
            return None
        try:
            status = os.stat(entry[1])
        except OSError:
            return None
        if (status.st_size, status.st_mtime_ns) != entry[2:4]:
            return None
        spec: ModuleSpec = type(__spec__)(name, self, origin=entry[1], is_package=entry[0])  # type: ignore[arg-type]
        spec.has_location = True
        if entry[0]:
            spec.submodule_search_locations = [os.path.dirname(entry[1])]
        return spec

    def create_module(self, _spec: "ModuleSpec") -> None:
        return None

    def exec_module(self, module: "ModuleType") -> None:
        import marshal

        _, _, _, _, offset, length = self.index[module.__name__]
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            code = os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)
        exec(marshal.loads(code), module.__dict__)


def install(path: str, descriptor: int) -> None:
    """Let imports look first into the bundle at `path`, which is open behind `descriptor`."""
    import marshal

    head = os.pread(descriptor, HEAD, 0)
    loader, index = (int.from_bytes(head[place : place + 4], "little") for place in (8, 12))
    entries = marshal.loads(os.pread(descriptor, index, HEAD + loader))
    sys.meta_path.insert(0, Finder(path, entries))


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


def write(package: str) -> None:
    """Make the bundle of the package in the folder `package`, in one step. Raises OSError, SyntaxError."""
    import marshal
    from importlib.util import MAGIC_NUMBER

    from hyperbox.files import write_atomic

    modules = []
    for name, is_package, path in sources(os.path.abspath(package)):
        status = os.stat(path)
        with open(path, "rb") as file:
            code = marshal.dumps(compile(file.read(), path, "exec", dont_inherit=True))
        modules.append((name, (is_package, path, status.st_size, status.st_mtime_ns), code))
    loader = next(code for name, _, code in modules if name == "hyperbox.bundle")
    # offsets are written with their final width whatever their value, so the length of the index is known before they are
    offset = 1 << 30
    length = len(marshal.dumps({name: (*source, offset, offset) for name, source, _ in modules}, 2))
    offset = HEAD + len(loader) + length
    index = {}
    for name, source, code in modules:
        index[name] = (*source, offset, len(code))
        offset += len(code)
    head = MAGIC_NUMBER + bytes(4) + len(loader).to_bytes(4, "little") + length.to_bytes(4, "little")
    content = b"".join((head, loader, marshal.dumps(index, 2), *(code for _, _, code in modules)))
    write_atomic(f"{package}/{NAME}", content, mode=0o644)


if __name__ == "__main__":
    write(os.path.dirname(os.path.abspath(__file__)))
