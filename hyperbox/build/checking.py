"""The build checks of one build: what they find is told as `Finding` events, and is an error where the Dockerfile says so."""

from __future__ import annotations

from hyperbox.build.api import BuildFailed, Finding
from hyperbox.build.checks import NOTHING_KNOWN, check_settings, known_of, problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.build.api import BuildRequest, Event
    from hyperbox.build.checks import Known, Problem
    from hyperbox.build.dockerfile import Dockerfile
    from hyperbox.build.stages import Base, Resolve
    from hyperbox.build.variables import Platform


class Checks:
    """Finds once, for a build that goes on or for one whose Dockerfile is refused."""

    def __init__(self, request: BuildRequest, on_event: Callable[[Event], None]) -> None:
        self.request = request
        self.on_event = on_event
        self.bases: dict[str, Known] = {}
        self.found: list[Problem] | None = None

    def remembering(self, resolve: Resolve) -> Resolve:
        """Return a resolver of base images that keeps what each says to the checks."""

        async def remembered(reference: str, platform: Platform) -> Base:
            base = await resolve(reference, platform)
            self.bases[reference] = known_of(base.document)
            return base

        return remembered

    def tell(self, document: Dockerfile | None, file: str) -> None:
        """Tell what is found, once; nothing for a file that could not be parsed."""
        if document is None or self.found is not None:
            return
        source = "\n".join(document.lines).encode()
        found, _ = problems(
            document,
            dict(self.request.build_args),
            target=self.request.target,
            base=lambda name: self.bases.get(name, NOTHING_KNOWN),
        )
        self.found = found
        for problem in found:
            message = f"{problem.rule}: {problem.message} (line {problem.first})"
            lines = ((problem.first, problem.last),)
            self.on_event(Finding("", problem.rule, message, problem.detail, problem.url, file, source, lines))

    def refuse(self, document: Dockerfile) -> None:
        """Raise BuildFailed where findings are errors."""
        if self.found and check_settings(document, dict(self.request.build_args)).error:
            rules = ", ".join(dict.fromkeys(problem.rule for problem in self.found))
            raise BuildFailed(f"failed to solve: lint violation found for rules: {rules}")
