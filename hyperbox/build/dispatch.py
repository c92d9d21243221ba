"""What each instruction does to its stage: nodes for those that make layers, the configuration for all. One function per kind of instruction."""

from __future__ import annotations

import posixpath

from hyperbox.build import graph
from hyperbox.build.copying_plan import plan_copy
from hyperbox.build.dispatch_history import record
from hyperbox.build.instructions import Arg, Command, Copy, Healthcheck, Onbuild, Pairs, Run, Text, Words
from hyperbox.build.running_plan import plan_run
from hyperbox.build.stages import located
from hyperbox.go.durations import format_duration, parse_duration
from hyperbox.go.text import quote
from hyperbox.image.dockerfile_words import WordError, expand_to_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.build.dockerfile import Instruction
    from hyperbox.build.instructions import Step
    from hyperbox.build.stages import Planner, Stage

NOT_IN_ENVIRONMENT = frozenset({"BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"})


async def dispatch(planner: Planner, stage: Stage, instruction: Instruction, step: Step) -> None:
    """Apply one instruction. Raises LocatedError."""
    if isinstance(step, Run):
        await plan_run(planner, stage, instruction, step)
    elif isinstance(step, Copy):
        await plan_copy(planner, stage, instruction, step)
    elif isinstance(step, Arg):
        _argument(planner, stage, instruction, step)
    elif isinstance(step, Pairs):
        _pairs(planner, stage, instruction, step)
    elif isinstance(step, Command):
        _command(planner, stage, step)
    elif isinstance(step, Healthcheck):
        _healthcheck(planner, stage, instruction, step)
    elif isinstance(step, Words):
        _words(planner, stage, instruction, step)
    elif isinstance(step, Text):
        _text(planner, stage, instruction, step)
    elif isinstance(step, Onbuild):
        present = stage.draft.config.get("OnBuild")
        stage.draft.config["OnBuild"] = [*(present if isinstance(present, list) else []), step.text]


def _argument(planner: Planner, stage: Stage, instruction: Instruction, step: Arg) -> None:
    shown = []
    for name, default in step.names:
        value = planner.given.get(name)
        if value is None and default is not None:
            value = planner.word(default, stage.environment.values, instruction)
        elif value is None:
            value = planner.globals.get(name)
        if value is not None and name not in NOT_IN_ENVIRONMENT:
            stage.environment.set(name, value)
        stage.arguments.append((name, value))
        shown.append(name if value is None else f"{name}={value}")
    record(planner, stage, f"ARG {' '.join(shown)}")


def _pairs(planner: Planner, stage: Stage, instruction: Instruction, step: Pairs) -> None:
    values = stage.environment.values
    pairs = [
        (planner.word(name, values, instruction), planner.word(value, values, instruction))
        for name, value in step.pairs
    ]
    if step.kind == "LABEL":
        stage.draft.label(pairs)
    else:
        for name, value in pairs:
            stage.environment.set(name, value)
            stage.draft.set_variable(name, value)
    record(planner, stage, f"{step.kind} {' '.join(f'{name}={value}' for name, value in pairs)}")


def go_words(words: tuple[str, ...]) -> str:
    """Return words as Go prints a list of quoted strings."""
    return f"[{' '.join(map(quote, words))}]"


def _command(planner: Planner, stage: Stage, step: Command) -> None:
    words = (*stage.draft.shell, *step.command) if step.shell else step.command
    if step.kind == "SHELL":
        stage.draft.config["Shell"] = list(step.command)
        record(planner, stage, f"SHELL [{' '.join(step.command)}]")
        return
    if step.kind == "CMD":
        stage.draft.set_command(words)
    else:
        stage.draft.set_entrypoint(words)
    record(planner, stage, f"{step.kind} {go_words(words)}")


def _healthcheck(planner: Planner, stage: Stage, instruction: Instruction, step: Healthcheck) -> None:
    config: dict[str, object] = {"Test": list(step.test)}
    options = dict(step.options)
    values = {"interval": 0, "timeout": 0, "start-period": 0, "start-interval": 0}
    for name in values:
        if name not in options:
            continue
        try:
            values[name] = parse_duration(options[name])
        except ValueError as error:
            raise located(str(error), instruction) from None
        if values[name] and values[name] < 10**6:
            raise located(f'Interval "{name}" cannot be less than 1ms', instruction)
        key = "".join(part.capitalize() for part in name.split("-"))
        if values[name]:
            config[key] = values[name]
    retries = options.get("retries", "0")
    if not retries.isdigit() or ("retries" in options and int(retries) < 0):
        raise located(f"--retries must be at least 0 (not {retries})", instruction)
    if int(retries):
        config["Retries"] = int(retries)
    stage.draft.config["Healthcheck"] = config
    shown = " ".join(
        f'"{format_duration(values[name])}"' for name in ("interval", "timeout", "start-period", "start-interval")
    )
    record(planner, stage, f"HEALTHCHECK &{{{go_words(step.test)} {shown} '\\x{int(retries):02x}'}}")


def _words(planner: Planner, stage: Stage, instruction: Instruction, step: Words) -> None:
    found: list[str] = []
    for word in sorted(step.words) if step.kind == "EXPOSE" else step.words:
        if step.kind == "VOLUME":  # of a list too; white space in a variable parts nothing
            found.append(planner.word(word, stage.environment.values, instruction))
            continue
        try:
            found += expand_to_words(word, stage.environment.values, escape=planner.document.escape)
        except WordError as error:
            raise located(f"failed to process {quote(word)}: {error}", instruction) from None
    if step.kind == "EXPOSE":
        ports = [port for word in found for port in exposed_ports(word, instruction)]
        stage.draft.add_names("ExposedPorts", ports)
        record(planner, stage, f"EXPOSE [{' '.join(ports)}]")
        return
    if any(not word for word in found):
        raise located("VOLUME specified can not be an empty string", instruction)
    stage.draft.add_names("Volumes", found)
    record(planner, stage, f"VOLUME [{' '.join(found)}]")


def exposed_ports(word: str, instruction: Instruction) -> list[str]:
    """Return the ports of one word of EXPOSE, each as PORT/PROTOCOL. Raises LocatedError with docker's words."""
    port, _, protocol = word.rpartition("/") if "/" in word else (word, "", "tcp")
    protocol = protocol.lower()
    first, dash, last = port.rpartition(":")[2].partition("-")
    if protocol not in ("tcp", "udp", "sctp") or "/" in port:
        raise located(f'invalid port: "{word}": invalid proto: {word.partition("/")[2]}', instruction)
    ends = [first, last] if dash else [first]
    if not all(end.isdigit() and int(end) < 65536 for end in ends) or (dash and int(first) > int(last)):
        raise located(f"invalid containerPort: {port}", instruction)
    return [f"{number}/{protocol}" for number in range(int(first), int(ends[-1]) + 1)]


def _text(planner: Planner, stage: Stage, instruction: Instruction, step: Text) -> None:
    text = planner.word(step.text, stage.environment.values, instruction)
    if step.kind == "USER":
        stage.draft.config["User"] = text
        record(planner, stage, f"USER {text}")
    elif step.kind == "MAINTAINER":
        stage.draft.author = step.text
        record(planner, stage, f"MAINTAINER {step.text}")
    elif step.kind == "STOPSIGNAL":
        _check_signal(text, instruction)
        stage.draft.config["StopSignal"] = text
        record(planner, stage, f"STOPSIGNAL {text}")
    else:
        _working_dir(planner, stage, instruction, text)


def _check_signal(text: str, instruction: Instruction) -> None:
    from hyperbox.errors import HyperBoxError
    from hyperbox.kernel.signals import signal_number

    try:
        signal_number(text)
    except HyperBoxError as error:
        raise located(error.message, instruction) from None


def _working_dir(planner: Planner, stage: Stage, instruction: Instruction, text: str) -> None:
    path = posixpath.normpath(posixpath.join(stage.working_dir or "/", text))
    path = "/" + path.lstrip("/")
    stage.working_dir = path
    stage.draft.config["WorkingDir"] = path
    if path == "/":
        record(planner, stage, "WORKDIR /")
        return
    operation = graph.MakeFolder(path, str(stage.draft.config.get("User") or ""), planner.epoch)
    name = stage.vertex_name(planner.shown(instruction, stage))
    stage.node = planner.unique(
        graph.Node(operation, (stage.node,), name, instruction, ignore_cache=stage.ignore_cache)
    )
    record(planner, stage, f"WORKDIR {path}", layer=True)
