"""Docker's search of images, version 1 of the registry interface: `GET /v1/search?q=TERM&n=LIMIT` on Docker Hub or a registry of one's own."""

from __future__ import annotations

import base64
import json
import urllib.parse

from hyperbox.errors import EngineError, InvalidParameter, check_filters
from hyperbox.go.text import invalid_syntax, quote
from hyperbox.image.registry import Connection, Registry
from hyperbox.image.registry_hosts import CERTIFICATES, HUB_HOSTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Json = dict[str, object]

HUB_INDEX = "index.docker.io"
FILTERS = ("is-automated", "is-official", "stars")
DEFAULT_LIMIT = 25
LARGEST_LIMIT = 100


def split_term(text: str) -> tuple[str, str]:
    """Return (registry, term) of what a user searches for: "docker.io" where no registry is named. Raises InvalidParameter."""
    if "://" in text:
        raise InvalidParameter(f"invalid repository name: repository name ({text}) should not have a scheme")
    first, slash, rest = text.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        return "docker.io", text.removeprefix("library/")
    if first in HUB_HOSTS:
        return "docker.io", rest.removeprefix("library/")
    return first, rest


def search(
    text: str, limit: int, filters: Mapping[str, Sequence[str]], auth: Mapping[str, object] | None
) -> list[Json]:
    """Return what a registry finds, filtered as docker's engine does. Raises EngineError with its words.

    limit    how many are asked for; docker's default where it is not above 0
    filters  "is-official", "is-automated" (one truth value each), "stars" (a least number)
    """
    check_filters(filters, FILTERS)
    automated = _truth(filters, "is-automated")
    official = _truth(filters, "is-official")
    stars = max((_stars(text) for text in filters.get("stars", ())), default=0)
    if limit > LARGEST_LIMIT:
        raise InvalidParameter(f"limit {limit} is outside the range of [1, {LARGEST_LIMIT}]")
    domain, term = split_term(text)
    query = urllib.parse.urlencode({"q": term, "n": limit if limit > 0 else DEFAULT_LIMIT})
    connection = Connection(Registry(HUB_INDEX if domain == "docker.io" else domain, "", auth))
    try:
        found = _results(connection, domain, f"search?{query}", auth or {})
    finally:
        connection.close()
    if automated:  # no registry has marked an image so for years, and docker shows none
        return []
    return [
        result
        for result in found
        if (official is None or bool(result.get("is_official")) == official) and star_count(result) >= stars
    ]


def star_count(result: Json) -> int:
    """Return how many stars a found image has."""
    value = result.get("star_count", 0)
    return value if isinstance(value, int) else 0


def _truth(filters: Mapping[str, Sequence[str]], key: str) -> bool | None:
    values = sorted(set(filters.get(key, ())))
    if not values:
        return None
    if len(values) > 1 or values[0].lower() not in ("1", "true", "0", "false"):
        raise InvalidParameter(f"invalid filter '{key}=[{' '.join(values)}]'")
    return values[0].lower() in ("1", "true")


def _stars(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidParameter(f"invalid filter 'stars={text}': {invalid_syntax('Atoi', text)}") from None


def _results(connection: Connection, domain: str, path: str, auth: Mapping[str, object]) -> list[Json]:
    base = f"https://{HUB_INDEX}/v1/" if domain == "docker.io" else _endpoint(connection, domain)
    headers = {"X-Docker-Token": "true"}
    if auth.get("username"):
        secret = f"{auth['username']}:{auth.get('password', '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(secret).decode()}"
    status, data = connection.simple("GET", base + path, headers, None)
    if status != 200:
        raise EngineError(f"Unexpected status code {status}")
    try:
        value = json.loads(data)
        results = value.get("results") or []
        if not all(isinstance(result, dict) for result in results):
            raise ValueError("a result that is no object")
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        first = data.lstrip()[:1].decode("latin-1")
        words = f"invalid character '{first}' looking for beginning of value" if first not in '{["' else str(error)
        raise EngineError(f"error decoding registry search results: {words}") from None
    return list(results)


def _endpoint(connection: Connection, domain: str) -> str:
    """Return the address of a registry's search, after asking it whether it is there, with TLS and then without where that is allowed."""
    registry = connection.registry
    failures = {}
    for scheme in ("https", "http") if registry.insecure else ("https",):
        base = f"{scheme}://{registry.host}/v1/"
        try:
            connection.simple("GET", f"{base}_ping", {}, None)
        except EngineError as error:
            failures[scheme] = error.message.replace(quote(registry.url("")), quote(f"{base}_ping"))
            continue
        return base
    if registry.insecure:
        raise EngineError(
            f'invalid registry endpoint "http://{registry.host}/v1/". '
            f"HTTPS attempt: {failures['https']}. HTTP attempt: {failures['http']}"
        )
    raise EngineError(
        f"invalid registry endpoint https://{domain}/v1/: {failures['https']}. If this registry has no TLS, or a certificate of an "
        f'authority that nobody here knows, add {domain} to "insecure-registries" in /etc/docker/daemon.json; '
        f"with its authority's certificate at hand, place that at {CERTIFICATES}/{domain}/ca.crt instead"
    )
