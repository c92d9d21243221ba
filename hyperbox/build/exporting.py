"""Outputs of a build: the image in the store with its names, archives of it, its files in a folder or a tar; pushes."""

from __future__ import annotations

import os

from hyperbox import files
from hyperbox.build.api import BuildFailed, BuildResult
from hyperbox.build.cache_transfer import inline_cache
from hyperbox.build.graph import fingerprint
from hyperbox.build.jobs import JobFailed
from hyperbox.engine.images import image_built
from hyperbox.errors import HyperBoxError
from hyperbox.image import ingest
from hyperbox.image.reference import parse_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hyperbox.build.api import Output
    from hyperbox.build.cache import Snapshot
    from hyperbox.build.jobs import Child
    from hyperbox.build.solver import Build
    from hyperbox.build.stages import Stage
    from hyperbox.image.reference import Reference

    Json = dict[str, object]

# kind -> the attributes that an output may have
ATTRIBUTES = {
    "image": {"name", "push", "rewrite-timestamp", "oci-mediatypes", "unpack", "store"},
    "local": {"platform-split", "rewrite-timestamp"},
    "tar": {"platform-split", "rewrite-timestamp"},
    "oci": {"name", "tar", "rewrite-timestamp", "oci-mediatypes"},
    "docker": {"name", "rewrite-timestamp"},
}
NOT_FALSE = {"tar": "true", "oci-mediatypes": "", "platform-split": "", "unpack": "", "store": "true"}


class Exporter:
    """Makes the outputs of one build from its stage and layers."""

    def __init__(self, build: Build, stage: Stage, snapshot: Snapshot) -> None:
        self.build = build
        self.stage = stage
        self.snapshot = snapshot
        self.store = build.store
        self.progress = build.progress
        self.epoch = build.planner.epoch if build.planner is not None else None

    async def run(self) -> BuildResult:
        """Make all outputs. Raises BuildFailed."""
        result = BuildResult("", "", (), ())
        for number, output in enumerate(self.build.request.outputs):
            check(output)
            vertex = fingerprint(["export", self.stage.node.digest, number])
            try:
                if output.kind == "image":
                    result = await self.image(output, vertex)
                elif output.kind == "local":
                    await self.local(output, vertex)
                elif output.kind == "tar":
                    await self.tar(output, vertex)
                else:
                    await self.archive(output, vertex)
            except (HyperBoxError, OSError) as error:
                text = error.message if isinstance(error, HyperBoxError) else _reason(error)
                self.progress.end(vertex, error=text.removeprefix("failed to solve: "))
                raise BuildFailed(f"failed to solve: {text.removeprefix('failed to solve: ')}", vertex=vertex) from None
        return result

    def names(self, output: Output) -> list[Reference]:
        """Return the names that the image gets, each once."""
        given = [*self.build.request.tags, *(name for name in output.get("name").split(",") if name)]
        return list({str(name): name for name in (parse_reference(each).with_tag() for each in given)}.values())

    # --- the image ---
    async def image(self, output: Output, vertex: str) -> BuildResult:
        """Put the image into the store, give it its names, push them where wanted."""
        self.progress.start(vertex, "exporting to image")
        self.progress.status(vertex, "exporting layers")
        image_id, manifest = await self.record(output)
        names = self.names(output)
        self.progress.status(vertex, f"writing image {image_id}")
        for name in names:
            self.store.set_name(name, image_id)
            self.progress.status(vertex, f"naming to {name.repository}{'' if name.tag == 'latest' else ':' + name.tag}")
        image_built(self.build.roots, self.store, image_id, [str(name) for name in names])
        if output.get("push") == "true":
            await self.push(names, vertex)
        self.progress.end(vertex)
        return BuildResult(image_id, manifest, tuple(name.canonical for name in names), ())

    async def record(self, output: Output) -> tuple[str, str]:
        """Record the image over its layers; returns (its id, its manifest's digest)."""
        layers = list(zip(self.snapshot.diff_ids, self.snapshot.times, strict=True))
        if output.get("rewrite-timestamp") == "true":
            layers = await self._rewritten(layers)
        document = self.stage.draft.document(layers, self.epoch)
        document.update(inline_cache(self.build, [diff_id for diff_id, _ in layers]))
        with self.store.shared_lock():
            return self._record(document)

    def _record(self, document: Json) -> tuple[str, str]:
        store = self.store
        config_bytes = files.dumps(document).encode()
        image_id = ingest.add_bytes(store, config_bytes)
        rootfs = document["rootfs"]
        assert isinstance(rootfs, dict)
        digests = [str(store.layer_record(str(diff_id))["blob"]) for diff_id in rootfs["diff_ids"]]
        manifest = ingest.add_bytes(store, ingest.manifest_bytes(store, image_id, len(config_bytes), digests))
        store.write_record(image_id, manifest, digests, durable=False)
        return image_id, manifest

    async def _rewritten(self, layers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return the layers with no file younger than SOURCE_DATE_EPOCH; a base image's own stay as they are."""
        if self.epoch is None:
            raise BuildFailed("failed to solve: rewrite-timestamp needs SOURCE_DATE_EPOCH to be set")
        epoch = self.epoch

        def action(child: Child, diff_id: str) -> Json:
            return {"DiffId": rewrite_layer(self.build, diff_id, epoch)}

        result = []
        for diff_id, created in layers:
            if created:
                answer = await self.build.runner.start(
                    lambda child, diff_id=diff_id: action(child, diff_id),  # type: ignore[misc]
                    lambda message: None,
                )
                diff_id = str(answer["DiffId"])
            result.append((diff_id, created))
        return result

    async def push(self, names: list[Reference], vertex: str) -> None:
        """Push every name. Raises JobFailed with the registry's words."""
        if not names:
            raise BuildFailed("failed to solve: tag is needed when pushing to registry")
        for name in names:
            auth = self.build.request.credentials(name.domain)

            def action(child: Child, name: Reference = name, auth: Json | None = auth) -> Json:
                from hyperbox.image.push import image_push

                try:
                    image_push(self.store, name.canonical, auth=auth)
                except HyperBoxError as error:
                    raise JobFailed(f"failed to push {name.canonical}: {error.message}") from None
                return {}

            self.progress.status(vertex, f"pushing {name.canonical}", done=False)
            await self.build.runner.start(action, lambda message: None)
            self.progress.status(vertex, f"pushing {name.canonical}")

    # --- its files ---
    async def local(self, output: Output, vertex: str) -> None:
        """Copy the files into a folder of the host."""
        self.progress.start(vertex, "exporting to client directory")
        answer = await self.build.runner.start(
            lambda child: local_job(self.build, self.snapshot.diff_ids, output.destination), lambda message: None
        )
        self.progress.status(vertex, f"copying files {answer['Bytes']}B")
        self.progress.end(vertex)

    async def tar(self, output: Output, vertex: str) -> None:
        """Write the files as one tar."""
        self.progress.start(vertex, "exporting to client tarball")
        with Destination(self.build, output) as destination:
            await self.build.runner.start(
                lambda child: tar_job(self.build, self.snapshot.diff_ids, destination.descriptor),
                lambda message: None,
                keep_open=(destination.descriptor,),
            )
        self.progress.status(vertex, "sending tarball")
        self.progress.end(vertex)

    async def archive(self, output: Output, vertex: str) -> None:
        """Write the image as an archive that `load` and OCI tools read; the store keeps nothing of it that it did not have."""
        from hyperbox.image.saving import image_save

        self.progress.start(vertex, f"exporting to {output.kind} image format")
        known = set(self.store.image_ids())
        image_id, _ = await self.record(output)
        names = self.names(output)
        before = {str(name): self.store._by_name(name) for name in names}
        try:
            for name in names:
                self.store.set_name(name, image_id)
            with Destination(self.build, output) as destination:
                chunks = image_save(self.store, [str(name) for name in names] or [image_id])
                write_chunks(destination.descriptor, chunks)
        finally:
            self._forget(image_id, names, before, known)
        self.progress.status(vertex, "sending tarball")
        self.progress.end(vertex)

    def _forget(self, image_id: str, names: list[Reference], before: dict[str, str | None], known: set[str]) -> None:
        for name in names:
            previous = before[str(name)]
            if previous is None:
                self.store.remove_name(name)
            else:
                self.store.set_name(name, previous)
        if image_id not in known:
            files.remove_tree(self.store.record_path(image_id))


def check(output: Output) -> None:
    """Raise BuildFailed for an output, or an attribute of one, that is not there."""
    if output.kind not in ATTRIBUTES:
        raise BuildFailed(f"failed to solve: output type {output.kind} is not supported")
    for name, value in output.attributes:
        if name not in ATTRIBUTES[output.kind] or (NOT_FALSE.get(name) and value != NOT_FALSE[name]):
            raise BuildFailed(f"failed to solve: {name}={value} is not supported for output type {output.kind}")
    if output.kind != "image" and not output.destination:
        raise BuildFailed(f"failed to solve: dest is required for {output.kind} exporter")


class Destination:
    """`with Destination(build, output):` the descriptor to write an archive to; a file appears when it is complete, a device is written to."""

    def __init__(self, build: Build, output: Output) -> None:
        self.path = "" if output.destination == "-" else os.path.realpath(output.destination)
        is_device = os.path.exists(self.path) and not os.path.isfile(self.path)
        self.temporary = self.path if is_device else f"{self.path}.tmp.{os.getpid()}"
        self.descriptor = build.request.stdout

    def __enter__(self) -> Destination:
        if self.path:
            self.descriptor = os.open(self.temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if not self.path:
            return
        os.close(self.descriptor)
        if self.temporary == self.path:
            return
        if error is None:
            os.rename(self.temporary, self.path)
        else:
            files.remove_tree(self.temporary)


def write_chunks(descriptor: int, chunks: Iterable[bytes]) -> None:
    """Write all of an iterator."""
    for chunk in chunks:
        files.write_all(descriptor, chunk)


def local_job(build: Build, diff_ids: tuple[str, ...], destination: str) -> Json:
    """Copy the files of layers into a folder, made where it is missing; all of them become this user's. Returns {"Bytes"}."""
    from hyperbox.build.copying import Copier
    from hyperbox.build.tree import Root
    from hyperbox.build.workspace import Workspace

    os.makedirs(destination, 0o755, exist_ok=True)
    work = Workspace(build.store)
    try:
        root = Root(work.mount(diff_ids))
        copier = Copier(destination, (os.geteuid(), os.getegid()), "", None, owned=False)
        match = root.find("/")
        size = sum(entry.status.st_size for entry in root.walk(match) if not entry.is_folder)
        copier.match(root, match, "/")
        match.close()
        copier.finish()
        return {"Bytes": size}
    finally:
        work.close()


def tar_job(build: Build, diff_ids: tuple[str, ...], descriptor: int) -> Json:
    """Write the files of layers as one tar."""
    from hyperbox.build.workspace import Workspace
    from hyperbox.image.layer import layer_chunks

    work = Workspace(build.store)
    try:
        write_chunks(descriptor, layer_chunks(work.mount(diff_ids)))
        return {}
    finally:
        work.close()


def rewrite_layer(build: Build, diff_id: str, epoch: int) -> str:
    """Return a layer of the same files, none of them younger than `epoch`; made where the store does not have it."""
    from hyperbox.image.layer import layer_chunks

    store = build.store
    with store.shared_lock():
        chunks = layer_chunks(store.layer_folder(diff_id), newest=epoch)
        digest, _ = ingest.add_stream(store, ingest.Chunks(chunks))
        build.cache.lease.hold(digest)
        return ingest.add_layer(store, digest)


def _reason(error: OSError) -> str:
    reason = (error.strerror or "").lower()
    return f"{error.filename}: {reason}" if error.filename else reason
