"""The few families of errors; each knows its exit code and how docker words it.

Raised where the fault is found, with docker's wording where docker has one. `hyperbox.__main__` is the only place that turns
them into text on stderr and an exit code. Nothing here prints.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


class HyperBoxError(Exception):
    """A failure that the user reads as one message.

    `message` is printed as it is (no prefix), `hint` on a line of its own as `hint: …`.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", exit_code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if exit_code is not None:
            self.exit_code = exit_code

    @property
    def told(self) -> str:
        """The text as the user reads it."""
        return self.message


class UsageError(HyperBoxError):
    """The command line does not fit the grammar. `message` holds the whole text, usage lines included."""

    exit_code = 125


class ExitStatus(HyperBoxError):
    """End with a given code and print nothing more: a container's own status, or a failure already told."""

    def __init__(self, exit_code: int) -> None:
        super().__init__("", exit_code=exit_code)


class StreamRefused(HyperBoxError):
    """Streams were asked for that can't be had, e.g. with detach keys that are none: docker tells the HTTP status of its engine's answer."""

    def __init__(self) -> None:
        super().__init__("unable to upgrade to tcp, received 400")
        self.container_id = ""


class Unreachable(HyperBoxError):
    """No engine answers at an address, which docker words the same for every command."""

    def __init__(self, address: str) -> None:
        super().__init__(f"Cannot connect to the Docker daemon at {address}. Is the docker daemon running?")


class Unresolved(Unreachable):
    """An engine's host can't be looked up: docker tells which request of which command that kept it from. `host` is name and port."""

    def __init__(self, host: str, reason: str, request: str) -> None:
        HyperBoxError.__init__(self, f"error during connect: {request}: dial tcp: {reason}")
        self.host = host
        self.reason = reason


class UnsupportedError(HyperBoxError):
    """A command, flag or compose key that HyperBox knows and does not honour; never ignored silently."""


class ComposeError(HyperBoxError):
    """A compose file, or a project made from it, is not acceptable; docker compose's words."""


class EngineError(HyperBoxError):
    """The engine refuses or fails. Printed as `Error response from daemon: MESSAGE`.

    `status` is the Engine API's HTTP status code for the same failure.
    """

    status = 500

    @property
    def told(self) -> str:
        """The text as the user reads it."""
        return f"Error response from daemon: {self.message}"


class InvalidParameter(EngineError):
    """The request itself is wrong (HTTP 400)."""

    status = 400


def check_filters(names: Iterable[str], known: Collection[str]) -> None:
    """Raise InvalidParameter for a filter that a list or a prune does not know."""
    for name in names:
        if name not in known:
            raise InvalidParameter(f"invalid filter '{name}'" if name else "invalid filter")


class EmptyName(InvalidParameter):
    """A name of nothing, or of blanks: docker's client does not ask its engine about that. `kind` is "container", "network" …"""

    def __init__(self, kind: str) -> None:
        super().__init__(f"invalid {kind} name or ID: value is empty")

    @property
    def told(self) -> str:
        """The text as the user reads it, which names no engine."""
        return self.message


class Forbidden(EngineError):
    """The request is understood and never granted (HTTP 403)."""

    status = 403


class NotFound(EngineError):
    """What the request names is not there (HTTP 404)."""

    status = 404


class Conflict(EngineError):
    """The request collides with the present state: a name in use, a running container (HTTP 409)."""

    status = 409


class NotImplementedByEngine(EngineError):
    """The engine does not have this operation (HTTP 501)."""

    status = 501


# what a disk says that is full (ENOSPC, EDQUOT), may not be written to (EROFS), or is broken (EIO)
DISK_ERRORS = frozenset({28, 122, 30, 5})


def disk_error(error: OSError) -> EngineError:
    """Return the engine's error for a failure of its disk, in the words of the Docker Engine: "PATH: no space left on device"."""
    reason = (error.strerror or str(error)).lower()
    return EngineError(f"{os.fsdecode(error.filename)}: {reason}" if error.filename else reason)


class Unavailable(EngineError):
    """The engine can't do it now, e.g. no OCI runtime is installed (HTTP 503)."""

    status = 503
