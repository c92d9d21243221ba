"""login and logout: credentials proved to a registry, kept and forgotten."""

from __future__ import annotations

import os
import sys

from hyperbox.cli.client_environment import ACCOUNTS, WARNING
from hyperbox.cli.configuration_file import folder, load
from hyperbox.cli.image_transfer import known_credentials
from hyperbox.cli.prompt import answer
from hyperbox.errors import EngineError, HyperBoxError
from hyperbox.image.credentials import HUB, credentials, erase_credentials, host_of, server_key, store_credentials
from hyperbox.image.registry import NOT_TAKEN, Connection, Registry, Unauthorized

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

NO_TERMINAL = "Error: Cannot perform an interactive login from a non TTY device"


def given_account(invocation: Invocation) -> tuple[str, str]:
    """Return the name and password that the flags give, empty where they don't. Raises HyperBoxError for what contradicts itself."""
    flags, given = invocation.flags, invocation.given
    user, password = str(flags["username"]), str(flags["password"])
    if flags["password-stdin"]:
        if given.get("password"):
            raise HyperBoxError("conflicting options: cannot specify both --password and --password-stdin")
        if not user:
            raise HyperBoxError("the --password-stdin option requires --username to be set")
        return user, sys.stdin.read().rstrip("\r\n")
    if given.get("username") and not user:
        raise HyperBoxError("username is empty")
    if given.get("password") and not password:
        raise HyperBoxError("password is empty")
    if password:
        print("WARNING! Using --password via the CLI is insecure. Use --password-stdin.", file=sys.stderr)
    return user, password


def asked_account(user: str, password: str, known: str) -> tuple[str, str]:
    """Ask on the terminal for what is missing; `known` is the name that an empty answer means.

    Raises HyperBoxError without a terminal or answer, Interrupted.
    """
    if user and password:
        return user, password
    if not sys.stdin.isatty():
        raise HyperBoxError(NO_TERMINAL)
    if not user:
        user = answer(f"Username ({known}): " if known else "Username: ").strip() or known
    if not user:
        raise HyperBoxError("Error: Non-null Username Required")
    if not password:
        password = answer("Password: ", hidden=True).rstrip("\r\n")
    if not password:
        raise HyperBoxError("Error: Password Required")
    return user, password


def prove(domain: str, auth: Json) -> str:
    """Show credentials to a registry and return the identity token that its token service gives for them, or "".

    Raises EngineError where it does not take them, Unauthorized where its token service doesn't.
    """
    registry = Registry(domain, "", auth, offline=True)
    connection = Connection(registry)
    try:
        response = connection.request("GET", registry.url(""))
        if response.status != 200:
            status = f"{response.status} {response.reason}"
            raise EngineError(f"login attempt to {registry.url('')} failed with status: {status}")
    except EngineError as error:
        message = error.message
        if "no basic auth credentials" in message or message == NOT_TAKEN:
            message = f"login attempt to {registry.url('')} failed with status: 401 Unauthorized"
            raise EngineError(message) from None
        raise
    finally:
        connection.close()
    return registry.identity


def login(invocation: Invocation) -> int:
    """`docker login`: prove the credentials to the registry, then keep them."""
    warn_of_environment()
    domain = server_name(invocation.arguments)
    config = load(invocation)
    user, password = given_account(invocation)
    known: Json = {}
    if not user and not password:
        known = known_credentials(config, domain) or {}
        if known.get("password") and (identity := _login_again(domain, known)) is not None:
            _keep(invocation, config, domain, known, identity)
            return 0
    user, password = asked_account(user, password, str(known.get("username") or ""))
    account: Json = {"username": user, "password": password}
    _keep(invocation, config, domain, account, prove(domain, account))
    return 0


def _login_again(domain: str, known: Json) -> str | None:
    """Try the credentials that are kept; returns what `prove` does, None where they don't serve any more."""
    colored = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    text = "To login with a different account, run 'docker logout' followed by 'docker login'"
    info = f"\x1b[1m\x1b[106m\x1b[30mi\x1b[0m\x1b[0m \x1b[96mInfo → \x1b[0m\x1b[0m\x1b[3m{text}\x1b[0m"
    print(
        f"Authenticating with existing credentials... [Username: {known['username']}]\n\n{info if colored else ' Info -> ' + text}\n\n",
        file=sys.stderr,
    )
    try:
        return prove(domain, known)
    except Unauthorized:
        print("Stored credentials invalid or expired", file=sys.stderr)
    except EngineError as error:
        print(f"Login did not succeed, error: {error.told}", file=sys.stderr)
    return None


def _keep(invocation: Invocation, config: Json, domain: str, account: Json, identity: str) -> None:
    user, password = str(account["username"]), str(account["password"])
    try:
        kept = store_credentials(folder(invocation), config, domain, user, password, identity)
    except HyperBoxError as error:
        raise HyperBoxError(f"Error saving credentials: {error.message}") from None
    if kept:
        print(
            f"\nWARNING! Your credentials are stored unencrypted in '{kept}'.\nConfigure a credential helper to remove this warning. See\n"
            "https://docs.docker.com/go/credential-store/\n",
            file=sys.stderr,
        )
    print("Login Succeeded")


def warn_of_environment() -> None:
    """Say that accounts are given by a variable."""
    if os.environ.get(ACCOUNTS):
        print(WARNING, file=sys.stderr)


def server_name(arguments: list[str]) -> str:
    """Return the registry that login or logout is about; docker.io without an argument."""
    if not arguments or arguments[0] in ("", HUB):
        return "docker.io"
    return host_of(arguments[0])


def logout(invocation: Invocation) -> int:
    """`docker logout`."""
    warn_of_environment()
    domain = server_name(invocation.arguments)
    config = load(invocation)
    server = server_key(domain)
    print(f"Removing login credentials for {server}")
    try:
        if server == HUB:
            credentials(config, domain)
    except HyperBoxError as error:
        print(f"WARNING: {error.message}", file=sys.stderr)
    try:
        erase_credentials(folder(invocation), config, domain)
    except HyperBoxError as error:
        if server == HUB:  # elsewhere docker counts the entries in the file, which are gone, and says nothing
            print(f"WARNING: could not erase credentials:\n{server}: {error.message}", file=sys.stderr)
    return 0
