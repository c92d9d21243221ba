"""Changes the support state of a command or a flag in compat/*.json, and generates what depends on it.

    python -m compat.set_status "container top" native
    python -m compat.set_status "container top" refused "HyperBox has no ps yet"
    python -m compat.set_status "container run --use-api-socket" refused "there is no socket of a daemon"
    python -m compat.set_status "container run --gpus" native
    python -m compat.set_status "compose publish" refused "…"
    python -m compat.set_status "node ls" absent "HyperBox has no swarm mode"

The sentence is what follows "docker COMMAND: " in the error of a refused command, "docker COMMAND: --FLAG: " in that of a refused flag.
"""

from __future__ import annotations

import sys

from compat import generate, source

STATES = ("native", "engine", "refused", "absent")


def change(target: str, state: str, why: str) -> None:
    """Write the new state of "PATH" or "PATH --FLAG"; raises SystemExit for what is not in the tables."""
    path, _, flag = target.partition(" --")
    program = "docker"
    if path.startswith("compose "):
        program, path = "compose", path.removeprefix("compose ")
    document = source.read(program)
    command = next((entry for entry in source.records(document["commands"]) if entry["path"] == path), None)
    if command is None:
        raise SystemExit(f"no command {path!r} in compat/{program}.json")
    record = command
    if flag:
        found = next((entry for entry in source.records(command["flags"]) if entry["name"] == flag), None)
        if found is None:
            raise SystemExit(f"{path} has no flag --{flag}")
        record = found
    else:
        record["status"] = state
    record.pop("why", None)
    if state in ("refused", "absent"):
        record["why"] = why
    if not flag:
        flags = record.pop("flags")
        record["flags"] = flags  # stays last
    source.write(document)


def main(arguments: list[str]) -> int:
    """Change and generate; returns the exit code."""
    if (
        len(arguments) not in (2, 3)
        or arguments[1] not in STATES
        or (arguments[1] in ("refused", "absent")) != (len(arguments) == 3)
    ):
        print(__doc__, file=sys.stderr)
        return 2
    change(arguments[0], arguments[1], arguments[2] if len(arguments) == 3 else "")
    return generate.main([])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
