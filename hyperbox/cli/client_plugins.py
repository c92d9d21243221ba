"""docker's client plugins: programs named docker-NAME in certain folders, each of which adds the command NAME.

buildx and compose are HyperBox's own and never looked for. A plugin gets docker's whole command line; asked for its metadata (its first word is
then docker-cli-plugin-metadata) it prints a JSON object: https://github.com/docker/cli/blob/v28.5.2/cli-plugins/metadata/metadata.go
"""

from __future__ import annotations

import os

from hyperbox.cli.configuration_file import folder, load
from hyperbox.grammar.parse import command_words, is_known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

SYSTEM = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
PREFIX = "docker-"
OWN = frozenset({"buildx", "compose"})
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
COMMAND = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"
PATIENCE = 10.0  # seconds that a plugin has to tell its metadata


def run_named(arguments: list[str]) -> None:
    """Become the plugin whose command stands in a command line (argv) that names none of docker's own; return where there is none."""
    program = arguments[0].rpartition("/")[2]
    if program == "docker-compose":
        return
    config, words = command_words(arguments[1:])
    if words[:1] == ["help"]:
        words = words[1:]
    name = words[0] if words else ""
    if not is_name(name):
        return
    if config:
        os.environ["DOCKER_CONFIG"] = config  # for the search; the plugin reads the flag itself
    path = find(name)
    if not path or metadata(path) is None:
        return
    if config:
        del os.environ["DOCKER_CONFIG"]
    from hyperbox import process

    os.environ[COMMAND] = arguments[0]
    process.replace([path, *arguments[1:]], set())


def is_name(name: str) -> bool:
    """Return whether a plugin may have that name: no command of docker's own has it."""
    return bool(name) and name[0].isalpha() and LETTERS.issuperset(name) and name not in OWN and not is_known(name)


def folders(invocation: Invocation | None = None) -> list[str]:
    """Return where plugins may be, the first places first."""
    extra = load(invocation).get("cliPluginsExtraDirs")
    given = [str(each) for each in extra] if isinstance(extra, list) else []
    return [*given, f"{folder(invocation)}/cli-plugins", *SYSTEM]


def find(name: str) -> str:
    """Return the path of a plugin, or ""."""
    paths = (f"{place}/{PREFIX}{name}" for place in folders())
    return next((path for path in paths if os.path.isfile(path)), "")


def metadata(path: str) -> Json | None:
    """Return what a plugin says of itself; None where it is none that docker takes."""
    from hyperbox import files, process

    try:
        done = process.run([path, "docker-cli-plugin-metadata"], timeout=PATIENCE)
        value = files.loads(done.out.decode()) if done.code == 0 else None
    except (OSError, ValueError):
        return None
    if not isinstance(value, dict) or not value.get("Vendor"):
        return None
    major = str(value.get("SchemaVersion") or "").partition(".")[0]
    return value if major in ("0", "1") else None


def installed(invocation: Invocation | None = None) -> list[tuple[str, str, Json]]:
    """Return (name, path, metadata) of each plugin there is, by name."""
    found: dict[str, str] = {}
    for place in folders(invocation):
        try:
            entries = os.listdir(place)
        except OSError:
            continue
        for entry in entries:
            name = entry.removeprefix(PREFIX)
            if entry.startswith(PREFIX) and is_name(name) and os.path.isfile(f"{place}/{entry}"):
                found.setdefault(name, f"{place}/{entry}")
    described = ((name, path, metadata(path)) for name, path in sorted(found.items()))
    return [(name, path, value) for name, path, value in described if value is not None]
