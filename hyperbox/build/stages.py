"""From a parsed Dockerfile to the graph: stages in the order in which they need one another, their instructions one by one.

Only what the target needs is looked at. Base images are asked of a resolver, since what a stage's words mean (ENV, USER, ONBUILD …) depends on them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from hyperbox.build import dockerfile as parser
from hyperbox.build import graph
from hyperbox.build.dockerfile import DockerfileError
from hyperbox.build.image_config import DEFAULT_PATH, Draft
from hyperbox.build.instructions import Arg, Copy, From, Run, read
from hyperbox.build.variables import Environment, Platform, parse_platform, platform_arguments, proxy_environment
from hyperbox.go.text import quote
from hyperbox.image.dockerfile_words import WordError, expand, expand_for_display

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hyperbox.build.api import BuildRequest
    from hyperbox.build.dockerfile import Dockerfile, Instruction
    from hyperbox.build.instructions import Step

    Json = dict[str, object]
    # (reference as written, platform) -> (image id, configuration, layers' diff ids, name to show)
    Resolve = Callable[[str, Platform], Awaitable["Base"]]


class Base(NamedTuple):
    """A base image as the resolver gives it: id, configuration document, layers bottom first, the full name to show."""

    image_id: str
    document: Json
    diff_ids: tuple[str, ...]
    shown: str


class Written:
    """A stage as it is written: its FROM, its instructions, its own name ("" where it has none) and its number."""

    __slots__ = ("base", "instruction", "name", "number", "steps")

    def __init__(self, number: int, instruction: Instruction, base: From) -> None:
        self.number = number
        self.instruction = instruction
        self.base = base
        self.name = base.name
        self.steps: list[tuple[Instruction, Step]] = []


class Stage:
    """A stage being built: its last node, its configuration, its variables."""

    __slots__ = (
        "arguments",
        "count",
        "draft",
        "environment",
        "ignore_cache",
        "label",
        "node",
        "platform",
        "prefix",
        "total",
        "working_dir",
        "written",
    )

    def __init__(
        self, written: Written, node: graph.Node, draft: Draft, environment: Environment, platform: Platform
    ) -> None:
        self.written = written
        self.node = node
        self.draft = draft
        self.environment = environment
        self.platform = platform
        self.arguments: list[tuple[str, str | None]] = []
        self.count = 0
        self.total = 0
        self.label = ""
        self.prefix = ""
        self.ignore_cache = False
        self.working_dir = str(draft.config.get("WorkingDir") or "/")

    def vertex_name(self, text: str) -> str:
        """Return the name of this stage's next vertex: "[build 2/5] …"."""
        self.count += 1
        width = 1 + int(math.log10(self.total)) if self.total else 1
        return f"[{self.label + ' ' if self.label else ''}{self.count:>{width}}/{self.total}] {self.prefix}{text}"


class Planner:
    """Makes the graph of one request. `stage_of` what it has made so far, by number."""

    def __init__(self, request: BuildRequest, document: Dockerfile, resolve: Resolve, host: Platform) -> None:
        self.request = request
        self.document = document
        self.resolve = resolve
        self.host = host
        self.target = parse_platform(request.platforms[0]) if request.platforms else host
        self.given = dict(request.build_args)
        self.contexts = dict(request.contexts)
        self.written = read_stages(document)
        self.chosen = self._choose()
        self.globals = self._global_arguments()
        self.proxies = proxy_environment(self.given)
        self.made: dict[int, Stage] = {}
        self.images: dict[tuple[str, str], graph.Node] = {}
        self.nodes: dict[str, graph.Node] = {}
        self.epoch = _epoch(request, self.given)
        self.beginning: Instruction | None = None
        self.several = len(self.written) + self._implicit() > 1

    # --- what is needed ---
    def _choose(self) -> Written:
        wanted = self.request.target
        if not wanted:
            return self.written[-1]
        for stage in self.written:
            if stage.name == wanted.lower():
                return stage
        raise DockerfileError(f'target stage "{wanted}" could not be found')

    def _global_arguments(self) -> dict[str, str]:
        """Return the arguments that FROM sees: predefined ones and those before the first FROM."""
        values = platform_arguments(self.target, self.host, self.request.target)
        for name in values:
            if name in self.given:
                values[name] = self.given[name]
        for instruction in self.document.instructions:
            if instruction.name != "ARG":
                break
            step = read(instruction, self.document)
            assert isinstance(step, Arg)
            for name, default in step.names:
                if name in self.given:
                    values[name] = self.given[name]
                elif default is not None:
                    values[name] = self.word(default, values, instruction)
        return values

    def _implicit(self) -> int:
        """Return how many further stages BuildKit counts: images and contexts that COPY takes from, whatever mounts need."""
        found = 0
        for stage in self.written:
            for _, step in stage.steps:
                names: list[str] = []
                if isinstance(step, Copy) and step.source_stage:
                    names = [step.source_stage]
                elif isinstance(step, Run):
                    names = [mount.get("from") for mount in step.mounts]
                found += sum(1 for name in names if not name or self.find(name, stage.number) is None)
        return found

    def find(self, name: str, before: int) -> Written | None:
        """Return the stage that `name` (a name or a number) means above stage number `before`."""
        for stage in reversed(self.written[:before]):
            if stage.name and stage.name == name.lower():
                return stage
        if name.isdigit() and int(name) < before:
            return self.written[int(name)]
        return None

    def word(self, text: str, values: dict[str, str], instruction: Instruction) -> str:
        """Expand one word. Raises DockerfileError with the line."""
        try:
            return expand(text, values, escape=self.document.escape)
        except WordError as error:
            raise located(f"failed to process {quote(text)}: {error}", instruction) from None

    # --- stages ---
    async def plan(self) -> Stage:
        """Return the target stage with all of its graph. What it needs is made in the order of the Dockerfile."""
        for number in sorted(self.needed()):
            await self.stage(self.written[number])
        return await self.stage(self.chosen)

    def needed(self) -> set[int]:
        """Return the numbers of the stages that the target needs."""
        found: set[int] = set()
        pending = [self.chosen]
        while pending:
            stage = pending.pop()
            if stage.number in found:
                continue
            found.add(stage.number)
            names = [self.word(stage.base.base, self.globals, stage.instruction)]
            for _, step in stage.steps:
                if isinstance(step, Copy):
                    names.append(step.source_stage)
                elif isinstance(step, Run):
                    names += [mount.get("from") for mount in step.mounts]
            others = [self.find(name, stage.number) for name in names if name and name not in self.contexts]
            pending += [other for other in others if other is not None]
        return found

    async def stage(self, written: Written) -> Stage:
        """Return a stage, made on first use."""
        if written.number not in self.made:
            self.made[written.number] = await self._make(written)
        return self.made[written.number]

    async def _make(self, written: Written) -> Stage:
        from hyperbox.build.dispatch import dispatch

        stage = await self._begin(written)
        ignored = {name.lower() for name in self.request.no_cache_filter}
        name = written.name or f"stage-{written.number}"
        stage.ignore_cache = self.request.no_cache or name in ignored
        stage.label = name if self.several else ""
        triggers = self._triggers(stage)
        steps = [*triggers, *written.steps]
        stage.total += sum(1 for _, step in written.steps if is_vertex(step))
        if stage.node.name.startswith("FROM "):
            stage.node = self._named(stage)  # BuildKit learns of the triggers after that
        stage.total += len(triggers)
        for index, (instruction, step) in enumerate(steps):
            stage.prefix = "ONBUILD " if index < len(triggers) else ""
            await dispatch(self, stage, instruction, step)
        return stage

    def _named(self, stage: Stage) -> graph.Node:
        """Give the base image's node its name in the stage that first uses it; others share it and count it."""
        key = stage.node.digest
        name = stage.vertex_name(stage.node.name)
        if key not in self.nodes:
            self.nodes[key] = graph.Node(stage.node.operation, stage.node.inputs, name, stage.written.instruction)
        return self.nodes[key]

    async def _begin(self, written: Written) -> Stage:
        base = self.word(written.base.base, self.globals, written.instruction)
        if not base:
            raise located(f"base name ({written.base.base}) should not be blank", written.instruction)
        platform = self._platform(written)
        parent = self.find(base, written.number)
        if parent is not None and base not in self.contexts:
            return self._on_stage(written, await self.stage(parent), platform)
        if base == "scratch" and base not in self.contexts:
            draft = Draft(None, (platform.os, platform.architecture, platform.variant))
            draft.config["WorkingDir"] = "/"
            return self._with_path(Stage(written, graph.SCRATCH, draft, Environment([]), platform))
        self.beginning = written.instruction
        node, document = await self.source(base, platform, written.instruction)
        draft = Draft(document, (platform.os, platform.architecture, platform.variant))
        stage = Stage(written, node, draft, Environment(draft.environment), platform)
        stage.total = 1
        return self._with_path(stage)

    def _with_path(self, stage: Stage) -> Stage:
        """Give a stage whose image has no PATH docker's own."""
        if "PATH" not in stage.environment.values:
            name, _, value = DEFAULT_PATH.partition("=")
            stage.environment.set(name, value)
            stage.draft.set_variable(name, value)
        return stage

    def _on_stage(self, written: Written, parent: Stage, platform: Platform) -> Stage:
        stage = Stage(written, parent.node, parent.draft.copy(), parent.environment.copy(), platform)
        stage.arguments = list(parent.arguments)
        stage.working_dir = parent.working_dir
        return stage

    def _platform(self, written: Written) -> Platform:
        text = self.word(written.base.platform, self.globals, written.instruction)
        if written.base.platform and not text:
            raise located(f"empty platform value from expression {written.base.platform}", written.instruction)
        try:
            platform = parse_platform(text) if text else self.target
        except ValueError as error:
            raise located(f"failed to parse platform {text}: {error}", written.instruction) from None
        if not platform.same(self.host):
            raise located(
                f"the platform {platform.text} can't be built on this machine, only {self.host.text}",
                written.instruction,
            )
        return platform

    def _triggers(self, stage: Stage) -> list[tuple[Instruction, Step]]:
        """Return the ONBUILD instructions of the base image, taken out of the configuration."""
        found = stage.draft.config.pop("OnBuild", None)
        steps: list[tuple[Instruction, Step]] = []
        for text in found if isinstance(found, list) else []:
            document = parser.parse(str(text).encode())
            for instruction in document.instructions:
                step = read(instruction, document)
                if not isinstance(step, From):
                    steps.append((instruction, step))
        return steps

    async def source(
        self, name: str, platform: Platform, instruction: Instruction | None
    ) -> tuple[graph.Node, Json | None]:
        """Return the node of a name that is no stage: a named context or an image; and its configuration where it has one."""
        context = self.contexts.get(name)
        if context is not None and context.kind not in ("image",):
            files = graph.Node(graph.Files(name), (), f"[context {name}] load from client")
            return self.unique(graph.Node(graph.Tree(name), (files,), f"[context {name}] load from client")), None
        reference = context.location if context is not None else name
        base = await self.resolve(reference, platform)
        operation = graph.ImageBase(base.image_id, base.diff_ids)
        shown = f"FROM {base.shown}" if context is None else f"[context {name}] {base.shown}"
        return graph.Node(operation, (), shown, instruction), base.document

    def unique(self, node: graph.Node) -> graph.Node:
        """Return the one node of its kind: what two stages do alike is done once."""
        return self.nodes.setdefault(node.digest, node)

    async def node_of(self, name: str, stage: Stage, instruction: Instruction) -> graph.Node:
        """Return the node that --from or a mount's from means: a stage, a named context or an image."""
        if "$" in name:
            raise located(f"'from' doesn't support variable expansion, define alias stage instead: {name}", instruction)
        written = self.find(name, stage.written.number)
        if written is not None and name not in self.contexts:
            return (await self.stage(written)).node
        if name == "scratch":
            return graph.SCRATCH
        if name not in self.contexts:
            self._check_stage(name, stage, instruction)
        node, _ = await self.source(name, self.target, instruction)
        if node.name.startswith("FROM "):
            return self.unique(graph.Node(node.operation, (), f"FROM {node.name[5:]}", instruction))
        return node

    def _check_stage(self, name: str, stage: Stage, instruction: Instruction) -> None:
        """Raise DockerfileError for a stage that is not above this one, or a number that no stage has."""
        if name.isdigit():
            raise DockerfileError(f"invalid stage index {name}")
        if stage.written.name and name.lower() == stage.written.name:
            raise located(f"circular dependency detected on stage: {stage.written.name}", instruction)
        later = next((each for each in self.written if each.name and each.name == name.lower()), None)
        if later is not None:
            raise located(
                f'cannot copy from stage "{name}", it needs to be defined before current stage "{stage.written.name}"',
                instruction,
            )

    def shown(self, instruction: Instruction, stage: Stage, hidden: tuple[str, ...] = ()) -> str:
        """Return an instruction as BuildKit names it: variables that have values replaced, those of secrets by stars."""
        head, _, rest = instruction.original.split("\n")[0].partition(" ")
        return f"{head.upper()} {self.displayed(rest, stage, quotes=head.upper() == 'RUN', hidden=hidden)}".rstrip()

    def displayed(self, text: str, stage: Stage, *, quotes: bool = True, hidden: tuple[str, ...] = ()) -> str:
        """Return a text with the variables that have values replaced."""
        values = {**stage.environment.values, **dict.fromkeys(hidden, "****")}
        try:
            return expand_for_display(text, values, escape=self.document.escape, quotes=quotes)
        except WordError:
            return text


def is_vertex(step: Step) -> bool:
    """Return whether BuildKit counts an instruction among a stage's steps."""
    from hyperbox.build.instructions import Text

    return isinstance(step, (Run, Copy)) or (isinstance(step, Text) and step.kind == "WORKDIR")


def read_stages(document: Dockerfile) -> list[Written]:
    """Return the stages as they are written. Raises DockerfileError for an instruction before the first FROM."""
    stages: list[Written] = []
    for instruction in document.instructions:
        step = read(instruction, document)
        if isinstance(step, From):
            stages.append(Written(len(stages), instruction, step))
        elif stages:
            stages[-1].steps.append((instruction, step))
        elif not isinstance(step, Arg):
            raise DockerfileError("no build stage in current context", instruction.first, plain=True)
    if not stages:
        raise DockerfileError("dockerfile contains no stages to build")
    return stages


class LocatedError(DockerfileError):
    """A fault of one instruction that is found while the graph is made; `first` and `last` are its lines."""

    def __init__(self, message: str, instruction: Instruction) -> None:
        super().__init__(message)
        self.instruction = instruction


def located(message: str, instruction: Instruction) -> LocatedError:
    """Return the error of an instruction."""
    return LocatedError(message, instruction)


def _epoch(request: BuildRequest, given: dict[str, str]) -> int | None:
    text = given.get("SOURCE_DATE_EPOCH", "")
    if request.source_date_epoch is not None:
        return request.source_date_epoch
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise DockerfileError(f"invalid SOURCE_DATE_EPOCH: {text}") from None
