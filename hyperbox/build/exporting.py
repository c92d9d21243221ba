"""Outputs of a build: the image in the store, archives, folders; pushes."""

from __future__ import annotations

from hyperbox import files
from hyperbox.build.api import BuildFailed, BuildResult
from hyperbox.build.graph import fingerprint
from hyperbox.image import ingest
from hyperbox.image.reference import parse_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.build.api import Output
    from hyperbox.build.cache import Snapshot
    from hyperbox.build.solver import Build
    from hyperbox.build.solving import Solving
    from hyperbox.build.stages import Stage

    Json = dict[str, object]


async def export(build: Build, solving: Solving, stage: Stage, snapshot: Snapshot) -> BuildResult:
    """Make all outputs of a build. Raises BuildFailed."""
    result = BuildResult("", "", (), ())
    for output in build.request.outputs:
        if output.kind == "image":
            result = export_image(build, stage, snapshot, output)
        else:
            raise BuildFailed(f"failed to solve: output type {output.kind} is not supported")
    return result


def export_image(build: Build, stage: Stage, snapshot: Snapshot, output: Output) -> BuildResult:
    """Put the image into the store and give it its names."""
    vertex = fingerprint(["export", stage.node.digest])
    progress, store = build.progress, build.store
    progress.start(vertex, "exporting to image")
    progress.status(vertex, "exporting layers")
    epoch = build.planner.epoch if build.planner is not None else None
    document = stage.draft.document(list(zip(snapshot.diff_ids, snapshot.times, strict=True)), epoch)
    names = [parse_reference(tag).with_tag() for tag in [*build.request.tags, *named(output)]]
    with store.shared_lock():
        image_id, manifest = record_image(build, document)
        progress.status(vertex, f"writing image {image_id}")
        for name in dict.fromkeys(names):
            store.set_name(name, image_id)
            progress.status(vertex, f"naming to {name.canonical}")
    progress.end(vertex)
    return BuildResult(image_id, manifest, tuple(name.canonical for name in names), ())


def named(output: Output) -> list[str]:
    """Return the names that an output's attribute gives."""
    return [name for name in output.get("name").split(",") if name]


def record_image(build: Build, document: Json) -> tuple[str, str]:
    """Record an image over layers that are there; returns (its id, its manifest's digest). Call it with the store's lock held."""
    store = build.store
    config_bytes = files.dumps(document).encode()
    image_id = ingest.add_bytes(store, config_bytes)
    rootfs = document["rootfs"]
    assert isinstance(rootfs, dict)
    digests = [blob_of(build, str(diff_id)) for diff_id in rootfs["diff_ids"]]
    manifest = ingest.add_bytes(store, ingest.manifest_bytes(store, image_id, len(config_bytes), digests))
    store.write_record(image_id, manifest, digests)
    return image_id, manifest


def blob_of(build: Build, diff_id: str) -> str:
    """Return the digest of a layer's blob: as it was pulled, or its diff id where it was built here."""
    return str(build.store.layer_record(diff_id)["blob"])
