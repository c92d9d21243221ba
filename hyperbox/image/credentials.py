"""Registry credentials where docker keeps them: its config.json and the credential helpers that it names.

Helpers follow https://github.com/docker/docker-credential-helpers: a program docker-credential-NAME that speaks JSON on its streams.
"""

from __future__ import annotations

import json
import os
import stat

from hyperbox import files, process
from hyperbox.errors import HyperBoxError
from hyperbox.go.text import html_escaped
from hyperbox.image import accounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

HUB = "https://index.docker.io/v1/"
TOKEN_USER = "<token>"
# docker's order of the keys in config.json; what it does not know comes after
KEY_ORDER = (
    "auths", "HttpHeaders", "psFormat", "imagesFormat", "networksFormat", "pluginsFormat", "volumesFormat", "statsFormat", "detachKeys",
    "credsStore", "credHelpers", "serviceInspectFormat", "servicesFormat", "tasksFormat", "secretFormat", "configFormat", "nodesFormat",
    "pruneFilters", "proxies", "currentContext", "cliPluginsExtraDirs", "plugins", "aliases", "features", "experimental",
)  # fmt: skip


def server_key(domain: str) -> str:
    """Return the key under which docker keeps the credentials of a registry."""
    return HUB if domain in ("docker.io", "index.docker.io", "") else domain


def host_of(address: str) -> str:
    """Return the "host[:port]" of a registry's address, with a scheme and a path or without."""
    return (address.partition("://")[2] or address).partition("/")[0]


def user_and_password(entry: Json) -> tuple[str, str]:
    """Return the name and password of an entry of "auths"; empty ones where it has none."""
    if entry.get("auth"):
        return accounts.decoded(str(entry["auth"]))
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
    """Return {"username", "password"}, {"identitytoken"} or {"registrytoken"} for a registry, or None.

    Raises HyperBoxError where a helper fails.
    """
    server = server_key(domain)
    name = helper_for(config, server)
    if name:
        return _from_helper(name, server)
    auths = config.get("auths")
    entry = _entry(auths, server) if isinstance(auths, dict) else None
    if not isinstance(entry, dict):
        return None
    for key in ("registrytoken", "identitytoken"):
        if entry.get(key):
            return {key: entry[key]}
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


def store_credentials(folder: str, config: Json, domain: str, user: str, secret: str, identity: str = "") -> str:
    """Keep a name and password, or an identity token in the password's place.

    Returns the path of the file where a password lies unencrypted now, "" where none does: a helper has it, or it lay there before.
    """
    server = server_key(domain)
    name = helper_for(config, server)
    entry: Json = {}
    if name:
        account = {"Username": TOKEN_USER, "Secret": identity} if identity else {"Username": user, "Secret": secret}
        run_helper(name, "store", json.dumps({"ServerURL": server, **account}), "storing")
    elif identity:
        entry = {"auth": accounts.encoded(user, ""), "identitytoken": identity}
    else:
        entry = {"auth": accounts.encoded(user, secret)}
    auths = config.get("auths")
    kept = dict(auths) if isinstance(auths, dict) else {}
    known = kept.get(server)
    if isinstance(known, dict) and user_and_password(known) == user_and_password(entry) and not identity:
        return ""
    kept[server] = entry
    write_config(folder, {**config, "auths": kept})
    return "" if name or identity else f"{folder}/config.json"


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
    """Replace config.json by what docker would write: keys in its order, maps sorted, nothing empty but "auths".

    The file keeps its mode (a new one is its owner's only), and one that is a link keeps being one.
    """
    os.makedirs(folder, 0o700, exist_ok=True)
    order = {key: index for index, key in enumerate(KEY_ORDER)}
    auths = config.get("auths")
    kept = {**config, "auths": _saved_accounts(auths if isinstance(auths, dict) else {})}
    ordered = {
        key: dict(sorted(value.items())) if isinstance(value, dict) else value
        for key, value in sorted(kept.items(), key=lambda item: order.get(item[0], len(order)))
        if key not in order or key == "auths" or value
    }
    text = html_escaped(json.dumps(ordered, indent="\t", ensure_ascii=False))
    path = os.path.realpath(f"{folder}/config.json")
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        mode = 0o600
    files.write_atomic(path, text, mode=mode)


def _saved_accounts(auths: Json) -> Json:
    """Return accounts as docker writes them: name and password encoded in one."""
    saved: Json = {}
    for server, entry in auths.items():
        if isinstance(entry, dict):
            user, password = user_and_password(entry)
            plain = {key: value for key, value in entry.items() if key not in ("username", "password", "serveraddress")}
            entry = {"auth": accounts.encoded(user, password), **plain} if user or password else plain
        saved[server] = entry
    return saved
