"""Which engine a command talks to; the only reader of HYPERBOX_DATA, HYPERBOX_RUN and HYPERBOX_CGROUP.

HYPERBOX_TEST_KILL_AT names a step (`Roots.reached`) at which the process kills itself, or a file that lists the steps, for tests of crashes.

Hot paths use it: it imports the native engine's facade and nothing below.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.ahead import Ahead
    from hyperbox.engine.api import Engine
    from hyperbox.engine.native import NativeEngine
    from hyperbox.engine.state import Roots
    from hyperbox.grammar.parse import Invocation

NEEDS_ROOT = "HyperBox's native engine needs root: use sudo"


def roots_from_environment() -> Roots:
    """Return where the native engine keeps things: from the environment, or the system's own folders."""
    from hyperbox.engine.state import Roots

    data = os.environ.get("HYPERBOX_DATA") or "/var/lib/hyperbox"
    run = os.environ.get("HYPERBOX_RUN") or "/run/hyperbox"
    cgroup = os.environ.get("HYPERBOX_CGROUP") or "hyperbox"
    return Roots(data, run, cgroup, os.environ.get("HYPERBOX_TEST_KILL_AT") or "", network_pool)


def network_pool() -> tuple[str, int, int]:
    """Return the settings' pool of subnets: address, prefix length, and the prefix length of one network."""
    from hyperbox.cli import settings

    found = settings.values()
    address, _, length = str(found["networks.pool"]).partition("/")
    size = found["networks.size"]
    assert isinstance(size, int)
    return address, int(length), size


def is_root() -> bool:
    """Return whether this is the superuser, whom Windows does not have."""
    return sys.platform != "win32" and os.geteuid() == 0


def native_engine(ahead: Ahead | None = None) -> NativeEngine:
    """Return the native engine with its folders made; `ahead` is what `expect_start` gave.

    Raises Unavailable where this user may not make them.
    """
    from hyperbox.engine.native import NativeEngine
    from hyperbox.errors import Unavailable

    roots = roots_from_environment()
    if not is_root() and os.path.exists(roots.data) and not os.access(f"{roots.data}/containers", os.R_OK | os.W_OK):
        raise Unavailable(f"permission denied while opening {roots.data}", hint=NEEDS_ROOT)
    try:
        ready = roots.prepare()
    except PermissionError as error:
        raise Unavailable(f"permission denied while making {error.filename}", hint=NEEDS_ROOT) from None
    engine = NativeEngine(roots, ahead)
    if not ready:  # the first command since the machine's start
        engine.restore()
    return engine


# the monitor that was sent ahead before the command line was parsed, by what it is for
_sent: dict[str, Ahead | None] = {}


def send_early(kind: str) -> None:
    """Send a monitor ahead for the command that will call `expect_start`, if it does."""
    _sent[kind] = expect_start(kind)


def expect_start(kind: str) -> Ahead | None:
    """Return a monitor that was sent ahead, as this command will start a "container" or an "exec"; see `engine.ahead`."""
    if kind in _sent:
        return _sent.pop(kind)
    if not is_root():
        return None
    from hyperbox.engine.ahead import send_ahead

    return send_ahead(roots_from_environment(), kind)


def engine_for(invocation: Invocation, ahead: Ahead | None = None) -> Engine:
    """Return the engine for a command. Only the native one is built in, so every command has that one.

    Raises HyperBoxError where the context in use is not there, UnsupportedError where --host, DOCKER_HOST or the context names another
    engine: what a user sends elsewhere is never done here.
    """
    from hyperbox.cli.context_store import check_endpoint

    check_endpoint(invocation)
    return native_engine(ahead)
