"""`docker build --call=check|outline|targets` and `--check`: what is said about a Dockerfile without building it."""

from __future__ import annotations

import re
import sys
from base64 import b64encode
from contextlib import closing
from typing import NamedTuple

from hyperbox.build.api import Finding
from hyperbox.build.checks import Inspection, Problem, check_settings, known_of, needed, nothing_known, problems
from hyperbox.build.dockerfile import Dockerfile, DockerfileError, parse
from hyperbox.build.instructions import Arg, Run
from hyperbox.build.progress import Doing, Progress
from hyperbox.cli.output import indented_json, table
from hyperbox.errors import EngineError, ExitStatus, HyperBoxError, UnsupportedError
from hyperbox.go.text import parse_bool
from hyperbox.grammar.values import split_commas
from hyperbox.image.reference import parse_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hyperbox.build.api import BuildRequest
    from hyperbox.build.checks import Known, Stage
    from hyperbox.cli.build_progress import Printer

    Json = dict[str, object]

FAILED = "ERROR: failed to build: failed to solve: "
AROUND = 2  # lines shown before and behind
METHODS = ("check", "lint", "outline", "targets")
DESCRIBE = "subrequests.describe"
REQUESTS = (
    ("outline", "List all parameters current build target supports"),
    ("targets", "List all targets current build supports"),
    (DESCRIBE, "List available subrequest types"),
)


class Call(NamedTuple):
    """What --call asks for."""

    name: str
    as_json: bool = False
    ignore_status: bool = False


def read_call(text: str) -> Call:
    """Return what METHOD[,format=json|text][,ignorestatus=BOOL] says. Raises HyperBoxError with buildx's words."""
    name, form, ignored = "", "", False
    for field in split_commas(text):
        key, equals, value = field.partition("=")
        if not equals and name:
            raise HyperBoxError(f"ERROR: invalid print value: {text}")
        if not equals:
            name = field
        elif key == "format":
            form = value
        elif key == "ignorestatus":
            try:
                ignored = parse_bool(value)
            except ValueError as error:
                raise HyperBoxError(f"ERROR: invalid ignorestatus print value: {value}: {error}") from None
        else:
            raise HyperBoxError(f"ERROR: invalid print field: {field}")
    return Call(name, form == "json", ignored)


class Reading:
    """The steps of a build that stand before its solution, told to the printer as a build's are."""

    def __init__(self, shown: Printer, request: BuildRequest) -> None:
        self.shown = shown
        self.progress = Progress(shown.event)
        self.request = request
        self.file = request.dockerfile_path or "Dockerfile"
        self.known: dict[str, Known] = {}
        self.closed = False

    def definition(self) -> bytes | None:
        """Read the Dockerfile; None where it is not there."""
        data = self.request.dockerfile
        with Doing(self.progress, "definition", f"[internal] load build definition from {self.file}"):
            self.progress.status("definition", "transferring dockerfile:", len(data or b"") or 2)
        return data

    def base(self, reference: str) -> Known:
        """Return what is known of a base image that is here already; of any other nothing is."""
        if reference not in self.known:
            try:
                name = parse_reference(reference).with_tag().canonical
            except HyperBoxError:
                return nothing_known(reference)
            with Doing(self.progress, f"metadata {name}", f"[internal] load metadata for {name}"):
                self.known[reference] = lookup(reference)
        return self.known[reference]

    def ignore(self) -> None:
        """The ignore file's step; nothing is read from a context."""
        with Doing(self.progress, "ignore", "[internal] load .dockerignore"):
            self.progress.status("ignore", "transferring context:", 2)

    def find(self, dockerfile: Dockerfile) -> None:
        """Tell what a build of the target would find."""
        found, _ = problems(dockerfile, dict(self.request.build_args), target=self.request.target, base=self.base)
        source = self.request.dockerfile or b""
        for problem in found:
            message = f"{problem.rule}: {problem.message} (line {problem.first})"
            lines = ((problem.first, problem.last),)
            finding = Finding("", problem.rule, message, problem.detail, problem.url, self.file, source, lines)
            self.shown.event(finding)

    def close(self) -> None:
        """The end: what is left is shown, once."""
        if not self.closed:
            self.closed = True
            self.shown.close()


def call(asked: Call, request: BuildRequest, shown: Printer, *, lead: str = "") -> int:
    """Answer one --call, `lead` before it. Raises HyperBoxError with buildx's words."""
    name = asked.name
    if request.dockerfile is None and request.context.kind != "folder":
        raise UnsupportedError(f"ERROR: --call={name} reads a Dockerfile from a folder or stdin only")
    reading = Reading(shown, request)
    with closing(reading):
        text = reading.definition()
        if name not in (*METHODS, DESCRIBE):
            words = f"unsupported request frontend.{name}"
            raise HyperBoxError(f"ERROR: failed to build: failed to solve: {words}: {words}")
        if text is None:
            raise HyperBoxError(f"{FAILED}failed to read dockerfile: open {reading.file}: no such file or directory")
        if name == DESCRIBE:
            answer = _describe(as_json=asked.as_json)
        elif name in ("check", "lint"):
            return _check(text, reading, asked, lead)
        else:
            answer = _about_target(text, reading, asked)
    sys.stdout.write(lead + answer)
    return 0


def _about_target(text: bytes, reading: Reading, asked: Call) -> str:
    """Return the targets, or the outline of one."""
    try:
        dockerfile = parse(text)
        stages, target = _stages(dockerfile, reading.request)
    except DockerfileError as error:
        raise HyperBoxError(f"{FAILED}{error.message}") from None
    if asked.name == "targets":
        return _targets(dockerfile, stages, target, text, as_json=asked.as_json)
    reading.find(dockerfile)
    reading.ignore()
    return _outline(dockerfile, stages, target, reading.request, as_json=asked.as_json)


def _describe(*, as_json: bool) -> str:
    """Return the requests that are known beside a build."""
    if not as_json:
        rows = [[name, "1.0.0", text] for name, text in REQUESTS]
        return table([["NAME", "VERSION", "DESCRIPTION"], *rows], padding=1, min_width=0)
    target = [{"name": "target", "description": "Target build stage"}]
    options: dict[str, object] = {"outline": target, "targets": []}
    documents: list[Json] = [
        {
            "name": f"frontend.{name}",
            "version": "1.0.0",
            "type": "rpc",
            "description": text,
            "opts": options.get(name),
            "inputs": None,
            "metadata": [{"name": file, "description": ""} for file in ("result.json", "result.txt")],
            "refs": None,
        }
        for name, text in REQUESTS
    ]
    return indented_json(documents, indent="  ") + "\n"


def excerpt(file: str, lines: list[str] | tuple[str, ...], first: int, last: int) -> str:
    """Return lines of a Dockerfile with those in question marked, as docker prints them."""
    start, end = max(1, first - AROUND), min(len(lines), last + AROUND)
    out = f"{file}:{first}\n{'-' * 20}\n"
    for number in range(start, end + 1):
        mark = ">>>" if first <= number <= last else "   "
        out += f" {number:>3} | {mark} {lines[number - 1]}\n"
    return out + "-" * 20 + "\n"


def lookup(reference: str) -> Known:
    """Return what is known of a base image that is here already; of any other nothing is."""
    from hyperbox.cli.connect import native_engine

    try:
        return known_of(native_engine().image_inspect(reference))
    except EngineError:
        return nothing_known(reference)


# --- check -----------------------------------------------------------------------------------------------------------------------
def _check(text: bytes, reading: Reading, asked: Call, lead: str) -> int:
    """Print what is questionable; 1 where anything is, unless the status is to be ignored."""
    arguments, found, failure, broken = dict(reading.request.build_args), list[Problem](), None, False
    try:
        dockerfile = parse(text)
        found, failure = problems(
            dockerfile, arguments, target=reading.request.target, everything=True, base=reading.base
        )
        broken = check_settings(dockerfile, arguments).error if failure is None else False
        reading.ignore()
    except DockerfileError as error:
        failure = error
    reading.close()
    sys.stdout.write(lead)
    found = sorted(found, key=lambda problem: problem.first)
    status = 0 if asked.ignore_status or not (found or failure) else 1
    if asked.as_json:
        print(indented_json(_problems_json(found, reading.file, text), indent="  "))
        return status
    count = len(found)
    plural = "" if count == 1 else "s"
    result = f"{count} warning{plural} ha{'s' if count == 1 else 've'} been found!" if found else "no warnings found."
    if failure is None or found:
        sys.stdout.write(f"Check complete, {result}\n")
    source = tuple(line.rstrip("\r") for line in text.decode("utf-8", "replace").split("\n"))
    for problem in found:
        sys.stdout.write(f"\nWARNING: {problem.rule} - {problem.url}\n{problem.message}\n")
        sys.stdout.write(excerpt(reading.file, source, problem.first, problem.last))
    if failure is not None or (found and broken):
        sys.stdout.write("\n" if found else "")
        sys.stdout.flush()
        rules = ", ".join(dict.fromkeys(problem.rule for problem in found))
        message = failure.message if failure is not None else f"lint violation found for rules: {rules}"
        line, last = (failure.line, failure.last) if failure is not None else (0, 0)
        sys.stderr.write(f"ERROR: {message}\n{excerpt(reading.file, source, line, last) if line else ''}\n")
    sys.stdout.flush()
    if status:
        raise ExitStatus(status)
    return 0


def _problems_json(found: list[Problem], file: str, source: bytes) -> Json:
    def warning(problem: Problem) -> Json:
        return {
            "ruleName": problem.rule,
            "description": problem.detail,
            "url": problem.url,
            "detail": problem.message,
            "location": _location(problem.first, problem.last),
        }

    return {
        "warnings": [warning(problem) for problem in found] or None,
        "sources": [{"filename": file, "data": b64encode(source).decode(), "language": "Dockerfile"}],
    }


def _location(first: int, last: int) -> Json:
    return {"ranges": [{"start": {"line": first}, "end": {"line": last}}]}


# --- targets and outline ------------------------------------------------------------------------------------------------------------
def _stages(dockerfile: Dockerfile, request: BuildRequest) -> tuple[list[Stage], Stage]:
    """Return the stages and the one that is built. Raises HyperBoxError where --target names none."""
    inspection = Inspection(dockerfile, dict(request.build_args), nothing_known)
    inspection.look_at_heads()
    stages = inspection.stages
    if not stages:
        raise DockerfileError("dockerfile contains no stages to build")
    if not request.target:
        return stages, stages[-1]
    for index, stage in enumerate(stages):
        if request.target.lower() in (stage.head.name, str(index)):
            return stages, stage
    raise HyperBoxError(f'ERROR: failed to build: failed to solve: target stage "{request.target}" could not be found')


def described(dockerfile: Dockerfile, line: int, name: str) -> str:
    """Return what the comment above a line says of `name`: the words behind it on a line that begins with it."""
    index = line - 2
    found = ""
    while index >= 0 and dockerfile.lines[index].lstrip().startswith("#"):
        word, _, rest = dockerfile.lines[index].lstrip().lstrip("#").strip().partition(" ")
        if name and word.lower() == name.lower():
            found = rest.strip()
        index -= 1
    return found


def _targets(dockerfile: Dockerfile, stages: list[Stage], target: Stage, source: bytes, *, as_json: bool) -> str:
    rows = []
    targets: list[Json] = []
    for stage in stages:
        name, line = stage.head.name, stage.instruction.first
        text = described(dockerfile, line, name)
        label = f"{name} (default)" if stage is target and name else "(default)" if stage is target else name
        rows.append([label, text])
        facts: Json = {"name": name, "default": stage is target, "description": text, "base": stage.head.base}
        kept: Json = {key: value for key, value in facts.items() if value}
        kept["location"] = _location(line, stage.instruction.last)
        targets.append(kept)
    if as_json:
        return indented_json({"targets": targets, "sources": [b64encode(source).decode()]}, indent="  ") + "\n"
    return table([["TARGET", "DESCRIPTION"], *rows], padding=1)


class Outline:
    """What a target can be given: arguments, secrets, agents, each (name, value or required, description, lines)."""

    def __init__(self) -> None:
        self.arguments: dict[str, tuple[str, str, int]] = {}
        self.secrets: dict[str, tuple[bool, int]] = {}
        self.agents: dict[str, tuple[bool, int]] = {}


def _outline(
    dockerfile: Dockerfile, stages: list[Stage], target: Stage, request: BuildRequest, *, as_json: bool
) -> str:
    outline = Outline()
    given = dict(request.build_args)
    used = _used_globals(dockerfile, list(needed(stages, target)))
    for instruction in dockerfile.instructions:
        if instruction.name == "FROM":
            break
        names = [(name, default) for name, default in _names(instruction.rest) if name in used]
        _arguments(outline, dockerfile, instruction.first, names, given)
    for stage in needed(stages, target):
        for instruction, step in stage.steps:
            if isinstance(step, Arg):
                _arguments(outline, dockerfile, instruction.first, list(step.names), given)
            elif isinstance(step, Run):
                _mounts(outline, step, instruction.first)
    name = target.head.name
    text = described(dockerfile, target.instruction.first, name)
    if as_json:
        return indented_json(_outline_json(outline, name, text, request.dockerfile or b""), indent="  ") + "\n"
    return _outline_text(outline, name, text)


def _used_globals(dockerfile: Dockerfile, stages: Sequence[Stage]) -> set[str]:
    """Return the variables in the FROM of stages, and those that the defaults of global arguments among them have in turn."""
    defaults: dict[str, str] = {}
    for instruction in dockerfile.instructions:
        if instruction.name == "FROM":
            break
        defaults.update((name, default or "") for name, default in _names(instruction.rest))
    used: set[str] = set()
    pending = [word for stage in stages for word in (stage.head.base, stage.head.platform)]
    pending += [
        f"${name}" for stage in stages for _, step in stage.steps if isinstance(step, Arg) for name, _ in step.names
    ]
    while pending:
        for name in re.findall(r"\$\{?(\w+)", pending.pop()):
            if name not in used:
                used.add(name)
                pending.append(defaults.get(name, ""))
    return used


def _names(rest: str) -> list[tuple[str, str | None]]:
    """Return the names and defaults of an ARG's words."""
    return [(name, value if equals else None) for name, equals, value in (word.partition("=") for word in rest.split())]


def _arguments(
    outline: Outline, dockerfile: Dockerfile, line: int, names: list[tuple[str, str | None]], given: Mapping[str, str]
) -> None:
    for name, default in names:
        value = given.get(name, default)
        known = outline.arguments.get(name)
        if known is not None and value is None:
            continue
        outline.arguments[name] = ((value or "").strip("\"'"), described(dockerfile, line, name), line)


def _mounts(outline: Outline, step: Run, line: int) -> None:
    for mount in step.mounts:
        required = mount.flag("required")
        if mount.kind == "secret":
            name = mount.get("id") or mount.get("target").rpartition("/")[2]
            outline.secrets.setdefault(name, (required, line))
        elif mount.kind == "ssh":
            outline.agents.setdefault(mount.get("id") or "default", (required, line))


def _outline_text(outline: Outline, name: str, text: str) -> str:
    out = ""
    if name and text:
        out = f"TARGET:      {name}\nDESCRIPTION: {text}\n\n"
    elif name:
        out = f"TARGET: {name}\n\n"
    if outline.arguments:
        rows = [[key, value, about] for key, (value, about, _) in outline.arguments.items()]
        out += table([["BUILD ARG", "VALUE", "DESCRIPTION"], *rows], min_width=0) + "\n"
    for title, found in (("SECRET", outline.secrets), ("SSH", outline.agents)):
        if found:
            rows = [[key, "true" if required else ""] for key, (required, _) in found.items()]
            out += table([[title, "REQUIRED"], *rows], min_width=0) + "\n"
    return out


def _outline_json(outline: Outline, name: str, text: str, source: bytes) -> Json:
    def entry(key: str, line: int, **facts: object) -> Json:
        kept: Json = {"name": key, **{word: value for word, value in facts.items() if value}}
        kept["location"] = _location(line, line)
        return kept

    answer: Json = {key: value for key, value in (("name", name), ("description", text)) if value}
    if outline.arguments:
        answer["args"] = [
            entry(key, line, description=about, value=value) for key, (value, about, line) in outline.arguments.items()
        ]
    for title, found in (("secrets", outline.secrets), ("ssh", outline.agents)):
        if found:
            answer[title] = [entry(key, line, required=required) for key, (required, line) in found.items()]
    answer["sources"] = [b64encode(source).decode()]
    return answer
