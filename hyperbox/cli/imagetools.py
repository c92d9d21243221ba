"""`docker buildx imagetools inspect | create`: images of registries shown, and put together there, without pulling them."""

from __future__ import annotations

import json
import sys
import time

from hyperbox.cli import templates
from hyperbox.cli.image_transfer import auth_for, user_reference
from hyperbox.cli.output import indented_json, tabulate
from hyperbox.cli.templates_functions import FUNCTIONS
from hyperbox.cli.templates_types import typed
from hyperbox.cli.templates_values import plain
from hyperbox.errors import EngineError, ExitStatus, HyperBoxError
from hyperbox.grammar.values import words_of
from hyperbox.image.reference import Reference, is_digest
from hyperbox.image.remote import Manifest, Remote, child, combined, platform_of, platform_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hyperbox.cli.build_progress import Printer
    from hyperbox.grammar.parse import Invocation
    from hyperbox.image.store import ImageStore

    Json = dict[str, object]
    Source = tuple[Json, Manifest]

# what a template sees: Go's names, and the order of the image specification's JSON
TYPES = {
    "Input": (
        "imagetools.tplInput",
        "Name=name Manifest=manifest:Descriptor Image=image:Image Provenance:Nothing SBOM:Nothing",
    ),
    "Inputs": (
        "imagetools.tplInput",
        "Name=name Manifest=manifest:Index Image=image:map[string]*v1.Image!{}Image Provenance:Nothing SBOM:Nothing",
    ),
    "Nothing": ("struct {}", ""),
    "Descriptor": (
        "v1.Descriptor",
        "MediaType=mediaType Digest=digest Size=size:i URLs=urls:[]s Annotations=annotations:{}s Platform=platform:*Platform",
    ),
    "Index": (
        "imagetools.index",
        "SchemaVersion=schemaVersion:i MediaType=mediaType Digest=digest Size=size:i Manifests=manifests:[]Descriptor"
        " Annotations=annotations:{}s",
    ),
    "Platform": (
        "v1.Platform",
        "Architecture=architecture OS=os OSVersion=os.version OSFeatures=os.features:[]s Variant=variant",
    ),
    "Image": (
        "v1.Image",
        "Created=created:t Author=author Architecture=architecture OS=os OSVersion=os.version OSFeatures=os.features:[]s"
        " Variant=variant Config=config:Config RootFS=rootfs:RootFS History=history:[]History",
    ),
    "Config": (
        "v1.ImageConfig",
        "User ExposedPorts:{}e Env:[]s Entrypoint:[]s Cmd:[]s Volumes:{}e WorkingDir Labels:{}s StopSignal ArgsEscaped:b",
    ),
    "RootFS": ("v1.RootFS", "Type=type DiffIDs=diff_ids:[]s"),
    "History": (
        "v1.History",
        "Created=created:t CreatedBy=created_by Author=author Comment=comment EmptyLayer=empty_layer:b",
    ),
}
KINDS = {"config": "Config", "rootfs": "RootFS"}
FAILED = "failed to parse source {}, valid sources are digests, references and descriptors: {}"


def _remote(invocation: Invocation) -> Remote:
    from hyperbox.cli import builder_store

    builder_store.chosen(invocation)  # one that is not there is an error
    return Remote(lambda domain: auth_for(invocation, domain))


def _reference(text: str) -> Reference:
    try:
        return user_reference(text).with_tag()
    except HyperBoxError as error:
        raise HyperBoxError(f"ERROR: {error.message}") from None


# --- inspect ------------------------------------------------------------------------------------------------------------------
def inspect(invocation: Invocation) -> int:
    """`docker buildx imagetools inspect`."""
    flags = invocation.flags
    template = str(flags["format"])
    remote = _remote(invocation)
    reference = _reference(invocation.arguments[0])
    try:
        manifest = remote.fetch(reference)
        if flags["raw"]:
            sys.stdout.buffer.write(manifest.data)
        elif not template or template == "{{.Manifest}}":
            sys.stdout.write(layout(reference, manifest))
        else:
            _show(remote, manifest, template)
    except EngineError as error:
        raise HyperBoxError(f"ERROR: {error.message}") from None
    finally:
        remote.close()
    return 0


def layout(reference: Reference, manifest: Manifest) -> str:
    """Return buildx's own layout of a manifest or an index."""
    rows = [f"Name:\t{reference.canonical}", f"MediaType:\t{manifest.media_type}", f"Digest:\t{manifest.digest}"]
    if not manifest.is_index:
        return _aligned(rows)
    out = _aligned([*rows, "\t", "Manifests:\t"])
    rows = []
    for number, entry in enumerate(manifest.manifests()):
        rows += ["\t"] if number else []
        name = f"{reference.canonical.partition('@')[0]}@{entry['digest']}"
        rows += [f"  Name:\t{name}", f"  MediaType:\t{entry.get('mediaType')}"]
        if entry.get("platform"):
            rows.append(f"  Platform:\t{platform_text(entry['platform'])}")
        annotations = entry.get("annotations")
        if isinstance(annotations, dict) and annotations:
            out += _aligned([*rows, "  Annotations:\t"])
            out += _aligned([f"    {key}:\t{annotations[key]}" for key in sorted(annotations)])
            rows = []
    return out + _aligned(rows)


def _aligned(rows: Sequence[str]) -> str:
    return tabulate("".join(f"{row}\n" for row in rows), min_width=0, padding=1)


def _show(remote: Remote, manifest: Manifest, template: str) -> None:
    try:
        parsed = templates.parse(template)
    except templates.ParseError as error:
        raise HyperBoxError(f"ERROR: {error}") from None
    value: Json = {"name": manifest.reference.canonical, "manifest": manifest.descriptor}
    if manifest.is_index:
        descriptor = manifest.descriptor
        value["manifest"] = {
            "schemaVersion": 2,
            **{key: descriptor[key] for key in ("mediaType", "digest", "size")},
            "manifests": manifest.manifests(),
            **{key: manifest.document[key] for key in ("annotations",) if manifest.document.get(key)},
        }
        # attestations are no images: their platform is unknown
        images = [(entry, image) for entry, image in remote.images(manifest) if _is_image(entry)]
        value["image"] = {platform_text(entry.get("platform")): _image(remote, image) for entry, image in images}
    else:
        value["image"] = _image(remote, manifest)
    record = typed("Inputs" if manifest.is_index else "Input", value, types=TYPES)
    functions = {**FUNCTIONS, "json": (lambda item: indented_json(plain(item), indent="  "), ("any",))}
    try:
        sys.stdout.write(templates.execute(parsed, record, functions=functions))
    except templates.ExecuteError as error:
        raise HyperBoxError(f"ERROR: {error}") from None


def _is_image(descriptor: Json) -> bool:
    return not platform_text(descriptor.get("platform")).startswith("unknown/")


def _image(remote: Remote, manifest: Manifest) -> Json:
    return _in_order("Image", remote.configuration(manifest))


def _in_order(kind: str, value: Json) -> Json:
    """Return a record with the fields of its type only, in the type's order, without those that are empty."""
    names = [field.partition(":")[0].rpartition("=")[2] for field in TYPES[kind][1].split()]
    kept: Json = {}
    for name in names:
        item = value.get(name)
        if isinstance(item, dict) and name in KINDS:
            item = _in_order(KINDS[name], item)
        if item or name in KINDS:
            kept[name] = item if item is not None else {}
    return kept


# --- create -----------------------------------------------------------------------------------------------------------------------
def create(invocation: Invocation) -> int:
    """`docker buildx imagetools create`."""
    from hyperbox.cli.build import progress_mode
    from hyperbox.cli.build_progress import printer

    flags = invocation.flags
    sources = [*_from_files(words_of(flags["file"])), *invocation.arguments]
    if not sources:
        raise HyperBoxError("ERROR: no sources specified")
    tags = words_of(flags["tag"])
    if not tags and not flags["dry-run"]:
        raise HyperBoxError("ERROR: can't push with no tags specified, please set --tag or --dry-run")
    targets = [_reference(tag) for tag in tags]
    remote = _remote(invocation)
    try:
        found = _found(invocation, remote, [_source(text, targets) for text in sources], targets)
        data, media_type = _result(invocation, found)
        if flags["dry-run"]:
            sys.stdout.write(data.decode("utf-8", "replace") + "\n")
            return 0
        shown = printer(progress_mode(str(flags["progress"])), sys.stderr, None, quiet=False)
        _push(invocation, remote, found, targets, (data, media_type), shown)
    except EngineError as error:
        raise HyperBoxError(f"ERROR: {error.message}") from None
    finally:
        remote.close()
    return 0


def _from_files(paths: Sequence[str]) -> list[str]:
    """Return the sources in --file's files, one in each. Raises HyperBoxError."""
    from hyperbox.files import read_text

    found = []
    for path in paths:
        try:
            text = read_text(path).strip()
        except OSError as error:
            raise HyperBoxError(f"ERROR: open {path}: {(error.strerror or str(error)).lower()}") from None
        found.append(text)
    return found


def _source(text: str, targets: Sequence[Reference]) -> tuple[Reference, Json]:
    """Return (reference, what of the descriptor is given) of a source. Raises HyperBoxError with buildx's words."""
    given: Json = {}
    if text.startswith("{"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise HyperBoxError(f"ERROR: {FAILED.format(json.dumps(text), error)}") from None
        given = value if isinstance(value, dict) else {}
        text = str(given.get("digest") or "")
    if is_digest(text):
        if not targets:
            raise HyperBoxError("ERROR: no repositories specified, please set a reference in tag or source")
        if len({target.repository for target in targets}) > 1:
            raise HyperBoxError("ERROR: multiple repositories currently not supported, found in tags")
        return Reference(targets[0].domain, targets[0].path, "", text), given
    try:
        return user_reference(text).with_tag(), given
    except HyperBoxError as error:
        raise HyperBoxError(f"ERROR: {FAILED.format(json.dumps(text), error.message)}") from None


class Found:
    """What the sources are: each manifest with its descriptor and the reference it was named by, and the one that was named alone."""

    def __init__(self) -> None:
        self.entries: list[tuple[Json, Reference]] = []
        self.only: Manifest | None = None

    def add(self, remote: Remote, manifest: Manifest, given: Json) -> None:
        """Add a source's manifests."""
        entries = manifest.manifests() if manifest.is_index else [each for each, _ in remote.images(manifest)]
        for descriptor in entries:
            keys = () if manifest.is_index else ("annotations", "platform")
            changed: Json = {key: given[key] for key in keys if key in given}
            self.entries.append(({**descriptor, **changed}, manifest.reference))


def _found(
    invocation: Invocation, remote: Remote, sources: Sequence[tuple[Reference, Json]], targets: Sequence[Reference]
) -> Found:
    found = Found()
    flags = invocation.flags
    manifests = [(remote.fetch(reference), given) for reference, given in sources]
    if flags["append"] and targets:
        manifests.insert(0, (remote.fetch(targets[0]), {}))
    for manifest, given in manifests:
        found.add(remote, manifest, given)
    if len(manifests) == 1 and not manifests[0][1]:
        found.only = manifests[0][0]
    return found


def _result(invocation: Invocation, found: Found) -> tuple[bytes, str]:
    """Return what is pushed, and its media type: one source as it is where nothing changes it, else an index of all."""
    flags = invocation.flags
    annotations = _annotations(words_of(flags["annotation"]))
    platforms = _platforms(words_of(flags["platform"]))
    only = found.only
    as_it_is = only is not None and (only.is_index or not flags["prefer-index"])
    if only is not None and as_it_is and not platforms and not annotations:
        return only.data, only.media_type
    if platforms:
        found.entries = [entry for entry in found.entries if platform_text(entry[0].get("platform")) in platforms]
        if not found.entries:
            raise HyperBoxError("ERROR: none of the manifests match the provided platforms")
    return combined([descriptor for descriptor, _ in found.entries], annotations)


def _platforms(words: Sequence[str]) -> list[str]:
    from hyperbox.image.platform import parse_platform

    found = []
    for word in (part for text in words for part in text.split(",")):
        try:
            system, architecture, variant = parse_platform(word)
        except ValueError as error:
            raise HyperBoxError(f"ERROR: {error}") from None
        found.append(platform_text(platform_of({"os": system, "architecture": architecture, "variant": variant})))
    return found


def _annotations(words: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return --annotation's (kind, key, value); the kind is what stands before the key's colon. Raises HyperBoxError."""
    found = []
    for word in words:
        head, equals, value = word.partition("=")
        if not equals:
            raise HyperBoxError(f'ERROR: failed to parse annotations: invalid annotation "{word}", expected key=value')
        kind, _, key = head.rpartition(":")
        found.append((kind, key, value))
    return found


def _push(
    invocation: Invocation,
    remote: Remote,
    found: Found,
    targets: Sequence[Reference],
    result: tuple[bytes, str],
    shown: Printer,
) -> None:
    """Bring the manifests and the result to each target, and tell how it goes. Raises HyperBoxError."""
    from hyperbox.build.api import Vertex
    from hyperbox.cli.connect import native_engine

    store = native_engine().store
    for number, target in enumerate(targets):
        begun = time.time()
        vertex = Vertex(str(number), f"[internal] pushing {target.canonical}", started=begun)
        shown.event(vertex)
        try:
            _push_one(remote, store, found, target, result, (shown, vertex))
        except HyperBoxError as error:
            shown.event(vertex._replace(completed=time.time(), error=error.message))
            shown.close()
            print(f"ERROR: {error.message}", file=sys.stderr)
            raise ExitStatus(1) from None
        shown.event(vertex._replace(completed=time.time()))
    shown.close()


def _push_one(
    remote: Remote,
    store: ImageStore,
    found: Found,
    target: Reference,
    result: tuple[bytes, str],
    progress: tuple[Printer, object],
) -> None:
    from hashlib import sha256

    from hyperbox.build.api import Log, Vertex

    shown, vertex = progress
    assert isinstance(vertex, Vertex)

    def tell(text: str) -> None:
        shown.event(Log(vertex.digest, 2, f"{text}\n".encode(), time.time()))

    data, media_type = result
    source = None
    for descriptor, named in found.entries:
        tell(f"copying {descriptor['digest']} from {named.canonical} to {target.canonical}")
    for descriptor, named in found.entries:
        source = named
        if named.repository != target.repository:
            remote.copy(store, remote.fetch(child(named, descriptor)), target)
    tell(f"pushing sha256:{sha256(data).hexdigest()} to {target.canonical}")
    remote.put(target, data, media_type, source)
