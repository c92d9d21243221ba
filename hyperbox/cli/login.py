"""login and logout: what talks to a registry and moves no image."""

from __future__ import annotations

import sys

from hyperbox.cli.image_transfer import config_folder
from hyperbox.errors import EngineError, HyperBoxError
from hyperbox.image.credentials import HUB, erase_credentials, server_key, store_credentials
from hyperbox.image.registry import Connection, Registry, check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation


def _password(invocation: Invocation, user: str) -> str:
    flags = invocation.flags
    if flags["password-stdin"]:
        if flags["password"]:
            raise HyperBoxError("conflicting options: cannot specify both --password and --password-stdin")
        if not user:
            raise HyperBoxError("the --password-stdin option requires --username to be set")
        return sys.stdin.read().rstrip("\r\n")
    if flags["password"]:
        print("WARNING! Using --password via the CLI is insecure. Use --password-stdin.", file=sys.stderr)
        return str(flags["password"])
    if not sys.stdin.isatty():
        raise HyperBoxError("Error: Cannot perform an interactive login from a non TTY device")
    import getpass

    return getpass.getpass("Password: ")


def login(invocation: Invocation) -> int:
    """`docker login`: prove the credentials to the registry, then keep them."""
    domain = server_name(invocation.arguments)
    user = str(invocation.flags["username"])
    if not user and not invocation.flags["password-stdin"] and sys.stdin.isatty():
        user = input("Username: ").strip()
    password = _password(invocation, user)
    if not user or not password:
        raise HyperBoxError("Error: Non-null Username Required" if not user else "Error: Password Required")
    registry = Registry(domain, "", {"username": user, "password": password})
    connection = Connection(registry)
    try:
        check(connection.request("GET", registry.url("")), f"Get {registry.url('')}", 200).read()
    except EngineError as error:
        message = error.message
        if "no basic auth credentials" in message:
            message = f"login attempt to {registry.url('')} failed with status: 401 Unauthorized"
        raise EngineError(message) from None
    finally:
        connection.close()
    kept = store_credentials(config_folder(invocation), domain, user, password)
    if kept:
        print(
            f"\nWARNING! Your credentials are stored unencrypted in '{kept}'.\nConfigure a credential helper to remove this warning. See\n"
            "https://docs.docker.com/go/credential-store/\n",
            file=sys.stderr,
        )
    print("Login Succeeded")
    return 0


def server_name(arguments: list[str]) -> str:
    """Return the registry that login or logout is about; docker.io without an argument."""
    if not arguments or arguments[0] == HUB:
        return "docker.io"
    return arguments[0].removeprefix("https://").removeprefix("http://").partition("/")[0]


def logout(invocation: Invocation) -> int:
    """`docker logout`."""
    domain = server_name(invocation.arguments)
    shown = server_key(domain)
    print(f"Removing login credentials for {shown}")
    try:
        erase_credentials(config_folder(invocation), domain)
    except HyperBoxError as error:
        print(f"WARNING: could not erase credentials: {error.message}", file=sys.stderr)
    return 0
