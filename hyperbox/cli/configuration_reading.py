"""What docker's config.json says, read as Go reads it: what has a wrong type is told and left out, the rest counts all the same.

The words are those of Go's encoding/json in docker's own build.
"""

from __future__ import annotations

from hyperbox.files import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

TEXTS = "map[string]string"
AUTH, PROXY = "types.AuthConfig", "configfile.ProxyConfig"
# key -> its type in Go
TYPES = {
    **dict.fromkeys(
        (
            "psFormat", "imagesFormat", "networksFormat", "pluginsFormat", "volumesFormat", "statsFormat", "detachKeys", "credsStore",
            "serviceInspectFormat", "servicesFormat", "tasksFormat", "secretFormat", "configFormat", "nodesFormat", "currentContext",
            "experimental",
        ),
        "string",
    ),
    **dict.fromkeys(("HttpHeaders", "credHelpers", "aliases", "features"), TEXTS),
    **dict.fromkeys(("pruneFilters", "cliPluginsExtraDirs"), "[]string"),
    "auths": f"map[string]{AUTH}",
    "proxies": f"map[string]{PROXY}",
    "plugins": f"map[string]{TEXTS}",
}  # fmt: skip
CANONICAL = {key.lower(): key for key in TYPES}
FIELDS = {
    AUTH: frozenset({"username", "password", "auth", "serveraddress", "identitytoken", "registrytoken"}),
    PROXY: frozenset({"httpProxy", "httpsProxy", "noProxy", "ftpProxy", "allProxy"}),
}
KINDS = {"string": str, "[": list, "m": dict, "t": dict, "c": dict}
MARKS = frozenset('"\\')


def read(text: str) -> tuple[Json, str]:
    """Return the configuration in a text, and what is wrong with it in Go's words, or ""."""
    if not text.strip(" \t\r\n"):
        return {}, ""
    try:
        value = loads(text)
    except ValueError:
        value = None
    if (
        value is None or "\\ud" in text.lower() or "N" in text or "Infinity" in text
    ):  # Python takes more numbers than Go
        from hyperbox.go.json_reading import first_value

        plain, problem = first_value(text)
        if problem:
            return {}, problem
        value = loads(plain)
    if value is None:
        return {}, ""
    if not isinstance(value, dict):
        return {}, f"json: cannot unmarshal {go_kind(value)} into Go value of type configfile.ConfigFile"
    problems: list[str] = []
    found: Json = {}
    for key, item in value.items():
        name = CANONICAL.get(str(key).lower(), str(key))
        kept = settled(item, TYPES[name], str(key), problems) if name in TYPES else item
        if kept is not None:
            found[name] = kept
    return found, problems[0] if problems else broken_account(found.get("auths"))


def settled(value: object, kind: str, place: str, problems: list[str]) -> object:
    """Return a value without what does not fit its type in Go, None where nothing is left; `problems` gets what is said of that.

    null fits everywhere and is nothing.
    """
    if value is None:
        return None
    if not isinstance(value, KINDS.get(kind) or KINDS[kind[0]]):
        field = "" if place.rpartition(".")[2].isdigit() else "Go struct field "
        problems.append(f"json: cannot unmarshal {go_kind(value)} into {field}ConfigFile.{place} of type {kind}")
        return None
    if isinstance(value, list):
        rows = (settled(item, kind[2:], f"{place}.{number}", problems) for number, item in enumerate(value))
        return [row for row in rows if row is not None]
    if isinstance(value, dict):
        inner = "string" if kind in FIELDS else kind.removeprefix("map[string]")
        kept = {
            key: settled(item, inner, f"{place}.{key}", problems) if kind not in FIELDS or key in FIELDS[kind] else item
            for key, item in value.items()
        }
        return {key: item for key, item in kept.items() if item is not None}
    return value


def go_kind(value: object) -> str:
    """Return what Go's encoding/json calls a JSON value in its errors."""
    names = {bool: "bool", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "number")


def broken_account(auths: object) -> str:
    """Return what docker says of the first account whose encoded name and password can't be read, or ""."""
    for entry in auths.values() if isinstance(auths, dict) else ():
        encoded = str(entry.get("auth") or "")
        if encoded:
            from hyperbox.image.accounts import decoded, illegal_byte

            place = illegal_byte(encoded)
            if place is not None:
                return f"illegal base64 data at input byte {place}"
            if not decoded(encoded)[0]:
                return "Invalid auth configuration file"
    return ""
