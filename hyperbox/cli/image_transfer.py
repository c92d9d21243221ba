"""Images in and out: pull, push, load, save, import. Data on stdout, progress where docker has it."""

from __future__ import annotations

import os
import sys

from hyperbox.cli import configuration_file
from hyperbox.cli.client_environment import refuse_trust
from hyperbox.cli.connect import engine_for
from hyperbox.cli.progress import Progress
from hyperbox.cli.version import API_VERSION
from hyperbox.errors import EngineError, HyperBoxError, UnsupportedError
from hyperbox.image.credentials import credentials, server_key
from hyperbox.image.platform import checked_platform, parse_platform
from hyperbox.image.reference import Reference, parse_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from hyperbox.engine.api import Engine, Json
    from hyperbox.grammar.parse import Invocation


def known_credentials(config: Json, domain: str) -> Json | None:
    """Return the credentials for a registry, of DOCKER_AUTH_CONFIG or of docker's configuration, or None.

    None also where a helper fails, as with docker.
    """
    if os.environ.get("DOCKER_AUTH_CONFIG"):
        from hyperbox.cli.client_environment import accounts

        try:
            if found := accounts().get(server_key(domain)):
                return found
        except ValueError as error:
            sys.stderr.write(f"Failed to create credential store from DOCKER_AUTH_CONFIG:  {error}\n")
    try:
        return credentials(config, domain)
    except HyperBoxError:
        return None


def auth_for(invocation: Invocation, domain: str) -> Json | None:
    """Return the credentials for a registry from the configuration that a command is given, or None."""
    return known_credentials(configuration_file.load(invocation), domain)


def user_reference(text: str) -> Reference:
    """Parse a reference that the user typed; what is wrong with it is the user's fault, not the daemon's."""
    try:
        return parse_reference(text)
    except EngineError as error:
        raise HyperBoxError(error.message) from None


PLATFORM_NOTE = """
 Info -> Using --platform pushes only the specified platform manifest of a multi-platform image index.
         Other components, like attestations, will not be included.
         To push the complete multi-platform image, remove the --platform flag.
         """


def platform_of(invocation: Invocation) -> str:
    """Return --platform or DOCKER_DEFAULT_PLATFORM. Raises InvalidParameter for what is none, as docker's engine does."""
    platform = str(invocation.flags.get("platform") or os.environ.get("DOCKER_DEFAULT_PLATFORM", ""))
    if platform:
        checked_platform(platform)
    return platform


def check_platform(platform: str, lead: str = "") -> None:
    """Raise HyperBoxError, its words begun with `lead`, for what is no platform."""
    try:
        parse_platform(platform)
    except ValueError as error:
        raise HyperBoxError(f"{lead}{error}") from None


def pull(invocation: Invocation) -> int:
    """`docker pull`."""
    refuse_trust(invocation, invocation.arguments[0])
    text = invocation.arguments[0]
    reference = user_reference(text)
    quiet = bool(invocation.flags["quiet"])
    if invocation.flags["all-tags"]:
        return pull_all(invocation, reference)
    if not reference.tag and not reference.digest and not quiet:
        print("Using default tag: latest", flush=True)
    reference = reference.with_tag()
    pull_one(invocation, reference, quiet=quiet)
    print(reference.canonical)
    return 0


class Transfer(Progress):
    """The progress of a pull or push. What fails after its first line is told without the daemon's name, as docker tells it."""

    def __init__(self, *, quiet: bool, hidden: tuple[str, ...] = ()) -> None:
        super().__init__(sys.stdout, quiet=quiet)
        self.hidden = hidden
        self.begun = False
        self.hid: list[str] = []

    def event(self, event: Json) -> None:
        """Show one object of docker's progress stream, unless its status begins with what is hidden."""
        self.begun = True
        status = str(event.get("status", ""))
        if self.hidden and status.startswith(self.hidden):
            self.hid.append(status)
        else:
            super().event(event)

    def __enter__(self) -> Transfer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        self.close()
        if isinstance(error, EngineError) and self.begun:
            raise HyperBoxError(error.message) from None


def pull_one(invocation: Invocation, reference: Reference, *, quiet: bool, hidden: tuple[str, ...] = ()) -> list[str]:
    """Pull one reference with docker's progress; returns the lines that begin with what is to be `hidden`."""
    with Transfer(quiet=quiet, hidden=hidden) as progress:
        engine_for(invocation).image_pull(
            str(reference),
            platform=platform_of(invocation),
            auth=auth_for(invocation, reference.domain),
            on_event=progress.event,
        )
    return progress.hid


def push(invocation: Invocation) -> int:
    """`docker push`."""
    refuse_trust(invocation, invocation.arguments[0])
    platform = str(invocation.flags.get("platform") or "")
    if platform:
        check_platform(platform, f"Invalid platform {platform}")
        print(PLATFORM_NOTE, flush=True)
    reference = user_reference(invocation.arguments[0])
    if invocation.flags["all-tags"]:
        return push_all(invocation, reference)
    quiet = bool(invocation.flags["quiet"])
    if reference.digest:
        raise HyperBoxError("cannot push a digest reference")
    if not reference.tag and not quiet:
        print("Using default tag: latest", flush=True)
    if platform:
        engine_for(invocation).image_inspect(reference.with_tag().familiar, platform=platform)
    push_one(invocation, reference.with_tag(), quiet=quiet)
    return 0


def push_one(invocation: Invocation, reference: Reference, *, quiet: bool, hidden: tuple[str, ...] = ()) -> None:
    """Push one tag, with docker's progress. Raises HyperBoxError with docker's words."""
    with Transfer(quiet=quiet, hidden=hidden) as progress:
        engine_for(invocation).image_push(
            str(reference), auth=auth_for(invocation, reference.domain), on_event=progress.event
        )
    if quiet and not hidden:
        print(reference.canonical)


def push_all(invocation: Invocation, reference: Reference) -> int:
    """`docker push --all-tags`: each tag that this machine has of the repository."""
    if reference.tag or reference.digest:
        raise HyperBoxError("tag can't be used with --all-tags/-a")
    engine = engine_for(invocation)
    quiet = bool(invocation.flags["quiet"])
    familiar = reference.familiar
    names = {str(name) for row in engine.image_list() for name in row["RepoTags"] or ()}  # type: ignore[attr-defined]
    tags = sorted(name for name in names if name.rpartition(":")[0] == familiar)
    header = "The push refers to repository"
    if not quiet:
        print(f"{header} [{reference.repository}]", flush=True)
    if not tags:
        raise HyperBoxError(f"An image does not exist locally with the tag: {familiar}")
    for name in tags:
        push_one(invocation, user_reference(name), quiet=quiet, hidden=(header,))
    if quiet:
        print(reference.repository)
    return 0


def pull_all(invocation: Invocation, reference: Reference) -> int:
    """`docker pull --all-tags`: each tag that the registry has of the repository."""
    if reference.tag or reference.digest:
        raise HyperBoxError("tag can't be used with --all-tags/-a")
    from hyperbox.image.pull import repository_tags

    quiet = bool(invocation.flags["quiet"])
    told: list[str] = []
    for tag in repository_tags(str(reference.with_tag()), auth=auth_for(invocation, reference.domain)):
        name = type(reference)(reference.domain, reference.path, tag, "")
        told += pull_one(invocation, name, quiet=quiet, hidden=("Status: ",))
    if not quiet:
        newer = any("newer image" in line for line in told)
        state = "Downloaded newer image" if newer else "Image is up to date"
        print(f"Status: {state} for {reference.familiar}")
    print(reference.repository)
    return 0


def opened(path: str, *, request: str) -> BinaryIO:
    """Open a file to read; raises HyperBoxError with docker's words, which for a folder name the `request` that was to send it."""
    try:
        return open(path, "rb")
    except IsADirectoryError:
        raise HyperBoxError(
            f'error during connect: Post "http://%2Fvar%2Frun%2Fdocker.sock/v{API_VERSION}/{request}": read {path}: is a directory'
        ) from None
    except OSError as error:
        raise HyperBoxError(f"open {path}: {(error.strerror or '').lower()}") from None


def load(invocation: Invocation) -> int:
    """`docker load`."""
    path = str(invocation.flags["input"])
    if not path and sys.stdin.isatty():
        raise HyperBoxError("requested load from stdin, but stdin is empty")
    quiet = bool(invocation.flags["quiet"]) or not sys.stdout.isatty()
    source = opened(path, request=f"images/load?quiet={quiet:d}") if path else sys.stdin.buffer
    with source:
        platform = _one_platform(invocation)
        engine = engine_for(invocation)
        try:
            lines = engine.image_load(source, platform=platform)
        except EngineError as error:  # docker tells it as it reads, without its frame
            raise HyperBoxError(error.message) from None
        if lines:
            print("\n".join(lines))
    return 0


def _one_platform(invocation: Invocation) -> str:
    value = invocation.flags.get("platform")
    if isinstance(value, list):
        if len(value) > 1:
            raise UnsupportedError("--platform can be given once")
        value = value[0] if value else ""
    if value:
        check_platform(str(value), "invalid platform: ")
    return str(value or "")


def save(invocation: Invocation) -> int:
    """`docker save`."""
    path = str(invocation.flags["output"])
    if not path and sys.stdout.isatty():
        raise HyperBoxError("cowardly refusing to save to a terminal. Use the -o flag or redirect")
    chunks = engine_for(invocation).image_save(invocation.arguments, platform=_one_platform(invocation))
    from hyperbox.cli.copy import write_chunks

    write_chunks(chunks, path, "save image")
    return 0


def import_query(invocation: Invocation, reference: str = "") -> str:
    """Return the query of docker's request for an import."""
    from urllib.parse import urlencode

    flags = invocation.flags
    changes = flags["change"]
    pairs = [("changes", str(change)) for change in changes] if isinstance(changes, list) else []
    pairs.append(("fromSrc", "-"))
    for key, value in (
        ("message", flags["message"]),
        ("platform", platform_of(invocation)),
        ("repo", reference),
    ):
        pairs += [(key, str(value))] if value else []
    return urlencode(pairs)


def import_image(invocation: Invocation) -> int:
    """`docker import`."""
    source_name, *rest = invocation.arguments
    reference = user_reference(rest[0]) if rest else None
    if source_name == "-":
        source: BinaryIO = sys.stdin.buffer
    elif source_name.startswith(("http://", "https://")):
        source = fetch(source_name)
    else:
        source = opened(source_name, request="images/create?" + import_query(invocation, "".join(rest[:1])))
    changes = invocation.flags["change"]
    assert isinstance(changes, list)
    remote = source_name if source_name.startswith(("http://", "https://")) else "-"
    message = str(invocation.flags["message"]) or f"Imported from {remote}"
    with source:
        image_id = engine_for(invocation).image_import(
            source,
            repository=reference.repository if reference else "",
            tag=reference.tag if reference else "",
            message=message,
            changes=changes,
            platform=platform_of(invocation),
        )
    print(image_id)
    return 0


def fetch(address: str) -> BinaryIO:
    """Open a file on a web server. Raises HyperBoxError."""
    import urllib.request

    try:
        response: BinaryIO = urllib.request.urlopen(address, timeout=60)
    except OSError as error:
        import urllib.parse

        from hyperbox.image.registry import dial_error

        reason = getattr(error, "reason", error)
        words = dial_error(urllib.parse.urlsplit(address), reason) if isinstance(reason, OSError) else str(error)
        raise EngineError(f'Get "{address}": {words}') from None
    return response


def pull_for(engine: Engine, invocation: Invocation, text: str, platform: str, *, quiet: bool) -> str:
    """Pull an image that a command needs, progress on stderr; returns its id."""
    reference = user_reference(text).with_tag()
    progress = Progress(sys.stderr, quiet=quiet)
    try:
        return engine.image_pull(
            str(reference), platform=platform, auth=auth_for(invocation, reference.domain), on_event=progress.event
        )
    finally:
        progress.close()
