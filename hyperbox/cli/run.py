"""`run` and `create`: from flags to a container, and, for `run`, staying with it to the end."""

from __future__ import annotations

import os
import sys

from hyperbox.cli.connect import expect_start, native_engine
from hyperbox.cli.context_store import check_endpoint
from hyperbox.errors import (
    DISK_ERRORS,
    EngineError,
    ExitStatus,
    HyperBoxError,
    InvalidParameter,
    NotFound,
    StreamRefused,
    Unreachable,
    UsageError,
    disk_error,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.api import ContainerSpec
    from hyperbox.engine.native import NativeEngine
    from hyperbox.grammar.parse import Invocation

PULL_POLICIES = ("always", "missing", "never")
# docker finds the exit code of a failed start in the engine's message
NOT_FOUND_WORDS = ("executable file not found", "no such file or directory", "system cannot find the file specified")
NOT_EXECUTABLE_WORDS = ("permission denied", "is a directory")


class PlatformError(HyperBoxError):
    """--platform is none: docker tells it plainly, without its usual frame for `create`."""


def run(invocation: Invocation) -> int:
    """`docker run`: returns the container's exit code, or 125, 126, 127 where it could not be started."""
    try:
        return run_container(invocation)
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        raise start_failure(disk_error(error)) from None


def run_container(invocation: Invocation) -> int:
    """Do what `run` does; a failing disk raises OSError."""
    ahead = expect_start("container")
    from hyperbox.cli.container_spec import container_spec

    flags = invocation.flags
    if invocation.given.get("attach") and flags["detach"]:
        raise HyperBoxError("conflicting options: cannot specify both --attach and --detach")
    try:
        spec = container_spec(invocation)
        check_options(invocation)
        if not flags["detach"]:
            check_tty(invocation, spec)
        if spec.config.get("Tty"):
            from hyperbox.cli.attached import window_size

            spec.host_config["ConsoleSize"] = list(window_size() or (0, 0))
        check_endpoint(invocation)
        engine = native_engine(ahead)
        ensure_image(engine, invocation, spec)
        identifier_file = IdentifierFile(str(flags["cidfile"]))
    except (UsageError, Unreachable):
        raise
    except HyperBoxError as error:
        raise start_failure(error) from None
    if flags["detach"]:
        return run_detached(engine, spec, identifier_file)
    return run_attached(engine, invocation, spec, identifier_file)


def create(invocation: Invocation) -> int:
    """`docker create`: prints the new container's id."""
    from hyperbox.cli.container_spec import container_spec

    try:
        spec = container_spec(invocation)
        check_options(invocation)
    except (UsageError, PlatformError):
        raise
    except HyperBoxError as error:
        raise start_failure(error, "create") from None
    check_endpoint(invocation)
    engine = native_engine()
    ensure_image(engine, invocation, spec)
    try:
        identifier_file = IdentifierFile(str(invocation.flags["cidfile"]))
    except HyperBoxError as error:
        raise HyperBoxError(error.message) from None
    created = create_or_forget(engine, spec, identifier_file)
    sys.stdout.write(created + "\n")
    return 0


def check_options(invocation: Invocation) -> None:
    """Raise HyperBoxError for what docker's own command line refuses."""
    flags = invocation.flags
    if flags["rm"] and str(flags["restart"]) not in ("", "no"):
        raise HyperBoxError("conflicting options: cannot specify both --restart and --rm")
    if platform := str(flags["platform"]) or os.environ.get("DOCKER_DEFAULT_PLATFORM", ""):
        from hyperbox.image.platform import parse_platform

        try:
            parse_platform(platform)
        except ValueError as error:
            raise PlatformError(f"error parsing specified platform: {error}") from None
    if "disable-content-trust" in invocation.given or os.environ.get("DOCKER_CONTENT_TRUST"):
        from hyperbox.cli.client_environment import refuse_trust

        refuse_trust(invocation, invocation.arguments[0])
    warn_of_servers(flags["dns"])
    policy = str(flags["pull"])
    if policy not in PULL_POLICIES:
        raise HyperBoxError(f'invalid pull option: \'{policy}\': must be one of "always", "missing" or "never"')


def warn_of_servers(addresses: object) -> None:
    """Tell of the first --dns address that is this machine's own, which is another in a container."""
    for address in addresses if isinstance(addresses, list) else ():
        if address.startswith("127.") or address == "::1":
            sys.stderr.write(f"WARNING: Localhost DNS ({address}) may fail in containers.\n")
            return


def check_tty(invocation: Invocation, spec: ContainerSpec) -> None:
    """Raise where -i and -t are given and stdin is no terminal; docker says so without its usual frame."""
    if not spec.config.get("AttachStdin") or not spec.config.get("Tty"):
        return
    from hyperbox.cli.attached import check_terminal

    try:
        check_terminal(interactive=True, tty=True)
    except HyperBoxError as error:
        sys.stderr.write(error.message + "\n")
        raise ExitStatus(1) from None


def start_failure(error: HyperBoxError, verb: str = "run") -> HyperBoxError:
    """Return what `docker run` (or `create`) says and ends with where its container did not start, or its flags don't fit."""
    if isinstance(error, (ExitStatus, StreamRefused)):
        return error
    message = error.told
    lowered = error.message.lower()
    code = error.exit_code if error.exit_code in (126, 127) else 125
    if isinstance(error, EngineError):
        if error.exit_code in (126, 127):
            code = error.exit_code
        elif any(words in lowered for words in NOT_FOUND_WORDS):
            code = 127
        elif any(words in lowered for words in NOT_EXECUTABLE_WORDS):
            code = 126
    return HyperBoxError(
        f"docker: {message}\n\nRun 'docker {verb} --help' for more information", hint=error.hint, exit_code=code
    )


def ensure_image(engine: NativeEngine, invocation: Invocation, spec: ContainerSpec) -> None:
    """Have the image here, pulling it by the --pull policy; what pulls is told on stderr."""
    policy = str(invocation.flags["pull"])
    text = str(spec.config["Image"])
    if policy != "always":
        try:
            found = engine.store.resolve(text)
            if spec.platform:
                from hyperbox.image.platform import require

                require(engine.store.record(found), text, spec.platform)
        except InvalidParameter as error:
            raise HyperBoxError(error.message) from None
        except NotFound:
            engine.container_check(spec)
            if policy == "never":
                raise
        else:
            return
    from hyperbox.cli.image_transfer import pull_for, user_reference

    quiet = bool(invocation.flags["quiet"])
    if policy == "missing" and not quiet:
        sys.stderr.write(f"Unable to find image '{familiar(text)}' locally\n")
        sys.stderr.flush()
    user_reference(text)
    pull_for(engine, invocation, text, spec.platform, quiet=quiet)


def familiar(text: str) -> str:
    """Return a reference with the tag that it means."""
    last = text.rpartition("/")[2]
    return text if ":" in last or "@" in text else f"{text}:latest"


class IdentifierFile:
    """--cidfile: made empty before the container, so that two commands don't write one file; removed where none was made."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path
        if not path:
            return
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        except FileExistsError:
            raise HyperBoxError(
                f"container ID file found, make sure the other container isn't running or delete {path}"
            ) from None
        except OSError as error:
            reason = f"open {path}: {(error.strerror or str(error)).lower()}"
            # docker looks for these words in any error, and takes them to be about the container's program
            code = 127 if isinstance(error, FileNotFoundError) else 126 if isinstance(error, PermissionError) else 125
            raise HyperBoxError(f"failed to create the container ID file: {reason}", exit_code=code) from None

    def write(self, container_id: str) -> None:
        if self.path:
            with open(self.path, "w", encoding="ascii") as file:
                file.write(container_id)

    def forget(self) -> None:
        if self.path:
            os.unlink(self.path)


def create_or_forget(
    engine: NativeEngine, spec: ContainerSpec, identifier_file: IdentifierFile, *, starts: bool = False
) -> str:
    """Create the container and return its id; without one the id file goes too."""
    try:
        created = engine.container_create(spec, starts=starts)
    except HyperBoxError:
        identifier_file.forget()
        raise
    container_id = str(created["Id"])
    warnings = created.get("Warnings")
    note_creation(identifier_file, container_id, warnings if isinstance(warnings, list) else [])
    return container_id


def note_creation(identifier_file: IdentifierFile, container_id: str, warnings: list[str]) -> None:
    """Tell the engine's warnings and write the id file."""
    for warning in warnings:
        sys.stderr.write(f"WARNING: {warning}\n")
    sys.stderr.flush()
    identifier_file.write(container_id)


def run_detached(engine: NativeEngine, spec: ContainerSpec, identifier_file: IdentifierFile) -> int:
    """Create and start; the id is printed even where the start fails, as docker does."""
    try:
        container_id = create_or_forget(engine, spec, identifier_file, starts=True)
    except HyperBoxError as error:
        raise start_failure(error) from None
    try:
        engine.container_start(container_id)
    except HyperBoxError as error:
        sys.stdout.write(container_id + "\n")
        raise start_failure(error) from None
    sys.stdout.write(container_id + "\n")
    return 0


def run_attached(
    engine: NativeEngine, invocation: Invocation, spec: ContainerSpec, identifier_file: IdentifierFile
) -> int:
    """Create, start and stay; returns the container's exit code."""
    from hyperbox.cli.configuration_file import detach_keys

    stdin = bool(spec.config.get("AttachStdin"))
    try:
        container_id, attachment = engine.container_run(
            spec,
            stdin=stdin,
            detach_keys=detach_keys(invocation),
            on_created=lambda made, warnings: note_creation(identifier_file, made, warnings),
        )
    except HyperBoxError as error:
        if not getattr(error, "container_id", ""):
            identifier_file.forget()
        raise start_failure(error) from None

    from hyperbox.cli.attached import IGNORES, forwarder, stay_attached
    from hyperbox.engine.attach import StreamAttachment

    assert isinstance(attachment, StreamAttachment)
    return stay_attached(
        attachment,
        stdin=stdin,
        stdout=bool(spec.config.get("AttachStdout")),
        stderr=bool(spec.config.get("AttachStderr")),
        proxy=forwarder(engine, container_id) if invocation.flags["sig-proxy"] else None,
        interrupted=IGNORES,
    )
