"""Pulls of several services' images side by side: a process each, whose steps this one shows."""

from __future__ import annotations

import select
from typing import NamedTuple

from hyperbox.cli.compose_children import Child, Teller, fork_child, message_of
from hyperbox.cli.compose_images import pull_image
from hyperbox.cli.compose_progress import parallel_limit
from hyperbox.errors import ComposeError, EngineError, HyperBoxError
from hyperbox.plan.execute import StepEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.cli.compose_progress import StepProgress
    from hyperbox.cli.compose_project import Session

AT_ONCE = 8  # pulls, where the user gives no limit


class Wanted(NamedTuple):
    """An image that a service wants. Where it is `optional` its failure is a warning; `sharing` are the services that want the same."""

    service: str
    image: str
    platform: str = ""
    optional: bool = False
    sharing: tuple[str, ...] = ()


class _Forwarded:
    """Takes for a progress, in a child."""

    def __init__(self, mode: str, teller: Teller) -> None:
        self.mode, self.teller = mode, teller

    def event(self, event: StepEvent) -> None:
        """Tell an event."""
        self.teller.message(step=list(event))


class Pulls:
    """Pulls under way. Raising, or a failure, ends what has not ended, which is told as docker compose tells it."""

    def __init__(self, found: Session, progress: StepProgress, *, tolerant: bool) -> None:
        self.found, self.progress, self.tolerant = found, progress, tolerant
        self.running: dict[int, tuple[Child, Wanted]] = {}
        self.ids: dict[str, str] = {}
        self.failures: dict[str, HyperBoxError] = {}

    def bring(self, wanted: Sequence[Wanted]) -> dict[str, str]:
        """Pull all, some at once; returns image -> id of those that came. Raises ComposeError or EngineError."""
        waiting = list(wanted)
        limit = parallel_limit(self.found.invocation) or AT_ONCE
        try:
            while waiting or self.running:
                while waiting and len(self.running) < limit:
                    self._begin(waiting.pop(0))
                poller = select.poll()
                for descriptor in self.running:
                    poller.register(descriptor, select.POLLIN)
                for descriptor, _ in poller.poll():
                    self._take(descriptor)
        finally:
            for child, one in self.running.values():
                child.end()
                self._interrupted(one)
            for one in waiting:
                self._interrupted(one)
        return self.ids

    def _begin(self, one: Wanted) -> None:
        def work(teller: Teller) -> None:
            forwarded = _Forwarded(self.progress.mode, teller)
            try:
                image_id = pull_image(
                    self.found,
                    one.service,
                    one.image,
                    one.platform,
                    forwarded,  # type: ignore[arg-type]
                    failed="Warning" if one.optional else "Error",
                )
                teller.message(image=image_id)
            except HyperBoxError as error:
                engine = isinstance(error, EngineError)
                teller.message(error=error.message, engine=engine, code=error.exit_code, hint=error.hint)

        self.progress.flush()
        child = fork_child(work)
        self.running[child.reader] = (child, one)

    def _take(self, descriptor: int) -> None:
        child, one = self.running[descriptor]
        frames = child.read()
        if frames is None:
            child.forget()
            del self.running[descriptor]
        for _, data in frames or ():
            message = message_of(data)
            if "step" in message:
                step = message["step"]
                assert isinstance(step, list)
                self._show(StepEvent(*step), one)
            elif "image" in message:
                self.ids[one.image] = str(message["image"])
            else:
                family = EngineError if message["engine"] else ComposeError
                code = int(str(message["code"]))
                failure = family(str(message["error"]), hint=str(message["hint"]), exit_code=code)
                if not (one.optional or self.tolerant):
                    del self.running[descriptor]
                    child.end()
                    raise failure
                self.failures[one.service] = failure

    def _show(self, event: StepEvent, one: Wanted) -> None:
        self.progress.event(event)
        if event.name == one.service:
            for name in one.sharing:
                self.progress.event(event._replace(name=name))

    def _interrupted(self, one: Wanted) -> None:
        for name in (one.service, *one.sharing):
            self.progress.event(StepEvent(name, "Interrupted", "warning"))


def pull_all(
    found: Session, wanted: Sequence[Wanted], progress: StepProgress, *, tolerant: bool = False
) -> dict[str, str]:
    """Pull images side by side, as many at once as --parallel or COMPOSE_PARALLEL_LIMIT say; returns image -> id.

    The first failure ends the others, unless `tolerant`; then it is only shown. Raises ComposeError or EngineError.
    """
    return Pulls(found, progress, tolerant=tolerant).bring(wanted)
