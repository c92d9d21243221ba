"""Build checks: what is questionable about a Dockerfile that builds all the same. Rules and words are BuildKit's
(https://docs.docker.com/reference/build-checks/); the sentences of `RULES` are our own.

Findings come in the order in which BuildKit finds them: in the text, in single instructions, in the stages' heads, then stage by stage.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hyperbox.build.dockerfile import Dockerfile, DockerfileError, Instruction, nearest, parse
from hyperbox.build.instructions import (
    Arg,
    Command,
    Copy,
    From,
    Healthcheck,
    Onbuild,
    Pairs,
    Run,
    Step,
    Text,
    Words,
    read,
)
from hyperbox.image.dockerfile_words import WordError, expand, expand_text, split_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PAGE = "https://docs.docker.com/go/dockerfile/rule/"
RULES = {
    "ConsistentInstructionCasing": "Write all instructions in one case",
    "DuplicateStageName": "Give every stage a name of its own",
    "ExposeInvalidFormat": "EXPOSE takes ports of the container only; ports of the host are chosen when it runs",
    "ExposeProtoCasing": "Write the protocol in small letters",
    "FromAsCasing": "Write AS in the case of FROM",
    "FromPlatformFlagConstDisallowed": "A constant platform builds for one platform only: use a variable",
    "InvalidDefaultArgInFrom": "Give the ARG a default with which the image's name is whole",
    "JSONArgsRecommended": "Without a JSON list a shell stands between the container's signals and the program",
    "LegacyKeyValueFormat": "Write name=value; the form with a space is of old",
    "MaintainerDeprecated": "Use LABEL org.opencontainers.image.authors instead of MAINTAINER",
    "MultipleInstructionsDisallowed": "Only the last one of these in a stage has an effect",
    "NoEmptyContinuation": "An empty line inside of a continued instruction will become an error",
    "RedundantTargetPlatform": "The target platform is what FROM takes without the flag",
    "ReservedStageName": "This name means something else to the builder",
    "SecretsUsedInArgOrEnv": "Values of ARG and ENV stay in the image; use RUN --mount=type=secret",
    "StageNameCasing": "Write names of stages in small letters",
    "UndefinedArgInFrom": "A variable in FROM needs an ARG above the first FROM",
    "UndefinedVar": "Declare the variable with ARG or ENV before it is used",
    "WorkdirRelativePath": "A relative path depends on the base image's own folder",
}
RESERVED = ("context", "scratch")
PREDEFINED = (
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETARCH",
    "TARGETVARIANT",
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETSTAGE",
)
_SECRET = re.compile(r"(?i)(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)")
_PUBLIC = re.compile(r"(?i)(?:_|^)public(?:_|$)")


class Problem(NamedTuple):
    """One finding: its rule, what is wrong, the rule's own sentence and page, and the lines that it is about."""

    rule: str
    message: str
    first: int
    last: int

    @property
    def detail(self) -> str:
        """The rule's sentence."""
        return RULES[self.rule]

    @property
    def url(self) -> str:
        """The rule's page."""
        return PAGE + re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", self.rule).lower() + "/"


class Settings(NamedTuple):
    """What the `check` directive says: the rules to leave out, and whether a finding is an error."""

    skip: frozenset[str]
    error: bool


def settings_of(text: str) -> Settings:
    """Return the settings of a directive's text: skip=RULE,RULE|all;error=true. Raises DockerfileError."""
    skip: set[str] = set()
    error = False
    for part in [part.strip() for part in text.split(";") if part.strip()]:
        name, equals, value = part.partition("=")
        name, value = name.strip(), value.strip()
        if not equals:
            raise DockerfileError(f"invalid check option: {part}")
        if name == "skip":
            skip.update(word.strip().lower() for word in value.split(","))
        elif name == "error":
            error = value.lower() in ("1", "t", "true")
        elif name != "experimental":
            raise DockerfileError(f"invalid check option: {name}")
    return Settings(frozenset(skip), error)


class Known(NamedTuple):
    """What is known of a base image: its environment, its ONBUILD triggers."""

    environment: Mapping[str, str]
    triggers: tuple[str, ...] = ()


NOTHING_KNOWN = Known({})


class Stage:
    """A stage while it is looked at: what its variables are, what it has set."""

    def __init__(self, head: From, instruction: Instruction) -> None:
        self.head = head
        self.instruction = instruction
        self.steps: list[tuple[Instruction, Step]] = []
        self.environment: dict[str, str] = {}
        self.declared: set[str] = set()
        self.shell = False
        self.workdir = False
        self.once: dict[str, Instruction] = {}
        self.legacy: set[int] = set()  # lines of ENV and LABEL that are written NAME VALUE
        self.told: dict[int, set[str]] = {}  # line -> the undefined variables that it was told of


class Inspection:
    """One pass over a Dockerfile; `problems` fills up in BuildKit's order."""

    def __init__(self, dockerfile: Dockerfile, arguments: Mapping[str, str], base: Callable[[str], Known]) -> None:
        self.dockerfile = dockerfile
        self.arguments = arguments
        self.base = base
        self.problems: list[Problem] = []
        self.globals: dict[str, str] = {}
        self.stages: list[Stage] = []

    def add(self, rule: str, message: str, instruction: Instruction) -> None:
        """Note a problem with an instruction."""
        self.problems.append(Problem(rule, message, instruction.first, instruction.last))

    def expanded(
        self,
        text: str,
        variables: Mapping[str, str],
        unset: set[str] | None = None,
        instruction: Instruction | None = None,
    ) -> str:
        """Return a text with its variables replaced. Raises DockerfileError for what can't be expanded in an instruction."""
        try:
            return expand(text, variables, escape=self.dockerfile.escape, unset=unset)
        except WordError as error:
            if instruction is None:
                return text
            raise failed_to_process(text, error, instruction) from None

    # --- the text and single instructions ----------------------------------------------------------------------------------------
    def look_at_text(self) -> None:
        """Find what the lines and single instructions show."""
        for warning in dict.fromkeys(self.dockerfile.warnings):
            match = re.search(r"line (\d+)", warning)
            for instruction in self.dockerfile.instructions:
                if match and instruction.first == int(match[1]):
                    self.problems.append(
                        Problem("NoEmptyContinuation", "Empty continuation line", instruction.last, instruction.last)
                    )
        for instruction in self.dockerfile.instructions:
            if instruction.name == "FROM":
                self._from_words(instruction)
            elif instruction.name == "MAINTAINER":
                self.add(
                    "MaintainerDeprecated", "Maintainer instruction is deprecated in favor of using label", instruction
                )

    def _from_words(self, instruction: Instruction) -> None:
        words = instruction.rest.split()
        keyword = written(instruction)
        if len(words) != 3:
            return
        if words[2] != words[2].lower():
            self.add("StageNameCasing", f"Stage name '{words[2]}' should be lowercase", instruction)
        if words[1].isupper() != keyword.isupper() or words[1].islower() != keyword.islower():
            self.add("FromAsCasing", f"'{words[1]}' and '{keyword}' keywords' casing do not match", instruction)

    # --- the heads of stages -------------------------------------------------------------------------------------------------------
    def look_at_heads(self) -> None:
        """Find what the FROM lines show, with global arguments expanded."""
        for instruction in self.dockerfile.instructions:
            step = read(instruction, self.dockerfile)
            if isinstance(step, From):
                self.stages.append(Stage(step, instruction))
            elif self.stages:
                self.stages[-1].steps.append((instruction, step))
            elif isinstance(step, Arg):
                for name, default in step.names:
                    value = self.arguments.get(name, default)
                    if value is not None:
                        self.globals[name] = self.expanded(value, self.globals)
            else:
                raise DockerfileError("no build stage in current context", instruction.first, plain=True)
        self._names()
        self._cases()
        if not self.stages:
            raise DockerfileError("dockerfile contains no stages to build")
        for stage in self.stages:
            self._head(stage)
        known = {**self.globals, **dict.fromkeys(PREDEFINED, "x")}
        for stage in self.stages:
            if not self.expanded(stage.head.base, known):
                message = f"base name ({stage.head.base}) should not be blank"
                raise DockerfileError(message, stage.instruction.first, plain=True)

    def _names(self) -> None:
        seen: set[str] = set()
        for stage in self.stages:
            name = stage.head.name
            if name in RESERVED:
                message = f'Stage name should not use the same name as reserved stage "{name}"'
                self.add("ReservedStageName", message, stage.instruction)
            if name and name in seen:
                message = f'Duplicate stage name "{name}", stage names should be unique'
                self.add("DuplicateStageName", message, stage.instruction)
            seen.add(name)

    def _cases(self) -> None:
        found = [
            (written(one), one)
            for stage in self.stages
            for one in [stage.instruction, *(step for step, _ in stage.steps)]
        ]
        lower = sum(word.islower() for word, _ in found)
        upper = sum(word.isupper() for word, _ in found)
        wanted = "lowercase" if lower > upper else "uppercase"
        for word, instruction in found:
            if word != (word.lower() if lower > upper else word.upper()):
                message = f"Command '{word}' should match the case of the command majority ({wanted})"
                self.add("ConsistentInstructionCasing", message, instruction)

    def _head(self, stage: Stage) -> None:
        head, instruction = stage.head, stage.instruction
        platform = head.platform
        known = {**self.globals, **dict.fromkeys(PREDEFINED, "x")}
        unset: set[str] = set()
        defaults = {**self._defaults(), **dict.fromkeys(PREDEFINED, "x")}
        if self._expands(head.base) and not plausible(self.expanded(head.base, defaults)):
            message = f"Default value for ARG {head.base} results in empty or invalid base image name"
            self.add("InvalidDefaultArgInFrom", message, instruction)
        self.expanded(head.base, known, unset)
        declared = {name for one in self.dockerfile.instructions if one.name == "ARG" and one.first < self.stages[0].instruction.first
                    for name in argument_names(one)}  # fmt: skip
        for name in sorted(unset - declared):
            close = nearest(name, [*declared, *PREDEFINED])
            hint = f" (did you mean {close}?)" if close else ""
            self.add("UndefinedArgInFrom", f"FROM argument '{name}' is not declared{hint}", instruction)
        if platform in ("$TARGETPLATFORM", "${TARGETPLATFORM}"):
            message = f"Setting platform to predefined {platform} in FROM is redundant as this is the default behavior"
            self.add("RedundantTargetPlatform", message, instruction)
        if platform and "$" not in platform and not any(part in head.name for part in platform.split("/") if head.name):
            message = f'FROM --platform flag should not use constant value "{platform}"'
            self.add("FromPlatformFlagConstDisallowed", message, instruction)

    def _expands(self, text: str) -> bool:
        """Return whether a text can be expanded; where it can't, the build says so."""
        try:
            expand(text, {}, escape=self.dockerfile.escape)
        except WordError:
            return False
        return True

    def _defaults(self) -> dict[str, str]:
        """Return the global arguments with their defaults alone, whatever the command line gives."""
        found: dict[str, str] = {}
        for instruction in self.dockerfile.instructions:
            if instruction.name == "FROM":
                break
            step = read(instruction, self.dockerfile)
            for name, default in step.names if isinstance(step, Arg) else ():
                if default is not None:
                    found[name] = self.expanded(default, found)
        return found

    # --- stage by stage ---------------------------------------------------------------------------------------------------------------
    def look_at_stage(self, stage: Stage) -> None:
        """Find what the instructions of a stage show."""
        parents = [one for one in self.stages[: self.stages.index(stage)] if one.head.name == stage.head.base.lower()]
        if parents and stage.head.base:
            parent = parents[-1]
            stage.environment = dict(parent.environment)
            stage.declared = set(parent.declared)
            stage.shell, stage.workdir = parent.shell, parent.workdir
            triggers = tuple(step.text for _, step in parent.steps if isinstance(step, Onbuild))
        else:
            base = self.expanded(stage.head.base, {**self.globals, **dict.fromkeys(PREDEFINED, "x")})
            found = NOTHING_KNOWN if base == "scratch" else self.base(base)
            path = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
            stage.environment = {**path, **found.environment}
            triggers = found.triggers
        for text in triggers:
            self._trigger(stage, text)
        for instruction, step in stage.steps:
            if isinstance(step, Pairs) and _is_legacy(instruction, self.dockerfile.escape):
                stage.legacy.add(instruction.first)
            self._step(stage, instruction, step)

    def _trigger(self, stage: Stage, text: str) -> None:
        """Find what an ONBUILD of the base shows; it is told of the FROM."""
        document = parse(text.encode())
        for instruction in document.instructions:
            step = read(instruction, document)
            if isinstance(step, Pairs) and _is_legacy(instruction, document.escape):
                stage.legacy.add(stage.instruction.first)
            self._step(stage, stage.instruction, step)
            stage.legacy.discard(stage.instruction.first)

    def _step(self, stage: Stage, instruction: Instruction, step: Step) -> None:
        if isinstance(step, Command) and step.kind == "SHELL":
            stage.shell = True
        elif isinstance(step, (Command, Healthcheck)):
            self._command(stage, instruction, step)
        elif isinstance(step, (Pairs, Arg)):
            self._variables(stage, instruction, step)
        elif isinstance(step, Text):
            text = self._known(stage, instruction, step.text)
            if step.kind == "WORKDIR":
                if not text.startswith("/") and not stage.workdir:
                    message = f'Relative workdir "{step.text}" can have unexpected results if the base image changes'
                    self.add("WorkdirRelativePath", message, instruction)
                stage.workdir = True
        elif isinstance(step, Copy):
            texts = [document.text for document in step.heredocs if document.expand]
            for word in (*step.sources, step.destination, step.chown, step.chmod, *texts):
                self._known(stage, instruction, word, heredoc=word in texts)
        elif isinstance(step, Run):
            for mount in step.mounts:
                for _, value in mount.options:
                    self._known(stage, instruction, value)
        elif isinstance(step, Words):
            self._words(stage, instruction, step)

    def _command(self, stage: Stage, instruction: Instruction, step: Command | Healthcheck) -> None:
        kind = step.kind if isinstance(step, Command) else "HEALTHCHECK"
        earlier = stage.once.get(kind)
        if earlier is not None:
            message = f"Multiple {kind} instructions should not be used in the same stage because only the last one will be used"
            self.add("MultipleInstructionsDisallowed", message, earlier)
        stage.once[kind] = instruction
        if isinstance(step, Command) and step.shell and not stage.shell:
            message = f"JSON arguments recommended for {kind} to prevent unintended behavior related to OS signals"
            self.add("JSONArgsRecommended", message, instruction)

    def _known(self, stage: Stage, instruction: Instruction, text: str, *, heredoc: bool = False) -> str:
        """Expand a text; a variable that nothing declares is a problem."""
        unset: set[str] = set()
        failure: DockerfileError | None = None
        try:
            if heredoc:
                value = expand_text(text, stage.environment, escape=self.dockerfile.escape, unset=unset)
            else:
                value = self.expanded(text, stage.environment, unset, instruction)
        except WordError as error:
            failure, value = failed_to_process(text, error, instruction), ""
        except DockerfileError as error:
            failure, value = error, ""
        told = stage.told.setdefault(instruction.first, set())
        for name in sorted(unset - stage.declared - told, key=lambda name: text.find(name)):
            close = nearest(name, list(stage.environment))
            hint = f" (did you mean ${close}?)" if close else ""
            told.add(name)
            self.add("UndefinedVar", f"Usage of undefined variable '${name}'{hint}", instruction)
        if failure is not None:
            raise failure
        return value

    def _variables(self, stage: Stage, instruction: Instruction, step: Pairs | Arg) -> None:
        kind = "ARG" if isinstance(step, Arg) else step.kind
        pairs: Sequence[tuple[str, str | None]] = step.names if isinstance(step, Arg) else step.pairs
        new: dict[str, str] = {}
        for name, text in pairs:
            if kind == "ARG":
                self._secret(kind, name, instruction)
            if kind == "LABEL":
                self._known(stage, instruction, name)
            value = None if text is None else self._known(stage, instruction, text)
            if kind == "ARG":
                value = self.arguments.get(name, value if value is not None else self.globals.get(name))
                stage.declared.add(name)
            if value is not None and kind != "LABEL" and not (kind == "ARG" and name in stage.environment):
                new[name] = value
                if kind == "ARG":
                    stage.environment[name] = value
        if instruction.first in stage.legacy:
            message = f'"{kind} key=value" should be used instead of legacy "{kind} key value" format'
            self.add("LegacyKeyValueFormat", message, instruction)
        if kind == "ENV":
            for name, _ in pairs:
                self._secret(kind, name, instruction)
            stage.environment.update(new)

    def _secret(self, kind: str, name: str, instruction: Instruction) -> None:
        name = self.expanded(name, {})
        if _SECRET.search(name) and not _PUBLIC.search(name):
            message = f'Do not use ARG or ENV instructions for sensitive data ({kind} "{name}")'
            self.add("SecretsUsedInArgOrEnv", message, instruction)

    def _words(self, stage: Stage, instruction: Instruction, step: Words) -> None:
        if step.kind != "EXPOSE":
            for word in step.words:
                self._known(stage, instruction, word)
            return
        for port in sorted(self.expanded(word, stage.environment) for word in step.words):
            if ":" in port:
                message = f"EXPOSE instruction should not define an IP address or host-port mapping, found '{port}'"
                self.add("ExposeInvalidFormat", message, instruction)
            elif port != port.lower():
                message = f"Defined protocol '{port}' in EXPOSE instruction should be lowercase"
                self.add("ExposeProtoCasing", message, instruction)


def failed_to_process(text: str, error: WordError, instruction: Instruction) -> DockerfileError:
    """Return BuildKit's error for a word that can't be expanded."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return DockerfileError(f'failed to process "{quoted}": {error.message}', instruction.first, plain=True)


def _is_legacy(instruction: Instruction, escape: str) -> bool:
    """Return whether ENV or LABEL is written NAME VALUE."""
    words = split_words(instruction.rest, escape)
    return len(words) > 1 and "=" not in words[0]


def written(instruction: Instruction) -> str:
    """Return an instruction's name as it is written."""
    return (instruction.original.split(None, 1) or [instruction.name])[0]


def argument_names(instruction: Instruction) -> list[str]:
    """Return the names that an ARG declares."""
    return [word.partition("=")[0] for word in instruction.rest.split()]


def plausible(name: str) -> bool:
    """Return whether a base's name is one."""
    return bool(
        re.fullmatch(
            r"(?:[A-Za-z0-9.-]+(?::\d+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::\w[\w.-]{0,127})?(?:@[\w:.+-]+)?", name
        )
    )


def needed(stages: Sequence[Stage], target: Stage) -> Iterator[Stage]:
    """Yield the stages that a target comes from, itself included, in the file's order."""
    wanted = {target}
    for stage in reversed(stages):
        if stage not in wanted:
            continue
        index = stages.index(stage)
        names = [stage.head.base, *(step.source_stage for _, step in stage.steps if isinstance(step, Copy))]
        names += [mount.get("from") for _, step in stage.steps if isinstance(step, Run) for mount in step.mounts]
        for name in names:
            wanted.update(
                one for place, one in enumerate(stages[:index]) if name and name.lower() in (one.head.name, str(place))
            )
    return (stage for stage in stages if stage in wanted)


def nothing_known(base: str) -> Known:
    """Answer that nothing is known of a base image."""
    del base
    return NOTHING_KNOWN


def known_of(document: Mapping[str, object]) -> Known:
    """Return what a base image's configuration document tells."""
    config = document.get("config") or document.get("Config")
    words, triggers = (config.get("Env"), config.get("OnBuild")) if isinstance(config, dict) else (None, None)
    pairs = (str(word).partition("=") for word in words or ())
    return Known({name: value for name, _, value in pairs}, tuple(map(str, triggers or ())))


def problems(
    dockerfile: Dockerfile,
    arguments: Mapping[str, str],
    *,
    target: str = "",
    everything: bool = False,
    base: Callable[[str], Known] = nothing_known,
) -> tuple[list[Problem], DockerfileError | None]:
    """Return the findings for a target (the last stage by default), and what ended the search: an error that ends a build too.

    everything   without a target look at all stages, as --check does, not only at those that the last one comes from
    base         tells what is known of a base image

    The `check` directive and BUILDKIT_DOCKERFILE_CHECK are obeyed.
    """
    inspection = Inspection(dockerfile, arguments, base)
    failure = None
    try:
        _inspect(inspection, target, everything)
        skip = check_settings(dockerfile, arguments).skip
    except DockerfileError as error:
        failure, skip = error, frozenset()
    kept = [problem for problem in inspection.problems if problem.rule.lower() not in skip]
    return [] if "all" in skip else kept, failure


def _inspect(inspection: Inspection, target: str, everything: bool) -> None:
    inspection.look_at_text()
    inspection.look_at_heads()
    stages = inspection.stages
    if not stages:
        return
    chosen = [stage for index, stage in enumerate(stages) if target and target.lower() in (stage.head.name, str(index))]
    goal = chosen[0] if chosen else stages[-1]
    for stage in stages[: stages.index(goal) + 1] if everything and not target else needed(stages, goal):
        inspection.look_at_stage(stage)


def check_settings(dockerfile: Dockerfile, arguments: Mapping[str, str]) -> Settings:
    """Return what the directive or the build argument BUILDKIT_DOCKERFILE_CHECK says."""
    return settings_of(arguments.get("BUILDKIT_DOCKERFILE_CHECK") or dockerfile.directives.get("check", ""))
