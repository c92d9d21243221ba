"""Where a build's result goes: `--output`, `--load`, `--push`, caches in and out, `--iidfile` and `--metadata-file`."""

from __future__ import annotations

import os
import sys

from hyperbox import files
from hyperbox.build.api import Cache, Output
from hyperbox.cli.output_file import check_target, remove_old
from hyperbox.errors import HyperBoxError, UnsupportedError
from hyperbox.go.text import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.build.api import BuildResult
    from hyperbox.cli.builder_store import Builder

    Json = dict[str, object]

ARCHIVES = ("oci", "docker", "tar")
CACHE_ONLY = "cacheonly"  # what is built stays in the cache
CACHES = ("registry", "local", "inline")


def _fields(word: str) -> list[tuple[str, str]]:
    from hyperbox.grammar.values import split_commas

    pairs = []
    for field in split_commas(word):
        name, equals, value = field.partition("=")
        if not equals:
            raise HyperBoxError(f"ERROR: invalid value {field}")
        pairs.append((name.strip().lower(), value))
    return pairs


def parse_output(word: str) -> Output:
    """Return one --output. Raises HyperBoxError with buildx's words."""
    if "=" not in word:
        return Output("tar", "-") if word == "-" else Output("local", _folder(word))
    kind = destination = ""
    rest = []
    for name, value in _fields(word):
        if name == "type":
            kind = value
        elif name == "dest":
            destination = value
        else:
            rest.append((name, value))
    if not kind:
        raise HyperBoxError("ERROR: type is required for output")
    if kind == "registry":
        kind = "image"
        rest.append(("push", "true"))
    if kind not in ("image", "local", CACHE_ONLY, *ARCHIVES):
        raise HyperBoxError(f"ERROR: failed to build: failed to solve: exporter {quote(kind)} could not be found")
    if kind == "local" and not destination:
        raise HyperBoxError("ERROR: failed to build: dest is required for local exporter")
    if kind == "local" and destination == "-":
        raise HyperBoxError("ERROR: failed to build: dest cannot be stdout for local exporter")
    if kind in ARCHIVES:
        destination = _archive(kind, destination)
        if not destination:  # type=docker without dest: into the store
            return Output("image", attributes=tuple(rest))
    elif kind == "local":
        destination = _folder(destination)
    return Output(kind, destination, tuple(rest))


def _folder(destination: str) -> str:
    """Return the whole path of a local output's folder. Raises HyperBoxError for what is none."""
    if os.path.exists(destination) and not os.path.isdir(destination):
        raise HyperBoxError(f"ERROR: failed to build: destination directory {destination} is a file")
    return os.path.abspath(destination)


def _archive(kind: str, destination: str) -> str:
    if not destination and kind == "docker":
        return ""
    if destination in ("", "-"):
        if sys.stdout.isatty():
            raise HyperBoxError(
                f"ERROR: failed to build: dest file is required for {kind} exporter. refusing to write to console"
            )
        return "-"
    if os.path.isdir(destination):
        raise HyperBoxError(f"ERROR: failed to build: destination file {destination} is a directory")
    if not os.path.isdir(os.path.dirname(destination) or "."):
        reason = "not a directory" if os.path.exists(os.path.dirname(destination)) else "no such file or directory"
        raise HyperBoxError(f"ERROR: failed to build: failed to open open {destination}: {reason}")
    return os.path.abspath(destination)


def outputs(
    words: Sequence[str], tags: Sequence[str], *, push: bool, load: bool, loads: bool = True
) -> tuple[Output, ...]:
    """Return a build's outputs; without any the image goes into the store where the builder `loads`. Raises HyperBoxError."""
    found = [parse_output(word) for word in words]
    if push:
        images = [index for index, output in enumerate(found) if output.kind == "image"]
        for index in images:
            found[index] = found[index]._replace(attributes=(*found[index].attributes, ("push", "true")))
        if not images:
            found.append(Output("image", attributes=(("push", "true"),)))
    if (load and not any(output.kind == "image" for output in found)) or (loads and not found):
        found.append(Output("image"))
    if any(output.get("push") == "true" for output in found) and not (
        tags or any(output.get("name") for output in found)
    ):
        raise HyperBoxError("ERROR: failed to build: tag is needed when pushing to registry")
    if sum(output.destination == "-" for output in found) > 1:
        raise UnsupportedError("only one output can go to stdout")
    return tuple(output for output in found if output.kind != CACHE_ONLY)


def parse_cache(word: str, *, export: bool) -> Cache:
    """Return one --cache-from or --cache-to. Raises HyperBoxError."""
    if "=" not in word:
        return Cache("registry", (("ref", word),))
    kind = ""
    attributes = []
    for name, value in _fields(word):
        if name == "type":
            kind = value
        else:
            attributes.append((name, value))
    if not kind:
        raise HyperBoxError('ERROR: type required form> "' + word + '"')
    direction = "exporter" if export else "importer"
    if kind not in CACHES:
        if kind in ("gha", "s3", "azblob"):
            raise UnsupportedError(f"build: HyperBox has no cache of type {kind}: registry, local and inline are there")
        raise HyperBoxError(
            f"ERROR: failed to build: failed to solve: failed to configure {kind} cache {direction}: unknown cache {direction}: {quote(kind)}"
        )
    cache = Cache(kind, tuple(attributes))
    if kind == "registry" and not cache.get("ref"):
        raise HyperBoxError(f"ERROR: failed to build: registry cache {direction} requires ref")
    if kind == "local" and not cache.get("dest" if export else "src"):
        raise HyperBoxError(f"ERROR: failed to build: local cache {direction} requires {'dest' if export else 'src'}")
    place = "dest" if export else "src"
    if kind == "local" and not export and not os.path.isdir(cache.get("src")):
        source = cache.get("src")
        reason = f"could not lock {source}/index.json.lock: open {source}/index.json.lock: no such file or directory"
        sys.stderr.write(f"WARNING: local cache import at {source} not found due to err: {reason}\n")
    return Cache(
        kind,
        tuple(
            (name, os.path.abspath(value) if kind == "local" and name == place else value) for name, value in attributes
        ),
    )


def clear_image_id(path: str) -> None:
    """Remove the file that the image's id is to be written to. Raises HyperBoxError with buildx's words."""
    try:
        remove_old(path)
    except OSError as error:
        raise HyperBoxError(f"ERROR: removing image ID file: remove {path}: {_reason(error)}") from None


def write_image_id(path: str, image_id: str) -> None:
    """Write --iidfile. Raises HyperBoxError with buildx's words."""
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(image_id)
    except OSError as error:
        raise HyperBoxError(f"ERROR: writing image ID file: open {path}: {_reason(error)}") from None


def write_metadata(path: str, text: str) -> None:
    """Write --metadata-file in one step. Raises HyperBoxError with buildx's words."""
    check_target(path, "ERROR: ")
    try:
        files.write_atomic(path, text, mode=0o644)
    except OSError as error:
        raise HyperBoxError(f"ERROR: open {path}: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    return (error.strerror or "").lower()


def metadata(result: BuildResult, reference: str) -> Json:
    """Return what --metadata-file holds: the image's digests and names, and this build's own reference."""
    found: Json = {"buildx.build.ref": reference}
    if result.image_id:
        found["containerimage.config.digest"] = result.image_id
        found["containerimage.digest"] = result.manifest_digest or result.image_id
    if result.names:
        found["image.name"] = ",".join(name.removesuffix(":latest") for name in result.names)
    return found


def new_reference(builder: Builder) -> str:
    """Return a name for one build, as buildx makes them: builder, node, 25 letters and digits."""
    import secrets

    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    return f"{builder.name}/{builder.nodes[0].get('Name')}/" + "".join(secrets.choice(letters) for _ in range(25))
