"""The module `os` without what hot commands don't ask of it: importing it whole takes 1.7 ms, a tenth of what a short command takes.

`install`, which bin/hyperbox calls before anything imports `os`, puts a module of that name in its place that has what `posix` has, `path`,
and the few more names that hot paths use. Whoever asks for any other name gets it: Python's own `os` is imported then. Where that is
loaded already, as with `site`, nothing is done.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

posix = sys.modules["posix"]  # loaded by the import system itself
ModuleType = type(sys)
CODING = sys.getfilesystemencoding()
ERRORS = sys.getfilesystemencodeerrors()


class LightOs(ModuleType):  # type: ignore[valid-type,misc]
    """A module that becomes as `os` is as soon as a name is asked for that it has not."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__") and name not in ("__all__", "__file__"):  # what the import system asks of any module
            raise AttributeError(name)
        complete(self)
        return getattr(self, name)


class Environment(dict):  # type: ignore[type-arg]
    """The variables of this process. One who changes them changes those of the whole module, as that calls putenv(3)."""

    __slots__ = ()


def _changing(name: str) -> "Callable[..., object]":
    def change(self: Environment, *arguments: object, **more: object) -> object:
        module = sys.modules["os"]
        if isinstance(module, LightOs):
            complete(module)
        whole = sys.modules["os"].environ
        result = getattr(whole, name)(*arguments, **more)
        dict.clear(self)
        dict.update(self, whole)
        return result

    return change


for _name in ("__delitem__", "__ior__", "__setitem__", "clear", "pop", "popitem", "setdefault", "update"):
    setattr(Environment, _name, _changing(_name))


def complete(module: "LightOs") -> None:
    """Import Python's own `os` in place of the module, and let the module have all its names for those that hold it already."""
    module.__class__ = ModuleType  # type: ignore[assignment]
    del sys.modules["os"]
    import os

    module.__dict__.update(os.__dict__)


def fsencode(name: object) -> bytes:
    """Return a path as the kernel has it; see os.fsencode."""
    path = posix.fspath(name)
    return path.encode(CODING, ERRORS) if isinstance(path, str) else path


def fsdecode(name: object) -> str:
    """Return a path as text; see os.fsdecode."""
    path = posix.fspath(name)
    return path.decode(CODING, ERRORS) if isinstance(path, bytes) else path


def makedirs(name: str, mode: int = 0o777, exist_ok: bool = False) -> None:
    """Make a folder and those above it that are missing; see os.makedirs. Raises OSError."""
    try:
        posix.mkdir(name, mode)
    except FileNotFoundError:
        above = name.rstrip("/").rpartition("/")[0]
        if not above:
            raise
        makedirs(above, exist_ok=True)
        makedirs(name, mode, exist_ok)
    except OSError:
        if not exist_ok or not sys.modules["os"].path.isdir(name):
            raise


def install(_path: str = "", _descriptor: int = -1) -> None:
    """Put the light module in the place of `os`, unless that is loaded. The arguments are `bundle.install`'s."""
    if "os" in sys.modules:
        return
    module = LightOs("os")
    names = {name: value for name, value in posix.__dict__.items() if not name.startswith("_")}
    names.update(
        name=posix.__name__,
        linesep="\n",
        SEEK_SET=0,
        SEEK_CUR=1,
        SEEK_END=2,
        _exit=posix._exit,
        fsencode=fsencode,
        fsdecode=fsdecode,
        makedirs=makedirs,
    )
    module.__dict__.update(names)
    sys.modules["os"] = module
    import posixpath

    module.path = sys.modules["os.path"] = posixpath
    module.environ = Environment((fsdecode(key), fsdecode(value)) for key, value in posix.environ.items())
