"""Image references: docker's normal form, short form, and its words for what is none.

Grammar: https://pkg.go.dev/github.com/distribution/reference. Hot paths use it: no `re`.
"""

from __future__ import annotations

import os

from hyperbox.errors import InvalidParameter

DEFAULT_DOMAIN = "docker.io"
HEX = frozenset("0123456789abcdef")
PATH_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-/")
TAG_FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
TAG_CHARACTERS = TAG_FIRST | frozenset(".-")
DOMAIN_CHARACTERS = TAG_CHARACTERS | frozenset(":[]")
SEPARATORS = frozenset("._-")


class Reference:
    """A reference in parts: domain ("docker.io"), path ("library/redis"), tag and digest ("" where not given)."""

    __slots__ = ("digest", "domain", "path", "tag")

    def __init__(self, domain: str, path: str, tag: str, digest: str) -> None:
        self.domain = domain
        self.path = path
        self.tag = tag
        self.digest = digest

    @property
    def repository(self) -> str:
        """The full name without tag and digest: docker.io/library/redis."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar(self) -> str:
        """The name as docker shows it: redis, user/app, host:5000/app."""
        if self.domain != DEFAULT_DOMAIN:
            return self.repository
        return self.path.removeprefix("library/") if self.path.count("/") == 1 else self.path

    def as_name(self) -> Reference:
        """`with_tag` for an image that is to be named. Raises InvalidParameter for a name that is taken for a digest's beginning."""
        if self.familiar == "sha256":
            raise InvalidParameter("refusing to create an ambiguous tag using digest algorithm as name")
        return self.with_tag()

    def with_tag(self) -> Reference:
        """The same with the tag `latest` where neither tag nor digest is given."""
        return self if self.tag or self.digest else Reference(self.domain, self.path, "latest", "")

    def __str__(self) -> str:
        return self.familiar + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    @property
    def canonical(self) -> str:
        """The full form: docker.io/library/redis:latest."""
        return self.repository + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def is_digest(text: str) -> bool:
    """Return whether `text` is algorithm:hex as registries write digests; only sha256 is known here."""
    return text.startswith("sha256:") and len(text) == 71 and HEX.issuperset(text[7:])


def _valid_path(path: str) -> bool:
    if not path or not PATH_CHARACTERS.issuperset(path):
        return False
    for part in path.split("/"):
        if not part or part[0] in SEPARATORS or part[-1] in SEPARATORS:
            return False
        rest = part.replace("__", "a")
        for index in range(len(rest) - 1):
            if (rest[index] in "._" and rest[index + 1] in SEPARATORS) or (
                rest[index] == "-" and rest[index + 1] in "._"
            ):
                return False
    return True


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, remainder = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first.lower() != first):
        domain, path = first, remainder
    else:
        domain, path = DEFAULT_DOMAIN, name
    if domain == "index.docker.io":
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = f"library/{path}"
    return domain, path


def _refuse_capitals(text: str) -> None:
    """Raise InvalidParameter for a capital letter before the first colon after the domain, whatever else is wrong."""
    if text != text.lower():
        path = _split_domain(text)[1].partition(":")[0]
        if path != path.lower():
            raise InvalidParameter(f"invalid reference format: repository name ({path}) must be lowercase")


def parse_reference(text: str) -> Reference:
    """Parse what a user typed. Raises InvalidParameter "invalid reference format …"."""
    _refuse_capitals(text)
    rest, at, digest = text.partition("@")
    if at and not is_digest(digest):
        raise InvalidParameter("invalid reference format")
    head, slash, tail = rest.rpartition("/")
    name, colon, tag = tail.partition(":")
    if colon and not (tag and len(tag) <= 128 and tag[0] in TAG_FIRST and TAG_CHARACTERS.issuperset(tag)):
        raise InvalidParameter("invalid reference format")
    name = f"{head}{slash}{name}"
    if len(name) == 64 and HEX.issuperset(name):
        raise InvalidParameter(f"invalid repository name ({name}), cannot specify 64-byte hexadecimal strings")
    domain, path = _split_domain(name)
    host, colon, port = domain.rpartition(":")
    if colon and not host.endswith("]") and ":" in host:
        raise InvalidParameter("invalid reference format")
    if colon and not domain.endswith("]") and not (port.isascii() and port.isdigit()):
        raise InvalidParameter("invalid reference format")
    if not _valid_path(path) or not domain or not DOMAIN_CHARACTERS.issuperset(domain) or len(path) > 255:
        raise InvalidParameter("invalid reference format")
    return Reference(domain, path, tag, digest)


def platform_architecture() -> str:
    """This machine's architecture by the image specification's name."""
    machine = os.uname().machine
    return {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}.get(machine, machine)
