"""`docker port`, `top`, `rename`, `update` and `container prune`."""

from __future__ import annotations

import sys

from hyperbox.cli.connect import engine_for
from hyperbox.cli.container_list import parse_filters
from hyperbox.cli.container_ports import bindings, host_and_port
from hyperbox.cli.container_spec import FLAGS
from hyperbox.cli.output import natural_key, table
from hyperbox.errors import EngineError, ExitStatus, HyperBoxError, InvalidParameter
from hyperbox.go.text import invalid_syntax, out_of_range
from hyperbox.go.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

TOP_WIDTH = 20


def say_error(error: EngineError) -> None:
    """Write an engine's error on stderr as docker does, where others may follow."""
    sys.stdout.flush()
    sys.stderr.write(f"{error.told}\n")


def port(invocation: Invocation) -> int:
    """docker port CONTAINER [PORT[/PROTO]]"""
    name = invocation.arguments[0]
    published = bindings(engine_for(invocation).container_inspect(name))
    if len(invocation.arguments) > 1 and invocation.arguments[1]:
        wanted = invocation.arguments[1]
        number, _, protocol = wanted.partition("/")
        if not number.isdigit() or int(number) > 65535:
            reason = (out_of_range if number.isdigit() else invalid_syntax)("ParseUint", number)
            raise HyperBoxError(f"Error: invalid port ({number}): {reason}")
        hosts = published.get(f"{number}/{protocol or 'tcp'}")
        if not hosts:
            raise HyperBoxError(f"Error: No public port '{wanted}' published for {name}")
        lines = [_host(host) for host in hosts]
    else:
        lines = [f"{key} -> {_host(host)}" for key, hosts in published.items() for host in hosts]
    sys.stdout.write("".join(f"{line}\n" for line in sorted(lines, key=natural_key)))
    return 0


def _host(host: dict[str, str]) -> str:
    return host_and_port(host.get("HostIp") or "", host.get("HostPort") or "")


def top(invocation: Invocation) -> int:
    """docker top CONTAINER [ps OPTIONS]"""
    name, *options = invocation.arguments
    processes = engine_for(invocation).container_top(name, " ".join(options) or "-ef")
    rows = [processes.get("Titles"), *_rows(processes.get("Processes"))]
    sys.stdout.write(
        table(
            [[str(cell) for cell in row] for row in rows if isinstance(row, (list, tuple))],
            min_width=TOP_WIDTH,
            padding=3,
        )
    )
    return 0


def _rows(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else []


def rename(invocation: Invocation) -> int:
    """docker rename CONTAINER NEW_NAME"""
    old, new = (word.strip() for word in invocation.arguments)
    if not old or not new:
        raise HyperBoxError("Error: Neither old nor new names may be empty")
    try:
        engine_for(invocation).container_rename(old, new)
    except EngineError as error:
        say_error(error)
        raise HyperBoxError(f"Error: failed to rename container named {old}") from error
    return 0


# the flags of run that update has, too
UPDATE_FLAGS = (
    *(
        "blkio-weight",
        "cpu-period",
        "cpu-quota",
        "cpu-rt-period",
        "cpu-rt-runtime",
        "cpu-shares",
        "cpus",
        "cpuset-cpus",
        "cpuset-mems",
    ),
    *("memory", "memory-reservation", "memory-swap", "pids-limit"),
)


def restart_policy(text: str) -> Json:
    """Return --restart's word as the API's RestartPolicy. Raises HyperBoxError with docker's words."""
    name, colon, count = text.partition(":")
    if name not in ("", "no", "always", "on-failure", "unless-stopped"):
        raise InvalidParameter(
            f"invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )
    if colon and not name:
        raise HyperBoxError("invalid restart policy format: no policy provided before colon")
    if colon and not count.lstrip("-").isdigit():
        raise HyperBoxError("invalid restart policy format: maximum retry count must be an integer")
    return {"Name": name, "MaximumRetryCount": int(count) if colon else 0}


def update(invocation: Invocation) -> int:
    """docker update OPTIONS CONTAINER…"""
    if not any(name in invocation.given for name in [*UPDATE_FLAGS, "restart", "kernel-memory"]):
        raise HyperBoxError("you must provide one or more flags when using this command")
    changes: Json = {FLAGS[flag]: invocation.flags[flag] for flag in UPDATE_FLAGS if flag in invocation.given}
    if invocation.flags["restart"]:
        changes["RestartPolicy"] = restart_policy(str(invocation.flags["restart"]))
    engine = engine_for(invocation)
    errors: list[EngineError] = []
    for name in invocation.arguments:
        try:
            answer = engine.container_update(name, changes)
        except EngineError as error:
            errors.append(error)
            continue
        sys.stdout.write(f"{name}\n")
        for warning in _rows(answer.get("Warnings")):
            sys.stdout.write(f"{warning}\n")
    return fail_with(errors)


def fail_with(errors: list[EngineError]) -> int:
    """Write the errors of a command on several things, and return its exit code."""
    for error in errors:
        say_error(error)
    return 1 if errors else 0


# --- prune --------------------------------------------------------------------------------------------------------------------
def confirmed(warning: str) -> bool:
    """Write a warning and ask; anything but y or Y means no."""
    from hyperbox.cli.prompt import answer

    try:
        return answer(f"{warning}\nAre you sure you want to continue? [y/N] ").strip() in ("y", "Y")
    except (OSError, ValueError):
        return False


def ask(invocation: Invocation, warning: str) -> None:
    """Ask unless --force was given; raises ExitStatus(0) where the user does not want it."""
    if not invocation.flags["force"] and not confirmed(warning):
        raise ExitStatus(0)


def prune_filters(invocation: Invocation) -> dict[str, list[str]]:
    """Return --filter's and config.json's pruneFilters."""
    filters = parse_filters(invocation.flags["filter"])
    from hyperbox.cli.configuration_file import load

    configured = load(invocation).get("pruneFilters")
    for pair in configured if isinstance(configured, list) else []:
        key, _, value = str(pair).partition("=")
        opposite = {"label": "label!", "label!": "label"}.get(key)
        if opposite is None or value not in filters.get(opposite, []):
            filters.setdefault(key, []).append(value)
    return filters


def deleted(heading: str, answer: Json, key: str) -> str:
    """Return one paragraph of what was deleted, or ""."""
    names = _rows(answer.get(key))
    return f"{heading}:\n" + "".join(f"{name}\n" for name in names) + "\n" if names else ""


def reclaimed(*answers: Json) -> str:
    """Return the last line: what all of it came to."""
    total = sum(int(str(answer.get("SpaceReclaimed") or 0)) for answer in answers)
    return f"Total reclaimed space: {human_size(total, precision=4)}\n"


def prune(invocation: Invocation) -> int:
    """docker container prune"""
    from hyperbox.cli import project_claims

    ask(invocation, "WARNING! This will remove all stopped containers.")
    engine = engine_for(invocation)
    projects = project_claims.projects_with_containers(engine)
    answer = engine.container_prune(prune_filters(invocation))
    project_claims.give_back(engine, projects)
    sys.stdout.write(deleted("Deleted Containers", answer, "ContainersDeleted") + reclaimed(answer))
    return 0
