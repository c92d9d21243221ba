"""`__complete` and `__completeNoDesc`: prints what `grammar.complete` finds, with the names of what is really there.

Completion never fails loudly: what can't be looked up is left out. It is a hot path; only compose's services and bake's targets load files.
"""

from __future__ import annotations

import os
import sys

from hyperbox.errors import HyperBoxError, UsageError
from hyperbox.grammar.complete import complete as complete_words
from hyperbox.grammar.help import OWN, is_legacy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hyperbox.engine.api import Engine
    from hyperbox.grammar.complete import Completion
    from hyperbox.grammar.parse import Invocation

DIRECTIVES = (
    (1, "ShellCompDirectiveError"),
    (2, "ShellCompDirectiveNoSpace"),
    (4, "ShellCompDirectiveNoFileComp"),
    (8, "ShellCompDirectiveFilterFileExt"),
    (16, "ShellCompDirectiveFilterDirs"),
)
STATES = {
    "running": ("running", "paused", "restarting"),
    "unpaused": ("running", "restarting"),
    "paused": ("paused",),
    "stopped": ("created", "exited"),
}


def complete(invocation: Invocation) -> int:
    """Print candidates and the directive on stdout, the directive's name on stderr, as cobra does."""
    words = invocation.arguments
    if not words:
        raise UsageError("requires at least 1 arg(s), only received 0", exit_code=1)
    if invocation.program == "docker-compose":
        from hyperbox.grammar.standalone import rewrite

        words = [*rewrite(words[:-1]), words[-1]]
    found = complete_words(words)
    directive = found.directive
    candidates = found.candidates
    if invocation.program == "hyperbox" and len(words) == 1 and not words[0].startswith("-"):
        candidates = sorted([*candidates, *(entry for entry in OWN if entry[0].startswith(words[0]))])
    if os.environ.get("DOCKER_HIDE_LEGACY_COMMANDS") and len(words) == 1:
        candidates = [entry for entry in candidates if not is_legacy(entry[0])]
    if found.live:
        try:
            candidates = [(name, "") for name in live_names(invocation, found, words[-1])]
        except (HyperBoxError, OSError, ValueError):
            directive = 1
    described = invocation.typed == "__complete"
    lines = [f"{name}\t{text}" if text and described else name for name, text in candidates]
    sys.stdout.write("".join(f"{line}\n" for line in [*lines, f":{directive}"]))
    sys.stdout.flush()
    sys.stderr.write(f"Completion ended with directive: {directive_name(directive)}\n")
    return 0


def directive_name(directive: int) -> str:
    """Return cobra's name for a directive."""
    names = [name for bit, name in DIRECTIVES if directive & bit]
    return ", ".join(names) or "ShellCompDirectiveDefault"


def live_names(invocation: Invocation, found: Completion, typed: str) -> list[str]:
    """Return the names of what is there, of the kind that `found.live` asks for."""
    _, what, state = f"{found.live}::".split(":")[:3]
    if found.live == "environment":
        return sorted(os.environ)
    if what == "contexts":
        from hyperbox.cli import context_store

        return sorted({context_store.DEFAULT, *context_store.names(invocation)})
    if what == "builders":
        from hyperbox.cli import builder_store

        return sorted({*builder_store.names(invocation), *builder_store.contexts(invocation)})
    if what == "registries":
        return registries(invocation)
    if what == "targets":
        from hyperbox.cli.bake import entry_names

        return entry_names(typed)
    if what in ("services", "profiles", "scale"):
        return compose_names(found, what)
    from hyperbox.cli.connect import engine_for

    engine = engine_for(invocation)
    if what == "containers":
        return [name for name in container_names(engine, state) if name not in found.words]
    if what == "links":
        return [name + ":" for name in container_names(engine, "all")]
    if what == "projects":
        return project_names(engine)
    names = {"images": image_names, "volumes": volume_names, "networks": network_names}
    if what in names:
        return names[what](engine)
    return [*container_names(engine, "all"), *image_names(engine), *network_names(engine), *volume_names(engine)]


def container_names(engine: Engine, state: str) -> list[str]:
    """Return the names of the containers in a state ("all" for any), and their ids where the user wants those offered."""
    wanted = STATES.get(state)
    with_ids = os.environ.get("DOCKER_COMPLETION_SHOW_CONTAINER_IDS") == "yes"
    names = []
    for container in engine.container_list(all=True):
        if wanted is not None and container.get("State") not in wanted:
            continue
        if with_ids:
            names.append(str(container["Id"]))
        names.extend(name.removeprefix("/") for name in texts(container.get("Names")))
    return names


def image_names(engine: Engine) -> list[str]:
    """Return the tags of the images."""
    return [tag for image in engine.image_list() for tag in texts(image.get("RepoTags")) if tag != "<none>:<none>"]


def network_names(engine: Engine) -> list[str]:
    """Return the names of the networks."""
    return [str(network["Name"]) for network in engine.network_list()]


def volume_names(engine: Engine) -> list[str]:
    """Return the names of the volumes."""
    volumes = engine.volume_list().get("Volumes")
    return [str(volume["Name"]) for volume in volumes] if isinstance(volumes, list) else []


def project_names(engine: Engine) -> list[str]:
    """Return the names of the compose projects that have containers."""
    found = set()
    for container in engine.container_list(all=True):
        labels = container.get("Labels")
        if isinstance(labels, dict) and labels.get("com.docker.compose.project"):
            found.add(str(labels["com.docker.compose.project"]))
    return sorted(found)


def texts(value: object) -> Iterator[str]:
    """Yield the strings of a list; nothing for anything else."""
    if isinstance(value, (list, tuple)):
        for item in value:
            yield str(item)


def registries(invocation: Invocation) -> list[str]:
    """Return the registries that the client is logged in to."""
    from hyperbox.cli.configuration_file import folder
    from hyperbox.files import read_json

    try:
        config = read_json(folder(invocation) + "/config.json")
    except (OSError, ValueError):
        return []
    auths = config.get("auths") if isinstance(config, dict) else None
    return sorted(auths) if isinstance(auths, dict) else []


def compose_names(found: Completion, what: str) -> list[str]:
    """Return the services or profiles of the compose files that the words so far choose; nothing where they can't be read."""
    from hyperbox.cli.complete_project import service_and_profile_names

    services, profiles = service_and_profile_names(found.globals)
    if what == "profiles":
        return profiles
    return [name + "=" for name in services] if what == "scale" else services
