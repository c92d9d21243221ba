"""From the targets of bake files to builds, in the words of docker's buildx where a target can't be built."""

from __future__ import annotations

import os
import posixpath

from hyperbox.bake.entries import Agent, Entry, Secret
from hyperbox.bake.errors import BakeError
from hyperbox.bake.model import outputs_of
from hyperbox.build.api import Agent as BuildAgent
from hyperbox.build.api import BuildRequest, Cache, Output, Source
from hyperbox.build.api import Secret as BuildSecret
from hyperbox.cli import build_inputs, build_outputs
from hyperbox.cli.build_inputs import is_remote
from hyperbox.errors import HyperBoxError, UnsupportedError
from hyperbox.go.text import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hyperbox.bake.model import Target
    from hyperbox.cli.builder_store import Builder
    from hyperbox.grammar.parse import Invocation

ENTITLEMENTS = ("network.host", "security.insecure", "device")
ANNOTATIONS = ("manifest", "manifest-descriptor", "index", "index-descriptor")


def clean_context(target: Target) -> None:
    """Give a target's context as --print shows it: a clean path, without cwd:// in front."""
    context = target.text("context") or "."
    folder = context.removeprefix("cwd://")
    if folder != context or not is_remote(context):
        target.values["context"] = posixpath.normpath(folder or ".")


def check_target(target: Target, environment: Mapping[str, str]) -> None:
    """Check what docker checks of a target before it shows or builds it. Raises BakeError."""
    for name in ("context", "dockerfile"):
        if target.text(name) == "-":
            raise BakeError(f"{name} from stdin not allowed in bake")
    try:
        _check_values(target, environment)
    except BakeError:
        raise
    except HyperBoxError as error:
        message = error.message.removeprefix("ERROR: ").removeprefix("failed to build: ")
        raise BakeError(message) from None


def _check_values(target: Target, environment: Mapping[str, str]) -> None:
    from hyperbox.cli.image_transfer import check_platform

    if (size := target.text("shm-size")) is not None:
        shm_size(size)
    for word in target.texts("platforms"):
        if word != "local":
            check_platform(word)
    secrets(target, environment)
    agents(target, environment)
    outputs = []
    for output in outputs_of(target):
        check_output(output)
        to_stdout = output.type in ("tar", "oci") and not output.dest
        outputs.append(Entry(output.type, output.attributes, "-") if to_stdout else output)
    if outputs:
        target.values["output"] = tuple(outputs)
    for word in target.texts("annotations"):
        _check_annotation(word)
    for word in target.texts("ulimits"):
        _check_ulimit(word)


def shm_size(text: str) -> int:
    """Return a size in bytes. Raises BakeError."""
    from hyperbox.go.units import parse_bytes

    try:
        return parse_bytes(text)
    except (ValueError, HyperBoxError):
        raise BakeError(f"invalid value {text} for membytes key shm-size") from None


def secrets(target: Target, environment: Mapping[str, str]) -> list[BuildSecret]:
    """Return the secrets of a target. Raises HyperBoxError."""
    found = []
    for entry in target.entries("secret"):
        assert isinstance(entry, Secret)
        path, variable = entry.src, entry.env
        if not path and not variable:
            path, variable = ("", entry.id) if entry.id in environment else (entry.id, "")
        found.append(build_inputs.load_secret(entry.id, path, variable, environment))
    return found


def agents(target: Target, environment: Mapping[str, str]) -> list[BuildAgent]:
    """Return the agents of a target. Raises HyperBoxError."""
    found = []
    for entry in target.entries("ssh"):
        assert isinstance(entry, Agent)
        found.append(build_inputs.agent(entry.id or "default", entry.paths, environment))
    return found


def check_output(output: Entry) -> None:
    """Raise BakeError for an output whose place can't be written."""
    dest = output.dest
    if output.type == "local":
        if not dest:
            raise BakeError("dest is required for local exporter")
        if dest == "-":
            raise BakeError("dest cannot be stdout for local exporter")
        if os.path.exists(dest) and not os.path.isdir(dest):
            raise BakeError(f"destination directory {dest} is a file")
    elif output.type in ("oci", "docker", "tar") and dest not in ("", "-") and os.path.isdir(dest):
        raise BakeError(f"destination file {dest} is a directory")


def _check_annotation(word: str) -> None:
    key, equals, _ = word.partition("=")
    if not equals:
        raise BakeError(f"invalid annotation {quote(word)}, expected key=value")
    for kind in key.partition(":")[0].split(",") if ":" in key else []:
        name = kind.partition("[")[0]
        if not name or not all(letter.islower() or letter == "-" for letter in name):
            lead = f"invalid annotation type {quote(kind)}"
            raise BakeError(f"{lead}, expected type and optional platform in square brackets")
        if name not in ANNOTATIONS:
            raise BakeError(f"unknown annotation type {quote(name)}")


def _check_ulimit(word: str) -> None:
    from hyperbox.grammar.checks import check_ulimit

    try:
        check_ulimit(word)
    except ValueError as error:
        raise BakeError(str(error)) from None


def refuse(target: Target, builder: Builder) -> None:
    """Raise UnsupportedError for what HyperBox does not build."""
    from hyperbox.cli.build import ATTESTATION, MORE, check_annotation

    for entry in target.entries("attest"):
        if isinstance(entry, Entry) and not entry.disabled:
            message = f"Attestation is not supported for the docker driver.{MORE.format('attestations')}"
            raise UnsupportedError(f"ERROR: {message if builder.driver == 'docker' else ATTESTATION}")
    if len(target.texts("platforms")) > 1:
        message = "Multi-platform build is not supported for the docker driver."
        raise UnsupportedError(f"ERROR: {message}{MORE.format('build-multi-platform')}")
    if target.flag("no-cache") and target.texts("no-cache-filter"):
        raise BakeError("--no-cache and --no-cache-filter cannot currently be used together")
    if target.texts("annotations"):
        for word in target.texts("annotations"):
            check_annotation(word)
        raise UnsupportedError("ERROR: HyperBox keeps no annotations of images: leave out annotations, or use labels")
    for word in target.texts("entitlements"):
        kind = word.partition("=")[0]
        if kind not in ENTITLEMENTS:
            raise BakeError(f"unknown entitlement {word}")
        if kind != "network.host":
            reason = f"granting entitlement {kind} is not allowed by build daemon configuration"
            raise UnsupportedError(f"ERROR: failed to solve: {reason}")


def request_of(
    invocation: Invocation, target: Target, builder: Builder, images: Mapping[str, str], *, needed: bool
) -> BuildRequest:
    """Return the build of a target; `images` are those of the targets on which it builds, `needed`: others build on it.

    Raises HyperBoxError with buildx's words.
    """
    from hyperbox.cli.build import (
        check_network,
        check_tag,
        credentials_of,
        hosts,
        platforms,
        proxies,
        source_date_epoch,
        ulimits,
    )

    source, dockerfile, path, ignore = _sources(target)
    arguments = list(target.pairs("args").items())
    tags = tuple(check_tag(tag) for tag in target.texts("tags"))
    size = target.text("shm-size")
    return BuildRequest(
        context=source,
        dockerfile=dockerfile,
        dockerfile_path=path,
        ignore=ignore,
        target=target.text("target") or "",
        build_args=(*proxies(invocation, arguments), *arguments),
        labels=tuple(target.pairs("labels").items()),
        tags=tags,
        platforms=platforms(list(target.texts("platforms")) or [os.environ.get("DOCKER_DEFAULT_PLATFORM", "")]),
        contexts=tuple(_contexts(target, images)),
        secrets=tuple(secrets(target, os.environ)),
        agents=tuple(agents(target, os.environ)),
        no_cache=target.flag("no-cache"),
        no_cache_filter=target.texts("no-cache-filter"),
        pull=target.flag("pull"),
        network=check_network(target.text("network") or "default"),
        hosts=hosts([f"{name}={address}" for name, address in target.pairs("extra-hosts").items()]),
        shm_size=0 if size is None else shm_size(size),
        ulimits=ulimits(target.texts("ulimits")),
        allow=target.texts("entitlements"),
        cache_from=tuple(_cache(entry, export=False) for entry in target.entries("cache-from")),
        cache_to=tuple(_cache(entry, export=True) for entry in target.entries("cache-to")),
        outputs=_outputs(target, tags, builder, needed=needed),
        credentials=credentials_of(invocation),
        source_date_epoch=source_date_epoch(),
    )


def _sources(target: Target) -> tuple[Source, bytes | None, str, str | None]:
    """Return a target's context, its Dockerfile (None: the context has it), the name of that, its own ignore file."""
    context = target.text("context") or "."
    try:
        source = build_inputs.source_of(context)
    except HyperBoxError as error:
        raise HyperBoxError(f"unable to prepare context: {error.message}") from None
    inline = target.text("dockerfile-inline")
    if inline is not None:
        return source, inline.encode("utf-8", "surrogateescape"), "Dockerfile", None
    name = target.text("dockerfile") or "Dockerfile"
    if name.startswith("cwd://"):
        path = os.path.abspath(name.removeprefix("cwd://"))
    elif source.kind != "folder":
        return source, None, name, None
    else:
        path = os.path.join(source.location, name)
        if name == "Dockerfile" and not os.path.lexists(path):
            path = ""
    return source, *build_inputs.read_dockerfile(source.location, path)


def _contexts(target: Target, images: Mapping[str, str]) -> list[tuple[str, Source]]:
    found = []
    for name, location in target.pairs("contexts").items():
        linked = location.removeprefix("target:")
        if linked != location:
            found.append((name, Source("image", images[linked])))
        else:
            found += build_inputs.named_contexts([f"{name}={location.removeprefix('cwd://') or '.'}"])
    return found


def _word(entry: object) -> str:
    """Return an entry as the flag of `docker build` has it."""
    assert isinstance(entry, Entry)
    pairs = [("type", entry.type), *entry.attributes, *([("dest", entry.dest)] if entry.dest else [])]
    fields = [f"{name}={value}" for name, value in pairs]
    return ",".join('"' + field.replace('"', '""') + '"' if set(field) & set(',"') else field for field in fields)


def _cache(entry: object, *, export: bool) -> Cache:
    return build_outputs.parse_cache(_word(entry), export=export)


def _outputs(target: Target, tags: tuple[str, ...], builder: Builder, *, needed: bool) -> tuple[Output, ...]:
    words = [_word(entry) for entry in target.entries("output")]
    found = build_outputs.outputs(words, tags, push=False, load=False, loads=builder.loads)
    if needed and not any(output.kind == "image" for output in found):
        found = (*found, Output("image"))
    return found
