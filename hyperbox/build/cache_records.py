"""The build cache's records as `builder du` and `builder prune` see them."""

from __future__ import annotations

from hyperbox.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hyperbox.engine.state import Roots

    Json = dict[str, object]


def usage(roots: Roots, filters: Mapping[str, Sequence[str]]) -> list[Json]:
    """See `build.api.cache_usage`."""
    raise EngineError("there is no build cache yet")


def prune(roots: Roots, all: bool, filters: Mapping[str, Sequence[str]], limits: tuple[int, int, int]) -> Json:
    """See `build.api.cache_prune`; `limits` are the space to reserve, to use at most, and to leave free."""
    raise EngineError("there is no build cache yet")
