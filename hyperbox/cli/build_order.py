"""Several builds at once, each as soon as those are done that it builds on."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, wait
from typing import TypeVar

from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from concurrent.futures import Future, ThreadPoolExecutor

Result = TypeVar("Result")


def build_in_order(
    pool: ThreadPoolExecutor,
    waits: Mapping[str, Collection[str]],
    build: Callable[[str], Result],
    built: Callable[[str, Result], None],
) -> HyperBoxError | None:
    """Do all builds, each when those that it waits for are done, and return the first failure; after one no new build is begun.

    `waits` has what each build waits for; `build` runs in a thread of the pool, `built` in this one, before anything that waits for it begins.
    """
    pending = dict(waits)
    running: dict[Future[Result], str] = {}
    done: set[str] = set()
    failure: HyperBoxError | None = None
    while (pending and failure is None) or running:
        ready = [name for name, before in pending.items() if done.issuperset(before)] if failure is None else []
        for name in ready:
            del pending[name]
            running[pool.submit(build, name)] = name
        if not running:
            break
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            name = running.pop(future)
            error = future.exception()
            if error is None:
                done.add(name)
                built(name, future.result())
            elif isinstance(error, HyperBoxError):
                failure = failure or error
            else:
                raise error
    return failure
