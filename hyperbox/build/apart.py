"""A build in a process of its own, for callers with several threads: each of their builds has files, leases and forks of its own then.

The child tells events and the result by pickles inside the messages of a job; it ends its steps and itself when the caller has gone.
"""

from __future__ import annotations

import base64
import pickle
import sys
from typing import NamedTuple

from hyperbox.build.api import BuildFailed, BuildResult
from hyperbox.build.jobs import Child, Runner
from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.build.api import BuildRequest, Event
    from hyperbox.engine.state import Roots

    Json = dict[str, object]


class Failure(NamedTuple):
    """An error on its way between the processes."""

    message: str
    hint: str
    exit_code: int
    of_build: bool
    vertex: str
    excerpt: str


def has_threads() -> bool:
    """Return whether this process has several threads."""
    threading = sys.modules.get("threading")
    return threading is not None and threading.active_count() > 1


def packed(value: object) -> str:
    """Return a value as text for the other process."""
    return base64.b64encode(pickle.dumps(value)).decode()


def unpacked(text: object) -> object:
    """Return the value that the other process, a fork of this one, has packed."""
    return pickle.loads(base64.b64decode(str(text)))


def solve_apart(
    roots: Roots, request: BuildRequest, on_event: Callable[[Event], None], *, lifeline: int = -1
) -> BuildResult:
    """Do what `solver.solve` does, in a child."""
    from hyperbox.engine import transient

    runner = Runner()
    runner.lifeline = lifeline

    async def main() -> Json:
        return await runner.start(
            lambda child: _in_child(child, roots, request),
            lambda message: on_event(unpacked(message["event"])),  # type: ignore[arg-type]
            keep_open=(request.stdout,),
            lost=lambda: transient.sweep(roots),
        )

    answer = runner.run(main())
    assert isinstance(answer, dict)
    if "error" in answer:
        failure = unpacked(answer["error"])
        assert isinstance(failure, Failure)
        if failure.of_build:
            raise BuildFailed(
                failure.message, vertex=failure.vertex, excerpt=failure.excerpt, exit_code=failure.exit_code
            )
        raise HyperBoxError(failure.message, hint=failure.hint, exit_code=failure.exit_code)
    result = unpacked(answer["done"])
    assert isinstance(result, BuildResult)
    return result


def _in_child(child: Child, roots: Roots, request: BuildRequest) -> Json:
    from hyperbox.build.solver import solve

    try:
        result = solve(roots, request, lambda event: child.tell({"event": packed(event)}), lifeline=child.lifeline)
    except BuildFailed as error:
        return {"error": packed(Failure(error.message, error.hint, error.exit_code, True, error.vertex, error.excerpt))}
    except HyperBoxError as error:
        return {"error": packed(Failure(error.message, error.hint, error.exit_code, False, "", ""))}
    return {"done": packed(result)}
