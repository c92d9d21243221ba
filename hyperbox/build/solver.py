"""A build from its request to its result: contexts, Dockerfile, graph, solution, outputs.

The process that calls this decides and forks jobs; see `build.jobs`. Temporary folders and the lease on layers go when it ends, or with the next
sweep after it was killed.
"""

from __future__ import annotations

import os

from hyperbox import files
from hyperbox.build import contexts, dockerfile
from hyperbox.build.api import BuildFailed, BuildResult
from hyperbox.build.cache import BuildCache, Snapshot
from hyperbox.build.checking import Checks
from hyperbox.build.dockerfile import DockerfileError
from hyperbox.build.graph import ImageBase, ancestors
from hyperbox.build.ignore import IgnoreError
from hyperbox.build.images import BaseImages, ImageFailed
from hyperbox.build.jobs import JobFailed, Runner
from hyperbox.build.progress import Doing, Progress, excerpt
from hyperbox.build.solving import Solving, StepFailed
from hyperbox.build.stages import LocatedError, Planner
from hyperbox.build.variables import Platform
from hyperbox.image.reference import platform_architecture
from hyperbox.image.store import ImageStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.build.api import BuildRequest, Event
    from hyperbox.build.contexts import Context
    from hyperbox.build.dockerfile import Dockerfile
    from hyperbox.build.stages import Stage
    from hyperbox.engine.state import Roots

    Json = dict[str, object]

DEFINITION = "definition"
IGNORE = "dockerignore"


def solve(roots: Roots, request: BuildRequest, on_event: Callable[[Event], None], *, lifeline: int = -1) -> BuildResult:
    """See `build.api.build`; `lifeline` is a descriptor that becomes readable when the build is to end."""
    from hyperbox.build.cache_records import collect
    from hyperbox.engine import transient

    roots.prepare()
    transient.sweep(roots)
    store = ImageStore(f"{roots.data}/images")
    store.prepare()
    store.sweep_leavings()
    lease = store.new_lease()
    build = Build(roots, store, request, Progress(on_event), BuildCache(store, roots.data, lease))
    try:
        build.runner.lifeline = lifeline
        result = build.runner.run(build.run())
        assert isinstance(result, BuildResult)
        return result
    except StepFailed as error:
        # what could not be fetched docker tells of without the instruction
        instruction = None if error.message.startswith("failed to load cache key: ") else error.node.instruction
        raise BuildFailed(
            f"failed to solve: {error.message}", vertex=error.node.digest, excerpt=build.excerpt(instruction)
        ) from None
    except LocatedError as error:
        build.checks.tell(build.document, build.file_name)
        raise BuildFailed(f"failed to solve: {error.message}", excerpt=build.excerpt(error.instruction)) from None
    except DockerfileError as error:
        build.checks.tell(build.document, build.file_name)
        raise BuildFailed(
            f"failed to solve: {error.message}", excerpt=build.excerpt_of(error.line, error.last)
        ) from None
    except ImageFailed as error:
        build.checks.tell(build.document, build.file_name)
        raise BuildFailed(f"failed to solve: {error.message}", excerpt=build.excerpt_of_base()) from None
    except IgnoreError as error:
        raise BuildFailed(f"failed to solve: {error.message.partition(':')[0]}") from None
    except JobFailed as error:
        raise BuildFailed(f"failed to solve: {error.message}") from None
    finally:
        build.close()
        lease.end()
        collect(roots)
        transient.sweep(roots)
        store.sweep_leavings()


class Build:
    """One build's parts."""

    def __init__(
        self, roots: Roots, store: ImageStore, request: BuildRequest, progress: Progress, cache: BuildCache
    ) -> None:
        self.roots = roots
        self.store = store
        self.request = request
        self.progress = progress
        self.cache = cache
        self.runner = Runner()
        self.contexts: dict[str, Context] = {}
        self.folders: list[str] = []
        self.text: bytes | None = request.dockerfile
        self.document: Dockerfile | None = None
        self.lines: tuple[str, ...] = ()
        self.planner: Planner | None = None
        self.solved: dict[str, Snapshot] = {}
        self.aliases: dict[str, str] = {}
        self.final = Snapshot()
        self.checks = Checks(request, progress.on_event)

    @property
    def file_name(self) -> str:
        """What messages call the Dockerfile: its name alone where it lies in a folder of the host."""
        path = self.request.dockerfile_path or "Dockerfile"
        return os.path.basename(path) if self.request.context.kind == "folder" or self.text is not None else path

    async def run(self) -> BuildResult:
        """Build and export."""
        from hyperbox.build.exporting import Exporter

        self._load_contexts()
        document = self._load_definition()
        host = Platform("linux", platform_architecture())
        if len(self.request.platforms) > 1:
            raise BuildFailed("failed to solve: images of several platforms at once are not supported")
        images = BaseImages(self.store, self.request, self.runner, self.progress)
        self.planner = planner = Planner(self.request, document, self.checks.remembering(images.resolve), host)
        stage = await planner.plan()
        self.checks.tell(document, self.file_name)
        self.checks.refuse(document)
        self._load_ignore()
        self._label(stage)
        solving = Solving(self)
        if self.request.cache_from or self.request.cache_to:
            from hyperbox.build.cache_transfer import check, load_caches

            check(self)
            solving.imported = await load_caches(self)
        for node in ancestors(stage.node):
            if (
                isinstance(node.operation, ImageBase)
                and node.name.startswith("[")
                and not node.name.startswith("[context")
            ):
                self.progress.announce(node.digest, node.name)
                self.progress.end(node.digest)
        self.final = snapshot = await solving.result(stage.node)
        exported = await Exporter(self, stage, snapshot).run()
        if self.request.cache_to:
            from hyperbox.build.cache_transfer import save_caches

            await save_caches(self)
        return exported._replace(steps=tuple(self.progress.steps))

    def _label(self, stage: Stage) -> None:
        """--label: they come over the Dockerfile's own."""
        if self.request.labels:
            stage.draft.label(self.request.labels)

    # --- what is read first ---
    def _load_contexts(self) -> None:
        wanted = [("", self.request.context), *self.request.contexts]
        for name, source in wanted:
            if source.kind == "image":
                continue
            context, text, folders = contexts.fetch(self.store, self.roots.data, source)
            self.contexts[name] = context
            self.folders += folders
            if text is not None and not name and self.text is None:
                self.text = text

    def _load_definition(self) -> Dockerfile:
        name = f"[internal] load build definition from {self.file_name}"
        path = self.request.dockerfile_path or "Dockerfile"
        with Doing(self.progress, DEFINITION, name):
            data = self.text if self.text is not None else self.contexts[""].read(path)
            if data is None and not self.request.dockerfile_path:
                data = self.contexts[""].read("dockerfile")
            self.progress.status(DEFINITION, "transferring dockerfile:", len(data or b""))
        if data is None:
            raise BuildFailed(f"failed to solve: failed to read dockerfile: open {path}: no such file or directory")
        self.lines = tuple(line.rstrip("\r") for line in data.decode("utf-8", "replace").split("\n"))
        self.document = dockerfile.parse(data)
        return self.document

    def _load_ignore(self) -> None:
        """Read the ignore files: the Dockerfile's own before the context's."""
        with Doing(self.progress, IGNORE, "[internal] load .dockerignore"):
            size = 2
            texts = {}
            for name, context in self.contexts.items():
                text = self._ignore_text(name, context)
                if text is not None:
                    size += len(text)
                    texts[name] = text
            self.progress.status(IGNORE, "transferring context:", size)
        for name, text in texts.items():
            self.contexts[name].ignore(text)

    def _ignore_text(self, name: str, context: Context) -> str | None:
        if not name and self.request.ignore is not None:
            return self.request.ignore
        names = [".dockerignore"]
        if not name and self.text is None:
            names.insert(0, f"{self.request.dockerfile_path or 'Dockerfile'}.dockerignore")
        for each in names:
            data = context.read(each)
            if data is not None:
                return data.decode("utf-8", "replace")
        return None

    # --- messages ---
    def excerpt(self, instruction: dockerfile.Instruction | None) -> str:
        """Return the lines around an instruction."""
        return "" if instruction is None else self.excerpt_of(instruction.first, instruction.last)

    def excerpt_of(self, first: int, last: int) -> str:
        """Return the lines around some lines."""
        return excerpt(self.file_name, self.lines, first, last)

    def excerpt_of_base(self) -> str:
        """Return the lines around the FROM whose image can't be had."""
        made = self.planner.beginning if self.planner is not None else None
        return "" if made is None else self.excerpt(made)

    def close(self) -> None:
        """Remove what was brought for this build alone."""
        for folder in self.folders:
            files.remove_tree(folder)
