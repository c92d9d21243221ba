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


def load(invocation: Invocation | None = None) -> dict[str, object]:
    """Return config.json as a dict: empty where there is none; a malformed one is told on stderr, as docker does."""
    from hyperbox.files import loads, read_text

    path = folder(invocation) + "/config.json"
    try:
        text = read_text(path)
    except OSError:
        return {}
    try:
        value = loads(text) if text.strip() else {}
    except ValueError:
        import json

        from hyperbox.image.credentials import go_words

        try:
            json.loads(text)
        except (ValueError, RecursionError) as told:
            sys.stderr.write(f"WARNING: Error parsing config file ({path}): {go_words(told, text)}\n")
        return {}
    return value if isinstance(value, dict) else {}


def setting(key: str, invocation: Invocation | None = None) -> str:
    """Return one text of the configuration, or ""."""
    value = load(invocation).get(key, "")
    return value if isinstance(value, str) else ""
