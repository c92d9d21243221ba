"""`docker manifest`: manifest lists made, annotated and shown here, and sent to a registry."""

from __future__ import annotations

import sys

from hyperbox.cli.configuration_file import folder
from hyperbox.cli.image_transfer import auth_for
from hyperbox.cli.output import indented_json
from hyperbox.errors import EngineError, HyperBoxError, NotFound
from hyperbox.image import manifest_lists
from hyperbox.image.manifest_lists import ManifestLists, normalized
from hyperbox.image.registry import Connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hyperbox.grammar.parse import Invocation
    from hyperbox.image.reference import Reference

    Json = dict[str, object]


def _lists(invocation: Invocation) -> ManifestLists:
    return ManifestLists(f"{folder(invocation)}/manifests")


def _connection(invocation: Invocation, reference: Reference, sources: Iterable[str] | None = None) -> Connection:
    auth = auth_for(invocation, reference.domain)
    insecure = bool(invocation.flags["insecure"])
    return Connection(manifest_lists.registry_for(reference, auth, insecure=insecure, sources=sources))


def _fetched(invocation: Invocation, reference: Reference) -> Json:
    """Return what a registry has under a reference, as an entry of a list. Raises HyperBoxError with docker's words."""
    connection = _connection(invocation, reference)
    try:
        return manifest_lists.entry_of(connection, reference, *manifest_lists.fetch(connection, reference))
    except EngineError as error:
        raise HyperBoxError(error.message) from None
    finally:
        connection.close()


def create(invocation: Invocation) -> int:
    """docker manifest create MANIFEST_LIST MANIFEST…"""
    name, *manifests = invocation.arguments
    try:
        target = normalized(name)
    except HyperBoxError as error:
        raise HyperBoxError(f"error parsing name for manifest list {name}: {error.message}") from None
    lists = _lists(invocation)
    try:
        lists.entries(target)
    except NotFound:
        pass
    else:
        if not invocation.flags["amend"]:
            raise HyperBoxError("refusing to amend an existing manifest list with no --amend flag")
    for text in manifests:
        reference = normalized(text)
        try:
            entry = lists.entry(target, reference)
        except NotFound:
            entry = _fetched(invocation, reference)
        lists.save(target, reference, entry)
    print(f"Created manifest list {target.canonical}")
    return 0


def annotate(invocation: Invocation) -> int:
    """docker manifest annotate MANIFEST_LIST MANIFEST"""
    name, manifest = invocation.arguments
    parsed = []
    for what, text in (("manifest list", name), ("manifest", manifest)):
        try:
            parsed.append(normalized(text))
        except HyperBoxError as error:
            raise HyperBoxError(f"annotate: error parsing name for {what} {text}: {error.message}") from None
    target, reference = parsed
    lists, flags = _lists(invocation), invocation.flags
    try:
        entry = lists.entry(target, reference)
    except NotFound:
        raise HyperBoxError(f"manifest for image {manifest} does not exist in {name}") from None
    platform = dict(manifest_lists.platform_of_entry(entry))
    for flag, key in (("os", "os"), ("arch", "architecture"), ("variant", "variant"), ("os-version", "os.version")):
        if flags[flag]:
            platform[key] = flags[flag]
    features, kept = flags["os-features"], platform.get("os.features")
    if isinstance(features, list) and features:
        platform["os.features"] = list(dict.fromkeys([*(kept if isinstance(kept, list) else []), *features]))
    if not manifest_lists.is_platform(str(platform.get("os", "")), str(platform.get("architecture", ""))):
        raise HyperBoxError(
            f"manifest entry for image has unsupported os/arch combination: {flags['os']}/{flags['arch']}"
        )
    lists.save(target, reference, manifest_lists.with_platform(entry, platform))
    return 0


def inspect(invocation: Invocation) -> int:
    """docker manifest inspect [MANIFEST_LIST] MANIFEST"""
    reference = normalized(invocation.arguments[-1])
    lists = _lists(invocation)
    if len(invocation.arguments) > 1:
        try:
            return _show(invocation, lists.entry(normalized(invocation.arguments[0]), reference))
        except NotFound as error:
            raise HyperBoxError(error.message) from None
    try:
        entries = lists.entries(reference)
    except NotFound:
        return _inspect_remote(invocation, reference)
    return _show_list(invocation, reference, entries)


def _inspect_remote(invocation: Invocation, reference: Reference) -> int:
    connection = _connection(invocation, reference)
    try:
        data, media_type = manifest_lists.fetch(connection, reference)
        if "manifests" not in manifest_lists.document_of(data, reference):
            return _show(invocation, manifest_lists.entry_of(connection, reference, data, media_type))
        return _show_list(invocation, reference, manifest_lists.entries_of_list(connection, reference, data))
    except EngineError as error:
        raise HyperBoxError(error.message) from None
    finally:
        connection.close()


def _show(invocation: Invocation, entry: Json) -> int:
    shown = entry if invocation.flags["verbose"] else entry.get("SchemaV2Manifest") or entry.get("OCIManifest")
    print(indented_json(shown, indent="\t"))
    return 0


def _show_list(invocation: Invocation, reference: Reference, entries: list[Json]) -> int:
    if invocation.flags["verbose"]:
        print(indented_json(entries, indent="\t"))
        return 0
    try:
        index = manifest_lists.index_of(entries, reference)
    except HyperBoxError as error:
        raise HyperBoxError(f"failed to assemble ManifestDescriptor: {error.message}") from None
    print(indented_json(index, indent="   "))
    return 0


def push(invocation: Invocation) -> int:
    """docker manifest push MANIFEST_LIST"""
    name = invocation.arguments[0]
    target = normalized(name)
    lists = _lists(invocation)
    try:
        entries = lists.entries(target)
    except NotFound as error:
        raise HyperBoxError(error.message) from None
    if not entries:
        raise HyperBoxError(f"{target.canonical} not found")
    connection = _connection(invocation, target, manifest_lists.sources_of(entries, target))
    try:
        print(manifest_lists.push(connection, target, entries, print))
    except EngineError as error:
        raise HyperBoxError(error.message) from None
    finally:
        connection.close()
    if invocation.flags["purge"]:
        lists.remove(target)
    return 0


def remove(invocation: Invocation) -> int:
    """docker manifest rm MANIFEST_LIST…"""
    lists = _lists(invocation)
    failures = []
    for name in invocation.arguments:
        try:
            lists.remove(normalized(name))
        except HyperBoxError as error:
            failures.append(error.message)
    for message in failures:
        print(message, file=sys.stderr)
    return 1 if failures else 0
