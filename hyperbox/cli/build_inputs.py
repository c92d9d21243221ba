"""What a build reads: its context, Dockerfile, arguments, named contexts, secrets and agents, from the flags and the environment.

Messages are those of docker's buildx. Nothing here prints; a context on stdin is kept in a temporary file that the caller removes.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from typing import NamedTuple

from hyperbox.build.api import Agent, Secret, Source
from hyperbox.errors import EngineError, HyperBoxError
from hyperbox.go.text import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import BinaryIO

# how archives and their compressions begin: gzip, bzip2, xz, zstd
MAGIC = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
MAXIMUM_DOCKERFILE = 16 << 20  # bytes
MAXIMUM_SECRET = 500 << 10  # bytes, BuildKit's own limit
_GIT = re.compile(r"^(?:https?://.*\.git(?:#.*)?|git://.*|ssh://.*|git@[^:]+:.*|github\.com/.*)$")


class Inputs(NamedTuple):
    """A build's context and Dockerfile; `temporary` are files to remove afterwards."""

    context: Source
    dockerfile: bytes | None
    path: str
    ignore: str | None
    temporary: tuple[str, ...]


def is_remote(location: str) -> bool:
    """Return whether a context is a URL: http(s), or one that git fetches."""
    return location.startswith(("http://", "https://")) or bool(_GIT.match(location))


def source_of(location: str, folder: str = "") -> Source:
    """Return the source that a word names: a URL, docker-image://REFERENCE, oci-layout://PATH, or a folder (relative to `folder`).

    Raises HyperBoxError where there is no such folder.
    """
    if location.startswith("docker-image://"):
        return Source("image", location.removeprefix("docker-image://"))
    if location.startswith("oci-layout://"):
        return Source("layout", os.path.abspath(os.path.join(folder, location.removeprefix("oci-layout://"))))
    if location.startswith("target:"):
        return Source("stage", location.removeprefix("target:"))
    path = os.path.abspath(os.path.join(folder, location))
    if not os.path.isdir(path) and is_remote(location):
        return Source("git" if _GIT.match(location) else "url", location)
    if not os.path.isdir(path):
        raise HyperBoxError(f"path {quote(location)} not found")
    return Source("folder", path)


def read_inputs(location: str, file: str) -> Inputs:
    """Return what `docker build -f FILE LOCATION` reads. Raises HyperBoxError with buildx's words."""
    if location == "-":
        if file == "-":
            raise HyperBoxError("invalid argument: can't use stdin for both build context and dockerfile")
        return _from_stdin(sys.stdin.buffer, file)
    if not location:
        raise HyperBoxError('please specify build context (e.g. "." for the current directory)')
    path = os.path.abspath(location)
    if not os.path.isdir(path) and is_remote(location):
        source = Source("git" if _GIT.match(location) else "url", location)
        text = _read_all(sys.stdin.buffer) if file == "-" else None
        return Inputs(source, text, "Dockerfile" if file == "-" else file, None, ())
    try:
        source = source_of(location)
    except HyperBoxError as error:
        raise HyperBoxError(f"unable to prepare context: {error.message}") from None
    return Inputs(source, *_dockerfile(source.location, file), ())


def _dockerfile(context: str, file: str) -> tuple[bytes | None, str, str | None]:
    """Return what `-f FILE` of a context's folder names; see `read_dockerfile`."""
    if file == "-":
        return _read_all(sys.stdin.buffer), "Dockerfile", None
    return read_dockerfile(context, os.path.abspath(file) if file else "")


def read_dockerfile(context: str, path: str) -> tuple[bytes | None, str, str | None]:
    """Return a Dockerfile's bytes (None: there is none), its name in messages, and the text of its own ignore file.

    Without a path it is the context's Dockerfile, or dockerfile. Raises HyperBoxError where it can't be read.
    """
    if not path:
        path = os.path.join(context, "Dockerfile")
        if not os.path.lexists(path) and os.path.lexists(os.path.join(context, "dockerfile")):
            path = os.path.join(context, "dockerfile")
    name = os.path.basename(path)
    try:
        with open(path, "rb") as handle:
            data = _read_all(handle)
    except FileNotFoundError:
        return None, name, None  # the step that loads it says so
    except OSError as error:
        what = "is a directory" if isinstance(error, IsADirectoryError) else (error.strerror or "").lower()
        raise HyperBoxError(f"failed to solve: failed to read dockerfile: read {name}: {what}") from None
    try:
        with open(f"{path}.dockerignore", encoding="utf-8", errors="surrogateescape") as own:
            return data, name, own.read(MAXIMUM_DOCKERFILE)
    except OSError:
        return data, name, None


def _read_all(stream: BinaryIO) -> bytes:
    data = stream.read(MAXIMUM_DOCKERFILE + 1)
    if len(data) > MAXIMUM_DOCKERFILE:
        raise HyperBoxError(f"the Dockerfile is larger than {MAXIMUM_DOCKERFILE >> 20} MiB")
    return data


def is_archive(head: bytes) -> bool:
    """Return whether data that begins so is a tar or something compressed."""
    return head.startswith(MAGIC) or head[257:262] == b"ustar" or (len(head) >= 512 and head[:100].count(b"\0") > 50)


def _from_stdin(stream: BinaryIO, file: str) -> Inputs:
    """Keep an archive that comes on stdin in a temporary file; anything else is a Dockerfile without a context."""
    head = stream.read(1024)
    if not head:
        raise HyperBoxError("failed to solve: failed to read dockerfile: no local sources enabled")
    if not is_archive(head):
        if file:
            raise HyperBoxError("ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles")
        return Inputs(Source("empty"), head + _read_all(stream), "Dockerfile", None, ())
    descriptor, path = tempfile.mkstemp(prefix="hyperbox-context-")
    with os.fdopen(descriptor, "wb") as target:
        while head:
            target.write(head)
            head = stream.read(1 << 20)
    return Inputs(Source("archive", path), None, file, None, (path,))


def key_values(words: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return NAME=VALUE words as pairs; a later one replaces an earlier one. Raises HyperBoxError for an empty name."""
    found: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if not name:
            raise HyperBoxError(f'ERROR: invalid key-value pair "{word}": empty key')
        found[name] = value
    return tuple(found.items())


def build_arguments(words: Sequence[str], environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return build arguments; a name alone takes the environment's value and is left out without one."""
    given = [
        word if "=" in word else f"{word}={environment[word]}" for word in words if "=" in word or word in environment
    ]
    key_values(words)
    return key_values(given)


def named_contexts(words: Sequence[str]) -> tuple[tuple[str, Source], ...]:
    """Return --build-context NAME=SOURCE words. Raises HyperBoxError."""
    found: dict[str, Source] = {}
    for word in words:
        name, equals, location = word.partition("=")
        if not equals:
            raise HyperBoxError(f"ERROR: invalid context value: {word}, expected key=value")
        _check_context_name(name)
        try:
            if not location:
                raise HyperBoxError(location)
            found[name] = source_of(location)
        except HyperBoxError:
            reason = f"stat {location}: no such file or directory"
            raise HyperBoxError(f"failed to get build context {name}: {reason}") from None
    return tuple(found.items())


def _check_context_name(name: str) -> None:
    from hyperbox.image.reference import parse_reference

    try:
        parse_reference(name)
    except EngineError as error:
        raise HyperBoxError(f"ERROR: invalid context name {name}: {error.message}") from None


def secrets(words: Sequence[str], environment: Mapping[str, str]) -> tuple[Secret, ...]:
    """Return --secret words (id=NAME[,src=FILE|,env=NAME][,type=file|env]). Raises HyperBoxError."""
    return tuple(_secret(word, environment) for word in words)


def _secret(word: str, environment: Mapping[str, str]) -> Secret:
    identifier = path = variable = kind = ""
    for field in _fields(word):
        name, equals, value = field.partition("=")
        if not equals:
            raise HyperBoxError(f"ERROR: invalid field '{field}' must be a key=value pair")
        name = name.lower()
        if name == "type":
            if value not in ("file", "env"):
                raise HyperBoxError(f'ERROR: unsupported secret type "{value}"')
            kind = value
        elif name == "id":
            identifier = value
        elif name in ("src", "source"):
            path = value
        elif name == "env":
            variable = value
        else:
            raise HyperBoxError(f"ERROR: unexpected key '{name}' in '{field}'")
    if kind == "env" and not variable:
        path, variable = "", path
    if not path and not variable:
        if identifier in environment:
            variable = identifier
        else:
            path = identifier
    return load_secret(identifier, path, variable, environment)


def load_secret(identifier: str, path: str, variable: str, environment: Mapping[str, str]) -> Secret:
    """Return a secret from a variable or a file. Raises HyperBoxError where there is no such file, or it is too large."""
    if not identifier:
        raise HyperBoxError("secret missing ID")
    if variable:
        return Secret(identifier, value=environment.get(variable, "").encode("utf-8", "surrogateescape"))
    try:
        size = os.stat(path).st_size
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise HyperBoxError(f"failed to stat {path}: stat {path}: {reason}") from None
    if size > MAXIMUM_SECRET:
        raise HyperBoxError(f"secret {identifier} too big. max size 500KB")
    return Secret(identifier, os.path.abspath(path))


def _fields(word: str) -> list[str]:
    from hyperbox.grammar.values import split_commas

    return split_commas(word)


def agents(words: Sequence[str], environment: Mapping[str, str]) -> tuple[Agent, ...]:
    """Return --ssh words (default, or ID=SOCKET|KEY[,KEY…]). Raises HyperBoxError."""
    found = []
    for word in words:
        identifier, _, value = word.partition("=")
        paths = [path for path in value.split(",") if path]
        found.append(agent(identifier or "default", paths, environment))
    return tuple(found)


def agent(identifier: str, paths: Sequence[str], environment: Mapping[str, str]) -> Agent:
    """Return an agent by its socket, its keys, or (no path) SSH_AUTH_SOCK. Raises HyperBoxError with buildx's words."""
    import stat

    wrong = f"failed to convert agent config {{{identifier} [{' '.join(paths)}] false}}: "
    if not paths:
        paths = [environment.get("SSH_AUTH_SOCK", "")]
        if not paths[0]:
            raise HyperBoxError(f"{wrong}invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set")
    sockets: list[str] = []
    keys: list[str] = []
    for path in paths:
        try:
            mode = os.stat(path).st_mode
        except OSError as error:
            reason = (error.strerror or "").lower()
            lead = f'{wrong}failed to convert agent config for ID: "{identifier}": '
            raise HyperBoxError(f"{lead}stat {path}: {reason}") from None
        if not stat.S_ISSOCK(mode):
            _check_key(path, f'{wrong}failed to convert agent config for ID: "{identifier}": ')
        (sockets if stat.S_ISSOCK(mode) else keys).append(os.path.abspath(path))
    if len(sockets) > 1 or (sockets and keys):
        raise HyperBoxError(f"{wrong}only single socket allowed")
    return Agent(identifier, sockets[0] if sockets else "", tuple(keys))


def _check_key(path: str, lead: str) -> None:
    """Raise HyperBoxError for a file that holds no private key in PEM."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAXIMUM_SECRET)
    except OSError as error:
        raise HyperBoxError(f"{lead}failed to read {path}: {(error.strerror or '').lower()}") from None
    if b"-----BEGIN " not in data:
        raise HyperBoxError(f"{lead}failed to parse {path}: ssh: no key found")
