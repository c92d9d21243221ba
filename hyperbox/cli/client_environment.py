"""Variables that docker's command line reads beside its configuration: of headers, the API's version, accounts and trust.

https://docs.docker.com/reference/cli/docker/#environment-variables
"""

from __future__ import annotations

import os

from hyperbox.errors import EngineError, HyperBoxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

HEADERS, VERSION, ACCOUNTS, TRUST = (
    "DOCKER_CUSTOM_HEADERS",
    "DOCKER_API_VERSION",
    "DOCKER_AUTH_CONFIG",
    "DOCKER_CONTENT_TRUST",
)
OLDEST, NEWEST = (1, 24), (1, 51)
WARNING = f"""
 Warn -> {ACCOUNTS} is set and takes precedence.
         Unset {ACCOUNTS} to restore the CLI auth behaviour.
         """


def check_engine() -> None:
    """Check what a command to the engine is sent with. Raises HyperBoxError, EngineError with docker's words.

    Headers change nothing here; a version of the API that the engine has not is refused by it.
    """
    if os.environ.get(HEADERS):
        check_headers(os.environ[HEADERS])
    version = os.environ.get(VERSION, "").removeprefix("v")
    if not version:
        return
    parts = version.split(".")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise EngineError("page not found")
    number = (int(parts[0]), int(parts[1]))
    if number > NEWEST:
        newest = ".".join(map(str, NEWEST))
        raise EngineError(f"client version {version} is too new. Maximum supported API version is {newest}")
    if number < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise EngineError(
            f"client version {version} is too old. Minimum supported API version is {oldest}, "
            "please upgrade your client to a newer version"
        )


def check_headers(text: str) -> None:
    """Raise HyperBoxError for what are no headers."""
    from hyperbox.grammar.values import split_commas

    lead = f"custom headers from {HEADERS} environment variable"
    try:
        fields = split_commas(text)
    except ValueError:
        raise HyperBoxError(
            f"Failed to initialize: failed to parse {lead}: value must be formatted as comma-separated key=value pairs"
        ) from None
    for field in fields:
        key, equals, _ = field.partition("=")
        wrong = "" if equals else 'missing "=" in key=value pair'
        if not key.strip():
            wrong = "value contains a key=value pair with an empty key"
        if wrong:
            raise HyperBoxError(f"Failed to initialize: failed to set {lead}: {wrong}: '{field}'")


def refuse_trust(invocation: Invocation, reference: str) -> None:
    """Raise UnsupportedError where an image's signature is to be verified: by --disable-content-trust=false or DOCKER_CONTENT_TRUST.

    An image that is named by its digest needs none.
    """
    from hyperbox.errors import UnsupportedError
    from hyperbox.go.text import FALSE

    asked = ""
    if invocation.given.get("disable-content-trust"):
        asked = "" if invocation.flags["disable-content-trust"] else "--disable-content-trust=false"
    elif os.environ.get(TRUST, "") not in FALSE | {""}:  # what is no boolean is true, as with docker
        asked = TRUST
    if asked and "@" not in reference:
        raise UnsupportedError(
            f"{asked}: HyperBox does not verify Docker Content Trust (notary v1) signatures",
            hint="" if asked.startswith("-") else f"unset {TRUST}, or give --disable-content-trust",
        )


def accounts() -> dict[str, Json]:
    """Return the accounts that DOCKER_AUTH_CONFIG gives, by registry. Raises ValueError with docker's words."""
    text = os.environ.get(ACCOUNTS, "")
    if not text.strip():
        return {}
    from hyperbox.cli.configuration_reading import broken_account, settled
    from hyperbox.files import loads
    from hyperbox.go.json_reading import first_value
    from hyperbox.image.accounts import decoded

    plain, problem = first_value(text)
    if problem:
        raise ValueError(problem)
    value = loads(plain)
    given = value if isinstance(value, dict) else {}
    for key in given:
        if key != "auths":
            raise ValueError(f'json: unknown field "{key}"')
    problems: list[str] = []
    found = settled(given.get("auths"), "map[string]types.AuthConfig", "auths", problems)
    auths = found if isinstance(found, dict) else {}
    for server, entry in auths.items():
        if not entry.get("auth"):
            raise ValueError(f"{ACCOUNTS} environment variable is missing key `auth` for {server}")
    if problem := problems[0] if problems else broken_account(auths):
        raise ValueError(problem)
    pairs = {server: decoded(str(entry["auth"])) for server, entry in auths.items()}
    return {server: {"username": user, "password": password} for server, (user, password) in pairs.items()}
