"""A build from its request to its result: the Dockerfile's graph, solved step by step."""

from __future__ import annotations

from hyperbox.build.api import BuildFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.build.api import BuildRequest, BuildResult, Event
    from hyperbox.engine.state import Roots


def solve(roots: Roots, request: BuildRequest, on_event: Callable[[Event], None]) -> BuildResult:
    """See `build.api.build`."""
    raise BuildFailed("building images is not possible yet")
