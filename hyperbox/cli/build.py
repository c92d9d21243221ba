"""`docker build`, `docker image build`, `docker builder build`, `docker buildx build`: from the flags to a build, and what it prints.

Progress and errors go to stderr, the image's id (`--quiet`) and results of `--call` to stdout. Words and exit codes are those of docker's buildx.
"""

from __future__ import annotations

import os
import signal
import sys

from hyperbox.build.api import BuildFailed, BuildRequest, Ulimit
from hyperbox.build.api import build as run_build
from hyperbox.cli import build_inputs, build_outputs, builder_store
from hyperbox.cli.build_progress import cancel, printer
from hyperbox.cli.image_transfer import check_platform
from hyperbox.errors import EngineError, HyperBoxError, UnsupportedError
from hyperbox.go.text import invalid_syntax, parse_bool
from hyperbox.grammar.values import split_commas, words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hyperbox.build.api import BuildResult
    from hyperbox.cli.build_inputs import Inputs
    from hyperbox.cli.build_progress import Printer
    from hyperbox.cli.builder_store import Builder
    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

# flags of docker's former builder: BuildKit has none of these limits and takes them without effect; a user is told
NO_EFFECT = (
    "cpu-period",
    "cpu-quota",
    "cpu-shares",
    "cpuset-cpus",
    "cpuset-mems",
    "memory",
    "memory-swap",
    "isolation",
    "security-opt",
    "squash",
)
MORE = """
Switch to a different driver, or turn on the containerd image store, and try again.
Learn more at https://docs.docker.com/go/{}/"""
ATTESTATION = "HyperBox makes no attestations: leave out --attest, --sbom and --provenance, or give false"
NO_OUTPUT = (
    "No output specified with docker-container driver. Build result will only remain in the build cache. "
    "To push result image into registry use --push or to load image into docker use --load"
)
ENTITLEMENTS = ("network.host", "security.insecure", "device")


def check_buildkit(text: str) -> None:
    """Raise HyperBoxError where DOCKER_BUILDKIT is no boolean. Which builder it asks for has no meaning here: there is one."""
    try:
        parse_bool(text or "true")
    except ValueError as error:
        raise HyperBoxError(f"DOCKER_BUILDKIT environment variable expects boolean value: {error}") from None


def build(invocation: Invocation) -> int:
    """`docker build`."""
    flags = invocation.flags
    check_buildkit(os.environ.get("DOCKER_BUILDKIT", ""))
    builder = check_builder(invocation)
    _refuse(invocation, builder)
    asked = None
    if flags["check"] or flags["call"] not in ("", "build", None):
        from hyperbox.cli.build_call import call, read_call

        asked = read_call("check" if flags["check"] else str(flags["call"]))
    mode = "quiet" if flags["quiet"] and flags["progress"] == "auto" else progress_mode(str(flags["progress"]))
    quiet = bool(flags["quiet"])
    debug = bool(flags["debug"]) or bool(invocation.globals.get("debug"))
    shown = printer(mode, sys.stderr, (builder.name, builder.driver), quiet=quiet, debug=debug)
    if mode == "tty" and not sys.stderr.isatty():
        raise HyperBoxError("ERROR: failed to get console: provided file is not a console")
    inputs = _inputs(invocation)
    try:
        request = request_of(invocation, inputs, builder)
        if asked is not None and asked.name != "build":
            lead = "\n" if quiet or flags["progress"] == "quiet" else ""  # in place of the image's id
            return call(asked, request, shown, lead=lead)
        if flags["iidfile"]:
            build_outputs.clear_image_id(str(flags["iidfile"]))
        result = _run_on(invocation, builder, request, shown)
    finally:
        for path in inputs.temporary:
            os.unlink(path)
    _report(invocation, result, builder, quiet=quiet or flags["progress"] == "quiet")
    return 0


def _run_on(invocation: Invocation, builder: Builder, request: BuildRequest, shown: Printer) -> BuildResult:
    """Build, note that the builder was used, and say where the result is not kept."""
    builder_store.set_status(invocation, builder, "running")
    builder_store.note_activity(invocation, builder)
    try:
        return run(invocation, request, shown)
    finally:
        if not request.outputs and not words_of(invocation.flags["output"]):
            print(f"WARNING: {NO_OUTPUT}", file=sys.stderr)


def progress_mode(given: str) -> str:
    """Return --progress, or BUILDKIT_PROGRESS where it was not given."""
    if given == "auto":
        return os.environ.get("BUILDKIT_PROGRESS") or "auto"
    return given


def check_builder(invocation: Invocation) -> Builder:
    """Return the builder that a command is for. Raises HyperBoxError for one that is not there or not on this machine."""
    builder = builder_store.chosen(invocation)
    builder_store.check_local(invocation, builder)
    return builder


def _refuse(invocation: Invocation, builder: Builder) -> None:
    """Refuse what HyperBox can't do, and tell of flags that docker takes without effect."""
    flags, given = invocation.flags, invocation.given
    if _attests(flags):
        message = f"Attestation is not supported for the docker driver.{MORE.format('attestations')}"
        raise UnsupportedError(f"ERROR: failed to build: {message if builder.driver == 'docker' else ATTESTATION}")
    if flags["no-cache"] and flags["no-cache-filter"]:
        raise HyperBoxError(
            "ERROR: failed to build: --no-cache and --no-cache-filter cannot currently be used together"
        )
    if annotations := [word for word in words_of(flags["annotation"]) if word]:
        for word in annotations:
            check_annotation(word)
        if builder.driver != "docker":  # docker's own takes them without effect where images are not kept by containerd
            message = "HyperBox keeps no annotations of images: leave out --annotation, or use --label"
            raise UnsupportedError(f"ERROR: failed to build: {message}")
    for word in words_of(flags["allow"]):
        kind = word.partition("=")[0]
        if kind not in ENTITLEMENTS:
            raise HyperBoxError(f"ERROR: failed to build: unknown entitlement {word}")
        if kind != "network.host":
            raise HyperBoxError(
                f"ERROR: failed to build: failed to solve: granting entitlement {kind} is not allowed by build daemon configuration"
            )
    for name in NO_EFFECT:
        if name in given:
            print(f"WARNING: --{name} has no effect: builds have no such limit (nor has BuildKit)", file=sys.stderr)


def _attests(flags: Mapping[str, object]) -> bool:
    """Return whether an attestation is asked for. Raises HyperBoxError with buildx's words."""
    words = list(words_of(flags["attest"]))
    for name in ("sbom", "provenance"):
        if value := str(flags[name] or ""):
            try:
                value = f"disabled={'false' if parse_bool(value) else 'true'}"
            except ValueError:
                pass
            words.append(f"type={name},{value}")
    wanted = False
    for word in words:
        fields = dict(_pair(field) for field in split_commas(word))
        if "type" not in fields:
            raise HyperBoxError("ERROR: attestation type not specified")
        try:
            wanted |= not parse_bool(fields.get("disabled", "false"))
        except ValueError as error:
            raise HyperBoxError(f"ERROR: {error}") from None
    return wanted


def _pair(field: str) -> tuple[str, str]:
    name, equals, value = field.partition("=")
    if not equals:
        raise HyperBoxError(f"ERROR: invalid value {field}")
    return name.strip().lower(), value


def check_annotation(word: str) -> None:
    """Raise HyperBoxError with buildx's words for what is no annotation ([TYPE:]KEY=VALUE), or one that an image can't have."""
    lead = "ERROR: failed to build: parse annotations:"
    key, equals, _ = word.partition("=")
    if not equals:
        raise HyperBoxError(f'{lead} invalid annotation "{word}", expected key=value')
    kinds = key.partition(":")[0].split(",") if ":" in key else []
    for kind in (each.partition("[")[0] for each in kinds):
        if kind not in ("manifest", "manifest-descriptor", "index", "index-descriptor"):
            raise HyperBoxError(f'{lead} unknown annotation type "{kind}"')
        if kind.startswith("index"):
            raise HyperBoxError("ERROR: failed to build: index annotations not supported for single platform export")


def _inputs(invocation: Invocation) -> Inputs:
    try:
        return build_inputs.read_inputs(invocation.arguments[0], str(invocation.flags["file"] or ""))
    except HyperBoxError as error:
        raise HyperBoxError(_failed(error.message)) from None


def _failed(message: str) -> str:
    return message if message.startswith("ERROR: ") else f"ERROR: failed to build: {message}"


def request_of(invocation: Invocation, inputs: Inputs, builder: Builder) -> BuildRequest:
    """Return the build that the flags describe. Raises HyperBoxError with buildx's words."""
    try:
        request = _request(invocation, inputs, builder)
    except UnsupportedError:
        raise
    except HyperBoxError as error:
        raise HyperBoxError(_failed(error.message)) from None
    if invocation.flags["iidfile"] and any(output.kind in ("local", "tar") for output in request.outputs):
        raise HyperBoxError("ERROR: local and tar exporters are incompatible with image ID file")
    return request


def _request(invocation: Invocation, inputs: Inputs, builder: Builder) -> BuildRequest:
    flags = invocation.flags
    environment = os.environ
    tags = [check_tag(tag) for tag in words_of(flags["tag"])]
    arguments = build_inputs.build_arguments(words_of(flags["build-arg"]), environment)
    return BuildRequest(
        context=inputs.context,
        dockerfile=inputs.dockerfile,
        dockerfile_path=inputs.path,
        ignore=inputs.ignore,
        target=str(flags["target"] or ""),
        build_args=(*proxies(invocation, arguments), *arguments),
        labels=build_inputs.key_values(words_of(flags["label"])),
        tags=tuple(tags),
        platforms=platforms(words_of(flags["platform"]) or [os.environ.get("DOCKER_DEFAULT_PLATFORM", "")]),
        contexts=build_inputs.named_contexts(words_of(flags["build-context"])),
        secrets=build_inputs.secrets(words_of(flags["secret"]), environment),
        agents=build_inputs.agents(words_of(flags["ssh"]), environment),
        no_cache=bool(flags["no-cache"]),
        no_cache_filter=tuple(words_of(flags["no-cache-filter"])),
        pull=bool(flags["pull"]),
        network=check_network(str(flags["network"] or "default")),
        hosts=hosts(words_of(flags["add-host"])),
        shm_size=flags["shm-size"] if isinstance(flags["shm-size"], int) else 0,
        ulimits=ulimits(words_of(flags["ulimit"])),
        cgroup_parent=str(flags["cgroup-parent"] or ""),
        allow=tuple(words_of(flags["allow"])),
        cache_from=tuple(
            build_outputs.parse_cache(word, export=False) for word in words_of(flags["cache-from"]) if word
        ),
        cache_to=tuple(build_outputs.parse_cache(word, export=True) for word in words_of(flags["cache-to"])),
        outputs=build_outputs.outputs(
            [word for word in words_of(flags["output"]) if word],
            tags,
            push=bool(flags["push"]),
            load=bool(flags["load"]),
            loads=builder.loads,
        ),
        credentials=credentials_of(invocation),
        source_date_epoch=source_date_epoch(),
    )


def credentials_of(invocation: Invocation) -> Callable[[str], Json | None]:
    """Return what answers for a registry's credentials from docker's configuration."""
    from hyperbox.cli.image_transfer import auth_for

    return lambda domain: auth_for(invocation, domain)


def source_date_epoch() -> int | None:
    """Return SOURCE_DATE_EPOCH of the environment. Raises HyperBoxError where it is no number."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        reason = invalid_syntax("ParseInt", text)
        raise HyperBoxError(f"failed to solve: invalid SOURCE_DATE_EPOCH: {text}: {reason}") from None


def check_tag(tag: str) -> str:
    """Return a tag. Raises HyperBoxError with buildx's words where it is no reference."""
    from hyperbox.image.reference import parse_reference

    try:
        if parse_reference(tag).digest:
            raise HyperBoxError("failed to solve: refusing to create a tag with a digest reference")
    except EngineError as error:
        reason = error.message
        if "must be lowercase" in reason:
            reason = "repository name must be lowercase"
        raise HyperBoxError(f'invalid tag "{tag}": {reason}') from None
    return tag


def proxies(invocation: Invocation, given: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the proxies of docker's configuration as build arguments."""
    from hyperbox.cli.container_spec import proxy_environment

    lines = proxy_environment(invocation, [f"{name}=" for name, _ in given])
    return [(name, value) for name, _, value in (line.partition("=") for line in lines)]


def platforms(words: Sequence[str]) -> tuple[str, ...]:
    """Return --platform's platforms. Raises HyperBoxError for what is none, UnsupportedError for more than one."""
    found = [word for text in words if text for word in text.split(",")]
    for word in found:
        if word != "local":
            check_platform(word)
    if len(found) > 1:
        raise UnsupportedError(
            f"ERROR: failed to build: Multi-platform build is not supported for the docker driver.{MORE.format('build-multi-platform')}"
        )
    return tuple(word for word in found if word != "local")


def check_network(name: str) -> str:
    """Return --network. Raises HyperBoxError for one that builds can't have."""
    if name not in ("default", "none", "host"):
        how = "you can define a custom network for your builder using the network driver-opt in buildx create"
        raise HyperBoxError(f'network mode "{name}" not supported by buildkit - {how}')
    return name


def hosts(words: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return --add-host NAME:ADDRESS (or NAME=ADDRESS) words. Raises HyperBoxError."""
    import ipaddress

    found = []
    for word in words:
        name, mark, address = word.partition("=")
        if not mark:
            name, mark, address = word.partition(":")
        if not mark or not name or not address:
            raise HyperBoxError(f"invalid host {word}")
        address = address.removeprefix("[").removesuffix("]")
        if address != "host-gateway":
            try:
                ipaddress.ip_address(address)
            except ValueError:
                raise HyperBoxError(f"invalid host {word}") from None
        found.append((name, address))
    return tuple(found)


def ulimits(words: Sequence[str]) -> tuple[Ulimit, ...]:
    """Return --ulimit NAME=SOFT[:HARD] words."""
    found = []
    for word in words:
        name, _, limits = word.partition("=")
        soft, _, hard = limits.partition(":")
        found.append(Ulimit(name, int(soft), int(hard or soft)))
    return tuple(found)


def run(invocation: Invocation, request: BuildRequest, shown: Printer) -> BuildResult:
    """Build, with the progress shown. Raises HyperBoxError with docker's closing lines for a build that fails."""
    from hyperbox.cli.connect import native_engine
    from hyperbox.cli.context_store import check_endpoint

    check_endpoint(invocation)
    roots = native_engine().roots
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it cancels a build as Ctrl-C does
    try:
        return run_build(roots, request, shown.event)
    except BuildFailed as error:
        raise HyperBoxError(closing(error), exit_code=error.exit_code) from None
    except EngineError as error:
        raise HyperBoxError(f"ERROR: failed to build: {error.message}", exit_code=error.exit_code) from None
    except KeyboardInterrupt:
        cancel(shown)
        words = "ERROR: failed to build: failed to solve: Canceled: context canceled"
        raise HyperBoxError(words, exit_code=130) from None
    finally:
        shown.close()


def closing(error: BuildFailed) -> str:
    """Return the lines that end a failed build: the excerpt of the Dockerfile and what went wrong."""
    excerpt = error.excerpt.rstrip("\n") + "\n" if error.excerpt else ""
    return f"{excerpt}ERROR: failed to build: {error.message}"


def _report(invocation: Invocation, result: BuildResult, builder: Builder, *, quiet: bool) -> None:
    """Write the files and lines that follow a build that worked."""
    flags = invocation.flags
    if quiet:
        print(result.image_id, flush=True)
    if flags["iidfile"]:
        build_outputs.write_image_id(str(flags["iidfile"]), result.image_id)
    if flags["metadata-file"]:
        from hyperbox.cli.output import indented_json

        facts = build_outputs.metadata(result, build_outputs.new_reference(builder))
        build_outputs.write_metadata(str(flags["metadata-file"]), indented_json(facts, indent="  ", sort_keys=True))
