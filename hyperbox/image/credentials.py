"""Registry credentials where docker keeps them: its config.json and the credential helpers that it names.

Helpers follow https://github.com/docker/docker-credential-helpers: a program docker-credential-NAME that speaks JSON on its streams.
"""

from __future__ import annotations

import base64
import json
import os

from hyperbox import files, process
from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

HUB = "https://index.docker.io/v1/"
TOKEN_USER = "<token>"
# docker's order of the keys in config.json; what it does not know comes after
KEY_ORDER = (
    "auths", "HttpHeaders", "psFormat", "imagesFormat", "networksFormat", "pluginsFormat", "volumesFormat", "statsFormat", "detachKeys",
    "credsStore", "credHelpers", "serviceInspectFormat", "servicesFormat", "tasksFormat", "secretFormat", "configFormat", "nodesFormat",
    "pruneFilters", "proxies", "currentContext", "cliPluginsExtraDirs", "plugins", "aliases", "features",
)  # fmt: skip
GO_KINDS = {list: "array", str: "string", bool: "bool", int: "number", float: "number"}


def server_key(domain: str) -> str:
    """Return the key under which docker keeps the credentials of a registry."""
    return HUB if domain in ("docker.io", "index.docker.io", "") else domain


def host_of(address: str) -> str:
    """Return the "host[:port]" of a registry's address, with a scheme and a path or without."""
    return address.removeprefix("https://").removeprefix("http://").partition("/")[0]


def read_config(folder: str) -> Json:
    """Return docker's config.json in `folder`, an empty one where there is none. Raises HyperBoxError in docker's words for what is wrong
    with it: a warning, after which docker goes on without.
    """
    path = f"{folder}/config.json"
    try:
        text = files.read_text(path)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise HyperBoxError(f"WARNING: Error loading config file: open {path}: {reason.lower()}") from None
    try:
        value = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise HyperBoxError(f"WARNING: Error parsing config file ({path}): {go_words(error, text)}") from None
    problem = _wrong_types(value)
    if problem:
        raise HyperBoxError(f"WARNING: Error parsing config file ({path}): {problem}")
    assert isinstance(value, dict)
    return value


def go_words(error: Exception, text: str) -> str:
    """Return what Go's JSON reader says of a text that Python's refused with `error`."""
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return "unexpected EOF"
    where = "looking for beginning of value"
    if error.msg.startswith("Expecting property name"):
        where = "looking for beginning of object key string"
    elif error.msg.startswith("Expecting ',' delimiter"):
        where = "after object key:value pair"
    elif error.msg.startswith("Expecting ':' delimiter"):
        where = "after object key"
    return f"invalid character {text[error.pos]!r} {where}"


def _wrong_types(value: object) -> str:
    if not isinstance(value, dict):
        return f"json: cannot unmarshal {GO_KINDS.get(type(value), 'null')} into Go value of type configfile.ConfigFile"
    auths = value.get("auths")
    if auths is not None and not isinstance(auths, dict):
        kind = GO_KINDS.get(type(auths), "object")
        return (
            f"json: cannot unmarshal {kind} into Go struct field ConfigFile.auths of type map[string]types.AuthConfig"
        )
    for entry in (auths or {}).values():
        if isinstance(entry, dict) and entry.get("auth") and not user_and_password(entry)[0]:
            return "Invalid auth configuration file"
    return ""


def user_and_password(entry: Json) -> tuple[str, str]:
    """Return the name and password of an entry of "auths"; empty ones where it has none."""
    if entry.get("auth"):
        try:
            user, colon, password = base64.b64decode(str(entry["auth"]), validate=True).decode().partition(":")
        except ValueError:
            return "", ""
        return (user, password.strip("\0")) if colon else ("", "")
    return str(entry.get("username") or ""), str(entry.get("password") or "")


def helper_for(config: Json, server: str) -> str:
    """Return the name of the helper that keeps a server's credentials, or ""."""
    helpers = config.get("credHelpers")
    if isinstance(helpers, dict) and isinstance(helpers.get(server), str):
        return str(helpers[server])
    store = config.get("credsStore")
    return store if isinstance(store, str) else ""


def run_helper(name: str, verb: str, text: str, doing: str) -> str:
    """Run a credential helper and return what it prints. Raises HyperBoxError with docker's words for what it was `doing`."""
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise HyperBoxError(f"invalid credential helper name {name!r} in config.json")
    try:
        finished = process.run([f"docker-credential-{name}", verb], input=text.encode(), timeout=60)
    except (FileNotFoundError, TimeoutError) as error:
        reason = error.args[1] if len(error.args) > 1 else error
        raise HyperBoxError(
            f'error {doing} credentials - err: exec: "docker-credential-{name}": {reason}, out: ``'
        ) from None
    if finished.code != 0:
        out = finished.out.decode(errors="replace").strip()
        raise HyperBoxError(f"error {doing} credentials - err: exit status {finished.code}, out: `{out}`")
    return finished.out.decode(errors="replace")


def credentials(config: Json, domain: str) -> Json | None:
    """Return {"username", "password"} or {"identitytoken"} for a registry, or None. Raises HyperBoxError where a helper fails."""
    server = server_key(domain)
    name = helper_for(config, server)
    if name:
        return _from_helper(name, server)
    auths = config.get("auths")
    entry = _entry(auths, server) if isinstance(auths, dict) else None
    if not isinstance(entry, dict):
        return None
    if entry.get("identitytoken"):
        return {"identitytoken": entry["identitytoken"]}
    user, password = user_and_password(entry)
    return {"username": user, "password": password} if user else None


def _entry(auths: Json, server: str) -> object:
    if server in auths:
        return auths[server]
    return next((auths[key] for key in auths if host_of(key) == host_of(server)), None)


def _from_helper(name: str, server: str) -> Json | None:
    try:
        answer = json.loads(run_helper(name, "get", server, "getting"))
    except HyperBoxError as error:
        if "credentials not found" in error.message:
            return None
        raise
    except ValueError as error:
        raise HyperBoxError(f"error getting credentials - err: docker-credential-{name}: {error}") from None
    if not isinstance(answer, dict):
        raise HyperBoxError(f"error getting credentials - err: docker-credential-{name}: no object")
    if answer.get("Username") == TOKEN_USER:
        return {"identitytoken": answer.get("Secret", "")}
    user = str(answer.get("Username") or "")
    return {"username": user, "password": str(answer.get("Secret") or "")} if user else None


def store_credentials(folder: str, config: Json, domain: str, user: str, secret: str) -> str:
    """Keep credentials; returns the path of the file where they lie unencrypted, or "" where a helper has them or nothing changed."""
    server = server_key(domain)
    name = helper_for(config, server)
    entry: Json = {} if name else {"auth": base64.b64encode(f"{user}:{secret}".encode()).decode()}
    if name:
        run_helper(name, "store", json.dumps({"ServerURL": server, "Username": user, "Secret": secret}), "storing")
    auths = config.get("auths")
    kept = dict(auths) if isinstance(auths, dict) else {}
    known = kept.get(server)
    if isinstance(known, dict) and user_and_password(known) == ("" if name else user, "" if name else secret):
        return ""
    kept[server] = entry
    write_config(folder, {**config, "auths": dict(sorted(kept.items()))})
    return "" if name else f"{folder}/config.json"


def erase_credentials(folder: str, config: Json, domain: str) -> None:
    """Forget a registry's credentials, also those under its address with a scheme. Raises HyperBoxError where a helper fails."""
    server = server_key(domain)
    keys = {server} if server == HUB else {server, f"http://{server}", f"https://{server}"}
    auths = config.get("auths")
    if isinstance(auths, dict) and keys & set(auths):
        write_config(folder, {**config, "auths": {key: value for key, value in auths.items() if key not in keys}})
    if name := helper_for(config, server):
        run_helper(name, "erase", server, "erasing")


def write_config(folder: str, config: Json) -> None:
    """Replace config.json, readable by its owner only; one that is a link keeps being one."""
    os.makedirs(folder, 0o700, exist_ok=True)
    order = {key: index for index, key in enumerate(KEY_ORDER)}
    ordered = {key: config[key] for key in sorted(config, key=lambda key: order.get(key, len(order)))}
    path = os.path.realpath(f"{folder}/config.json")
    files.write_atomic(path, json.dumps(ordered, indent="\t", ensure_ascii=False), mode=0o600)
