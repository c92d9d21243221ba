"""Contexts on disk, as docker keeps them, and which one is in use.

CONFIG/contexts/meta/SHA256(name)/meta.json   {"Name", "Metadata": {"Description"}, "Endpoints": {"docker": {"Host", "SkipTLSVerify"}}}
CONFIG/contexts/tls/SHA256(name)/docker/      ca.pem cert.pem key.pem
CONFIG/config.json                            "currentContext"
"""

from __future__ import annotations

import os

from hyperbox.cli.configuration_file import folder, setting
from hyperbox.errors import HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

DEFAULT = "default"
DEFAULT_HOST = "unix:///var/run/docker.sock"
NAME_FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
NAME_CHARACTERS = NAME_FIRST | frozenset("_.+-")


def current_name(invocation: Invocation) -> str:
    """Return the context in use: --context, DOCKER_HOST's "default", DOCKER_CONTEXT, config.json's currentContext."""
    given = str(invocation.globals.get("context") or "")
    if given:
        return given
    if invocation.globals.get("host") or os.environ.get("DOCKER_HOST"):
        return DEFAULT
    return os.environ.get("DOCKER_CONTEXT") or setting("currentContext", invocation) or DEFAULT


LOCAL_HOSTS = frozenset({"", "unix://", "unix:///var/run/docker.sock", "unix:///run/docker.sock"})


def check_endpoint(invocation: Invocation) -> None:
    """Raise where a command is meant for another engine than this machine's, or for a context that is not there; see `endpoint.refuse`."""
    name = current_name(invocation)
    check_tls(invocation)
    if name == DEFAULT:
        address = str(invocation.globals.get("host") or os.environ.get("DOCKER_HOST") or "")
    else:
        try:
            address = host(read(invocation, name))
        except HyperBoxError as error:
            raise HyperBoxError(f"Failed to initialize: unable to resolve docker endpoint: {error.message}") from None
    if address.strip() not in LOCAL_HOSTS:
        from hyperbox.cli.endpoint import refuse

        raise refuse(address.strip(), invocation)
    if "DOCKER_CUSTOM_HEADERS" in os.environ or "DOCKER_API_VERSION" in os.environ:
        from hyperbox.cli.client_environment import check_engine

        check_engine()


def check_tls(invocation: Invocation) -> None:
    """Raise where TLS is asked for and what it needs is not there: docker reads that before it looks at the address."""
    flags = invocation.globals
    if not (
        flags.get("tls")
        or "tlsverify" in invocation.globals_given  # whatever it says
        or os.environ.get("DOCKER_TLS_VERIFY")
        or os.environ.get("DOCKER_TLS")
    ):
        return
    certificates = os.environ.get("DOCKER_CERT_PATH") or folder()  # --config is too late for this one
    for flag, name in (("tlscacert", "ca.pem"), ("tlscert", "cert.pem"), ("tlskey", "key.pem")):
        given = flag in invocation.globals_given
        path = str(invocation.globals[flag]) if given else f"{certificates}/{name}"
        if (given or name == "ca.pem") and not os.path.exists(path):
            raise HyperBoxError(
                f"Failed to initialize: unable to resolve docker endpoint: open {path}: no such file or directory"
            )


def key_of(name: str) -> str:
    """Return the folder's name for a context: SHA-256 of its name."""
    from hashlib import sha256

    return sha256(name.encode("utf-8", "surrogateescape")).hexdigest()


def meta_folder(invocation: Invocation, name: str) -> str:
    """Return where a context's description is."""
    return f"{folder(invocation)}/contexts/meta/{key_of(name)}"


def tls_folder(invocation: Invocation, name: str) -> str:
    """Return where a context's TLS files are."""
    return f"{folder(invocation)}/contexts/tls/{key_of(name)}"


def default_context(given_host: str = "") -> Json:
    """Return the context that is always there: what --host (`given_host`) or DOCKER_HOST says, or docker's own socket."""
    return {
        "Name": DEFAULT,
        "Metadata": {},
        "Endpoints": {
            "docker": {"Host": given_host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST, "SkipTLSVerify": False}
        },
    }


def read(invocation: Invocation, name: str) -> Json:
    """Return a context's description. Raises HyperBoxError with docker's words where there is none."""
    from hyperbox.files import read_json

    if name == DEFAULT:
        return default_context(str(invocation.globals.get("host") or ""))
    path = meta_folder(invocation, name) + "/meta.json"
    try:
        value = read_json(path)
    except FileNotFoundError:
        raise HyperBoxError(f'context "{name}": context not found: open {path}: no such file or directory') from None
    except (OSError, ValueError) as error:
        raise HyperBoxError(f'context "{name}": {error}') from None
    if not isinstance(value, dict):
        raise HyperBoxError(f'context "{name}": {path} does not hold an object')
    return value


def names(invocation: Invocation) -> list[str]:
    """Return the names of all contexts on disk, sorted."""
    from hyperbox.files import read_json, subfolders

    base = f"{folder(invocation)}/contexts/meta"
    found = []
    for entry in subfolders(base):
        try:
            value = read_json(f"{base}/{entry}/meta.json")
        except (OSError, ValueError):
            continue
        if isinstance(value, dict) and isinstance(value.get("Name"), str):
            found.append(str(value["Name"]))
    return sorted(found)


def exists(invocation: Invocation, name: str) -> bool:
    """Return whether a context is on disk."""
    return os.path.exists(meta_folder(invocation, name) + "/meta.json")


def write(invocation: Invocation, value: Json) -> None:
    """Write a context's description in one step."""
    from hyperbox.files import write_json

    path = meta_folder(invocation, str(value["Name"]))
    os.makedirs(path, exist_ok=True)
    write_json(f"{path}/meta.json", value, mode=0o644)


def delete(invocation: Invocation, name: str) -> None:
    """Remove a context and its TLS files."""
    from hyperbox.files import remove_tree

    remove_tree(meta_folder(invocation, name))
    remove_tree(tls_folder(invocation, name))


def check_name(name: str) -> None:
    """Raise HyperBoxError unless `name` may be a new context's."""
    if not name:
        raise HyperBoxError("context name cannot be empty")
    if name == DEFAULT:
        raise HyperBoxError('"default" is a reserved context name')
    if len(name) < 2 or name[0] not in NAME_FIRST or not NAME_CHARACTERS.issuperset(name):
        raise HyperBoxError(
            f'context name "{name}" is invalid, names are validated against regexp "^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$"'
        )


def description(value: Json) -> str:
    """Return a context's description."""
    metadata = value.get("Metadata")
    return str(metadata.get("Description") or "") if isinstance(metadata, dict) else ""


def host(value: Json) -> str:
    """Return a context's docker host."""
    endpoints = value.get("Endpoints")
    docker = endpoints.get("docker") if isinstance(endpoints, dict) else None
    return str(docker.get("Host") or "") if isinstance(docker, dict) else ""
