"""docker's client configuration: DOCKER_CONFIG/config.json (default ~/.docker). Read here, written by `context` and `login`."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation


def folder(invocation: Invocation | None = None) -> str:
    """Return the folder of the configuration: --config, DOCKER_CONFIG or ~/.docker."""
    given = invocation.globals.get("config") if invocation is not None else ""
    if given == "$HOME/.docker":  # the grammar's default, as docker's help spells it
        given = ""
    home = os.environ.get("HOME") or "/root"
    return str(given or os.environ.get("DOCKER_CONFIG") or home + "/.docker")


# what was read of each file: it is read, and what is wrong with it told, once in a command
_read: dict[str, dict[str, object]] = {}


def load(invocation: Invocation | None = None) -> dict[str, object]:
    """Return what config.json says, nothing where there is none; what is wrong with it is told on stderr and left out, as docker does."""
    path = folder(invocation) + "/config.json"
    if path not in _read:
        _read[path], problem = _loaded(path)
        if problem:
            sys.stderr.write(f"WARNING: Error {problem}\n")
    return dict(_read[path])


def _loaded(path: str) -> tuple[dict[str, object], str]:
    from hyperbox.files import read_text

    try:
        text = read_text(path)
    except FileNotFoundError:
        return {}, ""
    except IsADirectoryError:
        return {}, f"parsing config file ({path}): read {path}: is a directory"
    except OSError as error:
        return {}, f"loading config file: open {path}: {(error.strerror or str(error)).lower()}"
    from hyperbox.cli.configuration_reading import read

    found, problem = read(text)
    return found, f"parsing config file ({path}): {problem}" if problem else ""


def warn_early(arguments: list[str]) -> None:
    """Tell what is wrong with the configuration where the rest of a command line is wrong, too: docker reads its configuration first."""
    given = ""
    for index, word in enumerate(arguments[1:], 1):
        if word.startswith("--config="):
            given = word.partition("=")[2]
        elif word == "--config" and index + 1 < len(arguments):
            given = arguments[index + 1]
        elif not word.startswith("-"):
            break
    if given:
        os.environ["DOCKER_CONFIG"] = given  # for this process, which ends with an error
    load()


def setting(key: str, invocation: Invocation | None = None) -> str:
    """Return one text of the configuration, or ""."""
    value = load(invocation).get(key, "")
    return value if isinstance(value, str) else ""


def detach_keys(invocation: Invocation) -> str:
    """Return the keys that detach from a container: --detach-keys, or config.json's; "" for docker's own."""
    return str(invocation.flags["detach-keys"]) or setting("detachKeys", invocation)
