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


def server_key(domain: str) -> str:
    """Return the key under which docker keeps the credentials of a registry."""
    return HUB if domain in ("docker.io", "index.docker.io", "") else domain


def read_config(folder: str) -> Json:
    """Return docker's config.json in `folder`, or an empty one. Raises HyperBoxError where it can't be read."""
    path = f"{folder}/config.json"
    try:
        value = files.read_json(path)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise HyperBoxError(
            f"WARNING: Error loading config file: {path}: {getattr(error, 'strerror', None) or error}"
        ) from None
    return value if isinstance(value, dict) else {}


def helper_for(config: Json, server: str) -> str:
    """Return the name of the helper that keeps a server's credentials, or ""."""
    helpers = config.get("credHelpers")
    if isinstance(helpers, dict) and isinstance(helpers.get(server), str):
        return str(helpers[server])
    store = config.get("credsStore")
    return store if isinstance(store, str) else ""


def run_helper(name: str, verb: str, text: str) -> str:
    """Run a credential helper and return what it prints. Raises HyperBoxError with its own words."""
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise HyperBoxError(f"invalid credential helper name {name!r} in config.json")
    try:
        finished = process.run([f"docker-credential-{name}", verb], input=text.encode(), timeout=60)
    except (FileNotFoundError, TimeoutError) as error:
        raise HyperBoxError(
            f'error getting credentials - err: exec: "docker-credential-{name}": {error.args[-1] if error.args else error}, out: ``'
        ) from None
    if finished.code != 0:
        raise HyperBoxError(
            f"error getting credentials - err: exit status {finished.code}, out: `{finished.out.decode(errors='replace').strip()}`"
        )
    return finished.out.decode(errors="replace")


def credentials(config: Json, domain: str) -> Json | None:
    """Return {"username", "password"} or {"identitytoken"} for a registry, or None. Raises HyperBoxError where a helper fails."""
    server = server_key(domain)
    name = helper_for(config, server)
    if name:
        try:
            answer = json.loads(run_helper(name, "get", server))
        except HyperBoxError as error:
            if "credentials not found" in error.message:
                return None
            raise
        if answer.get("Username") == TOKEN_USER:
            return {"identitytoken": answer.get("Secret", "")}
        return {"username": answer.get("Username", ""), "password": answer.get("Secret", "")}
    auths = config.get("auths")
    entry = auths.get(server) if isinstance(auths, dict) else None
    if not isinstance(entry, dict):
        return None
    if entry.get("identitytoken"):
        return {"identitytoken": entry["identitytoken"]}
    try:
        user, _, password = base64.b64decode(str(entry.get("auth", ""))).decode().partition(":")
    except ValueError:
        return None
    return {"username": user, "password": password} if user else None


def store_credentials(folder: str, domain: str, user: str, secret: str) -> str:
    """Keep credentials; returns the path of the file where they lie unencrypted, or "" where a helper has them."""
    config = read_config(folder)
    server = server_key(domain)
    name = helper_for(config, server)
    if name:
        run_helper(name, "store", json.dumps({"ServerURL": server, "Username": user, "Secret": secret}))
        return ""
    auths = config.get("auths")
    kept = dict(auths) if isinstance(auths, dict) else {}
    kept[server] = {"auth": base64.b64encode(f"{user}:{secret}".encode()).decode()}
    write_config(folder, {**config, "auths": kept})
    return f"{folder}/config.json"


def erase_credentials(folder: str, domain: str) -> bool:
    """Forget a registry's credentials; returns whether there were any."""
    config = read_config(folder)
    server = server_key(domain)
    name = helper_for(config, server)
    if name:
        run_helper(name, "erase", server)
        return True
    auths = config.get("auths")
    if not isinstance(auths, dict) or server not in auths:
        return False
    write_config(folder, {**config, "auths": {key: value for key, value in auths.items() if key != server}})
    return True


def write_config(folder: str, config: Json) -> None:
    """Replace config.json, readable by its owner only."""
    os.makedirs(folder, 0o700, exist_ok=True)
    files.write_atomic(f"{folder}/config.json", json.dumps(config, indent="\t") + "\n", mode=0o600)
