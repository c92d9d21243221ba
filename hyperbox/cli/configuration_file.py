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
    except FileNotFoundError:
        return {}
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        sys.stderr.write(f"WARNING: Error loading config file: open {path}: {reason}\n")
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
    if wrong := mistake(value):
        sys.stderr.write(f"WARNING: Error parsing config file ({path}): {wrong}\n")
        return {}
    return value if isinstance(value, dict) else {}


# key -> what Go makes of it: its kind, and the kind's name
KINDS = {
    **dict.fromkeys(
        ("psFormat", "imagesFormat", "networksFormat", "pluginsFormat", "volumesFormat", "statsFormat", "detachKeys"),
        str,
    ),
    **dict.fromkeys(("credsStore", "currentContext", "experimental"), str),
    **dict.fromkeys(("auths", "HttpHeaders", "credHelpers", "proxies", "aliases", "plugins", "features"), dict),
    **dict.fromkeys(("pruneFilters", "cliPluginsExtraDirs"), list),
}


def mistake(value: object) -> str:
    """Return Go's words for a value that a key of config.json can't have, or "". null is nothing to Go."""
    if value is None:
        return ""
    if not isinstance(value, dict):
        return f"json: cannot unmarshal {go_kind(value)} into Go value of type configfile.ConfigFile"
    for key, item in value.items():
        kind = KINDS.get(key)
        if kind is not None and item is not None and not isinstance(item, kind):
            names = {str: "string", list: "[]string", dict: "map"}
            return f"json: cannot unmarshal {go_kind(item)} into Go struct field ConfigFile.{key} of type {names[kind]}"
    return ""


def go_kind(value: object) -> str:
    """Return what Go's encoding/json calls a JSON value in its errors."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object" if isinstance(value, dict) else "number"


def setting(key: str, invocation: Invocation | None = None) -> str:
    """Return one text of the configuration, or ""."""
    value = load(invocation).get(key, "")
    return value if isinstance(value, str) else ""
