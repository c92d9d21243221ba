"""Making the file of modules that `bundle` reads, and the groups in it. Run as a program by `setup install`."""

from __future__ import annotations

import ast
import marshal
import os
from importlib.util import MAGIC_NUMBER
from types import CodeType

from hyperbox.bundle import FOREIGN, HEAD, LOADER, NAME
from hyperbox.files import write_atomic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import TypeVar

    Function = TypeVar("Function", ast.FunctionDef, ast.AsyncFunctionDef)
    from hyperbox.bundle import Source


PART = 65536  # bytes; what is larger than 128 KiB gets memory of its own from malloc(3), which is given back at once


def _below(package: str, names: str) -> tuple[str, ...]:
    return tuple(f"hyperbox.{package}.{name}" for name in names.split())


_GRAMMAR = (*_below("cli", "dispatch connect"), *_below("grammar", "flags parse tables values"))
_ENGINE = (*_GRAMMAR, *_below("cli", "configuration_file"), *_below("engine", "control events native state"))
_ENGINE_FOR = (*_ENGINE, "hyperbox.cli.context_store")
_SIGNALS = "hyperbox.kernel.signals"
_LAUNCH = (*_below("engine", "attach containers launch"), _SIGNALS)
_PROCESS = (*_below("engine", "monitor_process spec spec_host"), "hyperbox.runtime.adapters")
# group -> the groups that are there before it, and the modules that it is for, with what these import as they are loaded
GROUPS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "main": ((), ("hyperbox.__main__",)),
    # before a command forks its monitor, and then what each of the two goes on with
    "fork": (("main",), ("hyperbox.cli.connect", *_below("engine", "ahead state"))),
    "monitor": (
        ("main", "fork"),
        (*_PROCESS, *_below("engine", "monitor_start network_files project_groups rootfs")),
    ),
    # what it needs once the runtime is at work: for the network, and while the container runs
    "monitor-serve": (("main", "fork", "monitor"), _below("engine", "monitor network network_setup removal")),
    # and the latter in a fresh interpreter: see engine/monitor_wake.py
    "monitor-wake": ((), _below("engine", "ahead monitor monitor_wake removal")),
    # and what a command needs that ends a container in its place: engine/monitor_end.py
    "monitor-end": (("main",), _below("engine", "monitor_end removal")),
    "exec-monitor": (("main", "fork"), (*_PROCESS, "hyperbox.engine.exec_monitor")),
    "run": (
        ("main", "fork"),
        (
            *_ENGINE,
            *_below("cli", "run container_spec"),
            *_below("engine", "container_spec create_checks creation launch log_options merge_config names recovery"),
            *_below("image", "reference store"),
        ),
    ),
    # what a command in the foreground needs once its monitor is at work
    "attached": (("main", "fork", "run"), ("hyperbox.cli.attached", *_below("engine", "attach containers"), _SIGNALS)),
    "exec": (("main", "fork"), (*_ENGINE_FOR, "hyperbox.cli.streams", *_below("engine", "exec launch"))),
    "exec-attached": (("main", "fork", "exec"), ("hyperbox.cli.attached", *_below("engine", "attach"), _SIGNALS)),
    "start": (("main", "fork"), (*_ENGINE_FOR, *_LAUNCH, "hyperbox.cli.lifecycle")),
    "stop": (("main",), (*_ENGINE_FOR, *_below("cli", "lifecycle"), *_below("engine", "containers"), _SIGNALS)),
    "rm": (
        ("main",),
        (
            *_ENGINE_FOR,
            *_below("cli", "lifecycle project_claims"),
            *_below("engine", "containers inspect recovery removal"),
            _SIGNALS,
            "hyperbox.project.ports",
        ),
    ),
    "ps": (
        ("main",),
        (
            *_ENGINE_FOR,
            *_below("cli", "container_list output templates_lexer"),
            *_below("engine", "inspect life_events listing volumes"),
            "hyperbox.image.store",
        ),
    ),
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


def sources(package: str) -> Iterator[tuple[str, bool, str]]:
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


def imported(text: str) -> Iterator[str]:
    """Yield what a module's source imports as it is loaded: names of modules, and of what may be modules. Pure."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def in_order(entries: Iterable[str], texts: Mapping[str, str]) -> list[str]:
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


def members(group: str, texts: Mapping[str, str]) -> list[str]:
    """Return the modules of a group in order, without those of the groups before it and of the loader. Pure."""
    before, entries = GROUPS[group]
    there = {*LOADER, *(name for each in before for name in members(each, texts))}
    return [name for name in in_order(entries, texts) if name not in there]


class _Lean(ast.NodeTransformer):
    """Takes away what nobody reads on hot paths: annotations (and what makes them strings), imports for them alone, docstrings."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        return ast.copy_location(ast.Pass(), node) if node.module == "__future__" else node

    def visit_If(self, node: ast.If) -> ast.stmt:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING" and not node.orelse:
            return ast.copy_location(ast.Pass(), node)
        self.generic_visit(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        self.generic_visit(node)
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        return self._lean_function(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        return self._lean_function(node)

    def _lean_function(self, node: Function) -> Function:
        node.returns = None
        for part in ast.walk(node.args):
            if isinstance(part, ast.arg):
                part.annotation = None
        self._without_docstring(node)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self._without_docstring(node)
        return node

    def _without_docstring(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self.generic_visit(node)
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.copy_location(ast.Pass(), node.body[0])]


def lean_code(text: str, path: str) -> CodeType:
    """Return the code of a module of a group: a tenth less to load than `compile` gives. Pure."""
    code: CodeType = compile(_Lean().visit(ast.parse(text)), path, "exec", dont_inherit=True)
    return code


def _parts(entries: list[tuple[str, Source, CodeType]]) -> Iterator[bytes]:
    """Yield the parts of a group: as many of its modules as fit into PART, marshalled, one at least."""
    part: list[tuple[str, Source, CodeType]] = []
    size = 0
    for entry in entries:
        own = len(marshal.dumps(entry))
        if part and size + own > PART:
            yield marshal.dumps(tuple(part))
            part, size = [], 0
        part.append(entry)
        size += own
    yield marshal.dumps(tuple(part))


def write(package: str) -> None:
    """Make the bundle of the package in the folder `package`, in one step. Raises OSError, SyntaxError."""
    places: dict[str, Source] = {}
    texts: dict[str, str] = {}
    codes: dict[str, CodeType] = {}
    for name, is_package, path in sources(os.path.abspath(package)):
        status = os.stat(path)
        places[name] = (is_package, path, status.st_size, status.st_mtime_ns)
        with open(path, encoding="utf-8") as file:
            texts[name] = file.read()
        codes[name] = compile(texts[name], path, "exec", dont_inherit=True)
    loader = marshal.dumps(tuple((name, lean_code(texts[name], places[name][1])) for name in LOADER))
    parts = {
        group: list(
            _parts([(name, places[name], lean_code(texts[name], places[name][1])) for name in members(group, texts)])
        )
        for group in GROUPS
    }
    # offsets are written with their final width whatever their value, so the length of the indexes is known before they are
    wide = 1 << 30
    groups = len(marshal.dumps({group: ((wide, wide),) * len(blobs) for group, blobs in parts.items()}, 2))
    length = len(marshal.dumps({name: (*source, wide, wide) for name, source in places.items()}, 2))
    offset = HEAD + len(loader) + groups + length
    written = []

    def place(blob: bytes) -> tuple[int, int]:
        nonlocal offset
        written.append(blob)
        offset += len(blob)
        return offset - len(blob), len(blob)

    indexes = (
        marshal.dumps({group: tuple(map(place, blobs)) for group, blobs in parts.items()}, 2),
        marshal.dumps({name: (*source, *place(marshal.dumps(codes[name]))) for name, source in places.items()}, 2),
    )
    lengths = b"".join(number.to_bytes(4, "little") for number in (len(loader), groups, length))
    content = b"".join((MAGIC_NUMBER, bytes(4), lengths, loader, *indexes, *written))
    write_atomic(f"{package}/{NAME}", content, mode=0o644)


if __name__ == "__main__":
    write(os.path.dirname(os.path.abspath(__file__)))
