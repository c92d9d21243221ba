"""`docker build --call=check|outline|targets` and `--check`: what is said about a Dockerfile without building it."""

from __future__ import annotations

import sys
from base64 import b64encode

from hyperbox.build.checks import Inspection, check_settings, needed, no_environment, problems
from hyperbox.build.dockerfile import Dockerfile, DockerfileError, parse
from hyperbox.build.instructions import Arg, Run
from hyperbox.cli.output import indented_json, table
from hyperbox.errors import EngineError, ExitStatus, HyperBoxError, UnsupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hyperbox.build.api import BuildRequest
    from hyperbox.build.checks import Problem, Stage

    Json = dict[str, object]

AROUND = 2  # lines shown before and behind
METHODS = ("check", "lint", "outline", "targets")


def call(method: str, request: BuildRequest, *, lead: str = "") -> int:
    """Answer one --call=METHOD[,format=json|text], `lead` before it. Raises HyperBoxError with buildx's words."""
    name, *options = method.split(",")
    as_json = "format=json" in options
    if name not in METHODS:
        raise HyperBoxError(
            f"ERROR: failed to build: failed to solve: unsupported request frontend.{name}: unsupported request frontend.{name}"
        )
    if request.dockerfile is None:
        if request.context.kind != "folder":
            raise UnsupportedError(f"ERROR: --call={name} reads a Dockerfile from a folder or stdin only")
        path = request.dockerfile_path or "Dockerfile"
        raise HyperBoxError(
            f"ERROR: failed to build: failed to solve: failed to read dockerfile: open {path}: no such file or directory"
        )
    file = request.dockerfile_path or "Dockerfile"
    try:
        dockerfile = parse(request.dockerfile)
        sys.stdout.write(lead)
        if name in ("check", "lint"):
            return _check(dockerfile, request, file, as_json=as_json)
        stages, target = _stages(dockerfile, request)
    except DockerfileError as error:
        lines = request.dockerfile.decode("utf-8", "replace").split("\n")
        shown = excerpt(file, lines, error.line, error.last) if error.line else ""
        raise HyperBoxError(f"ERROR: {error.message}\n{shown}".rstrip("\n")) from None
    if name == "targets":
        return _targets(dockerfile, stages, target, request.dockerfile, as_json=as_json)
    return _outline(dockerfile, stages, target, request, as_json=as_json)


def excerpt(file: str, lines: list[str] | tuple[str, ...], first: int, last: int) -> str:
    """Return lines of a Dockerfile with those in question marked, as docker prints them."""
    start, end = max(1, first - AROUND), min(len(lines), last + AROUND)
    out = f"{file}:{first}\n{'-' * 20}\n"
    for number in range(start, end + 1):
        mark = ">>>" if first <= number <= last else "   "
        out += f" {number:>3} | {mark} {lines[number - 1]}\n"
    return out + "-" * 20 + "\n"


def lookup(reference: str) -> Mapping[str, str]:
    """Return the environment of a base image that is here already; of any other nothing is known."""
    from hyperbox.cli.connect import native_engine

    try:
        config = native_engine().image_inspect(reference).get("Config")
    except EngineError:
        return no_environment(reference)
    words = config.get("Env") if isinstance(config, dict) else None
    return {name: value for name, _, value in (str(word).partition("=") for word in words or [])}


# --- check -----------------------------------------------------------------------------------------------------------------------
def _check(dockerfile: Dockerfile, request: BuildRequest, file: str, *, as_json: bool) -> int:
    arguments = dict(request.build_args)
    found, failure = problems(dockerfile, arguments, target=request.target, everything=True, base=lookup)
    found = sorted(found, key=lambda problem: problem.first)
    if as_json:
        print(indented_json(_problems_json(found, file, request.dockerfile or b""), indent="  "))
        return 1 if found or failure else 0
    count = len(found)
    plural = "" if count == 1 else "s"
    result = (
        "no warnings found." if not found else f"{count} warning{plural} ha{'s' if count == 1 else 've'} been found!"
    )
    if failure is None or found:
        sys.stdout.write(f"Check complete, {result}\n")
    for problem in found:
        sys.stdout.write(f"\nWARNING: {problem.rule} - {problem.url}\n{problem.message}\n")
        sys.stdout.write(excerpt(file, dockerfile.lines, problem.first, problem.last))
    sys.stdout.flush()
    broken = check_settings(dockerfile, arguments).error if failure is None else False
    if failure is not None or (found and broken):
        sys.stdout.write("\n" if found else "")
        sys.stdout.flush()
        rules = ", ".join(dict.fromkeys(problem.rule for problem in found))
        message = failure.message if failure is not None else f"lint violation found for rules: {rules}"
        line = failure.line if failure is not None else 0
        shown = excerpt(file, dockerfile.lines, line, line) if line else "\n"
        sys.stderr.write(f"ERROR: {message}\n{shown}")
        raise ExitStatus(1)
    if found:
        raise ExitStatus(1)
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
    inspection = Inspection(dockerfile, dict(request.build_args), no_environment)
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


def _targets(dockerfile: Dockerfile, stages: list[Stage], target: Stage, source: bytes, *, as_json: bool) -> int:
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
        print(indented_json({"targets": targets, "sources": [b64encode(source).decode()]}, indent="  "))
        return 0
    sys.stdout.write(table([["TARGET", "DESCRIPTION"], *rows], padding=1))
    return 0


class Outline:
    """What a target can be given: arguments, secrets, agents, each (name, value or required, description, lines)."""

    def __init__(self) -> None:
        self.arguments: dict[str, tuple[str, str, int]] = {}
        self.secrets: dict[str, tuple[bool, int]] = {}
        self.agents: dict[str, tuple[bool, int]] = {}


def _outline(
    dockerfile: Dockerfile, stages: list[Stage], target: Stage, request: BuildRequest, *, as_json: bool
) -> int:
    outline = Outline()
    given = dict(request.build_args)
    for instruction in dockerfile.instructions:
        if instruction.name == "FROM":
            break
        _arguments(outline, dockerfile, instruction.first, _names(instruction.rest), given)
    for stage in needed(stages, target):
        for instruction, step in stage.steps:
            if isinstance(step, Arg):
                _arguments(outline, dockerfile, instruction.first, list(step.names), given)
            elif isinstance(step, Run):
                _mounts(outline, step, instruction.first)
    name = target.head.name
    text = described(dockerfile, target.instruction.first, name)
    if as_json:
        print(indented_json(_outline_json(outline, name, text, request.dockerfile or b""), indent="  "))
        return 0
    sys.stdout.write(_outline_text(outline, name, text))
    return 0


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
