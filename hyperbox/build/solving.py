"""Keys and results of a graph's nodes, each at most once in a build: looked up where the cache has them, made by jobs where not.

A node's *key* is made of its operation and the keys of its inputs; where it takes files from elsewhere (COPY, a bind mount), of the digests of those
files in place of their origin's key. Such a key can need a result first. So there is also its key by definition, and the cache remembers which
key that led to: a build in which nothing changed computes no digest of a stage's files.
"""

from __future__ import annotations

import os

from hyperbox.build import graph
from hyperbox.build.cache import Snapshot
from hyperbox.build.graph import fingerprint
from hyperbox.build.jobs import JobFailed
from hyperbox.build.steps import Place, copy_job, digest_job, folder_job
from hyperbox.go.text import quote
from hyperbox.image.ingest import now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.build.cache_transfer import Imported
    from hyperbox.build.graph import Node
    from hyperbox.build.jobs import Action, Task
    from hyperbox.build.progress import Progress
    from hyperbox.build.solver import Build

    Json = dict[str, object]


class StepFailed(Exception):
    """A node could not be solved: `message` is BuildKit's final one, `error` what stands at the vertex."""

    def __init__(self, node: Node, message: str, error: str, code: int = 1) -> None:
        super().__init__(message)
        self.node = node
        self.message = message
        self.error = error
        self.code = code


class Solving:
    """The state of one build's solution."""

    def __init__(self, build: Build) -> None:
        self.build = build
        self.roots = build.roots
        self.store = build.store
        self.cache = build.cache
        self.runner = build.runner
        self.progress = build.progress
        self.request = build.request
        self.contexts = build.contexts
        self.imported: list[Imported] = []
        self.keys: dict[str, Task] = {}
        self.quick: dict[str, Task] = {}
        self.results: dict[str, Task] = {}
        self.digests: dict[tuple[str, ...], Task] = {}
        self.fetched: dict[str, str] = {}

    # --- keys ---
    async def key(self, node: Node) -> str:
        """Return a node's key."""
        task = self.keys.get(node.digest)
        if task is None:
            task = self.keys[node.digest] = self.runner.task(self._key(node))
        return str(await task)

    async def quick_key(self, node: Node) -> str:
        """Return a node's key where no step has to be done for it (contexts may be read), else ""."""
        operation = node.operation
        if isinstance(operation, graph.ImageBase):
            return image_key(operation)
        if node.ignore_cache or isinstance(operation, (graph.Files, graph.Download, graph.Clone)):
            return ""  # what an ignored step leads to may be another result than the one that is known
        if isinstance(operation, graph.Tree):
            return await self.key(node)
        task = self.quick.get(node.digest)
        if task is None:
            task = self.quick[node.digest] = self.runner.task(self._quick_key(node))
        return str(await task)

    async def _quick_key(self, node: Node) -> str:
        base = await self.quick_key(node.inputs[0])
        if not base:
            return ""
        if all(isinstance(each.operation, (graph.Files, graph.Tree)) for each in node.inputs[1:]):
            return await self.key(node)
        inputs = [base, *[await self.quick_key(each) for each in node.inputs[1:]]]
        return self.alias(fingerprint([operation_identity(node.operation), inputs])) if all(inputs) else ""

    def alias(self, definition: str) -> str:
        """Return the key that a definition led to and that some cache has a record of, else ""."""
        known = self.cache.alias(definition)
        if known and self.cache.contains(known):
            return known
        for cache in self.imported:
            if definition in cache.aliases:
                return cache.aliases[definition]
        return ""

    async def _key(self, node: Node) -> str:
        operation = node.operation
        if isinstance(operation, graph.ImageBase):
            return image_key(operation)
        if isinstance(operation, (graph.Download, graph.Clone)):
            await self.result(node)
            return self.fetched[node.digest]
        if isinstance(operation, graph.Files):
            return ""  # its files count one by one
        if isinstance(operation, graph.Tree):
            digests = await self.digest(node, [(node.inputs[0], "/")], ())
            return fingerprint(["tree", digests])
        if not has_sources(operation):
            return fingerprint([operation_identity(operation), [await self.key(each) for each in node.inputs]])
        return await self._key_by_content(node)

    async def _key_by_content(self, node: Node) -> str:
        """The key of a COPY, or of a RUN that mounts files."""
        operation = node.operation
        if not await self.quick_key(node.inputs[0]):
            # nothing can be found by definition: the sources' results are needed in any case
            for each in node.inputs[1:]:
                if not isinstance(each.operation, (graph.Files, graph.Tree)):
                    self.begin(each)
        base = await self.key(node.inputs[0])
        definition = ""
        others = [await self.quick_key(each) for each in node.inputs[1:]]
        if all(others) or not others:
            definition = fingerprint([operation_identity(operation), [base, *others]])
            known = self.alias(definition)
            if known and not node.ignore_cache:
                self.build.aliases[definition] = known
                return known
        digests = await self.digest(node, wanted_digests(node), getattr(operation, "exclude", ()))
        key = fingerprint([operation_identity(operation), base, digests])
        if not definition and not any(isinstance(each.operation, graph.Files) for each in node.inputs):
            origins = [await self.key(each) for each in node.inputs]  # known by now: their files were looked at
            definition = fingerprint([operation_identity(operation), origins])
        if definition:
            self.cache.set_alias(definition, key)
            self.build.aliases[definition] = key
        return key

    async def digest(self, node: Node, wanted: list[tuple[Node, str]], exclude: tuple[str, ...]) -> object:
        """Return the digests of files of other nodes. Raises StepFailed where one is missing."""
        # a context's tree is its files: no layer of them is needed to know what they are
        wanted = [(each.inputs[0] if isinstance(each.operation, graph.Tree) else each, path) for each, path in wanted]
        sources = list(dict.fromkeys(each for each, _ in wanted))
        places = [await self.place(each) for each in sources]
        any_depth = isinstance(node.operation, graph.Copy) and node.operation.parents
        pairs = [(sources.index(each), pattern) for each, pattern in wanted]
        self._load_contexts(sources)
        try:
            answer = await self.runner.start(
                lambda child: digest_job(child, self.store, places, pairs, exclude, any_depth=any_depth),
                lambda message: None,
            )
        except JobFailed as error:
            self._loaded_contexts(sources, 0)
            raise self._missing(node, error, sources[error.code]) from None
        self._loaded_contexts(sources, int(str(answer["Bytes"])))
        return answer["Digests"]

    def _load_contexts(self, sources: list[Node]) -> None:
        for each in sources:
            if isinstance(each.operation, graph.Files):
                self.progress.start(each.digest, each.name)

    def _loaded_contexts(self, sources: list[Node], size: int) -> None:
        for each in sources:
            if isinstance(each.operation, graph.Files) and not self.progress.ended(each.digest):
                self.progress.status(each.digest, "transferring context:", size)
                self.progress.end(each.digest)

    async def place(self, node: Node) -> Place:
        """Return where a source's files are, its result made first."""
        if isinstance(node.operation, graph.Files):
            return self.contexts[node.operation.context].place
        return Place(diff_ids=(await self.result(node)).diff_ids)

    # --- results ---
    def begin(self, node: Node) -> Task:
        """Begin to solve a node; an error comes out where its result is awaited."""
        task = self.results.get(node.digest)
        if task is None:
            task = self.results[node.digest] = self.runner.task(self._result(node))
        return task

    async def result(self, node: Node) -> Snapshot:
        """Return a node's layers."""
        snapshot = await self.begin(node)
        assert isinstance(snapshot, Snapshot)
        return snapshot

    async def _result(self, node: Node) -> Snapshot:
        operation = node.operation
        if isinstance(operation, graph.ImageBase):
            if not self.cache.hold(operation.diff_ids):
                raise StepFailed(node, f"layers of the image {operation.image_id} are missing", "missing layers")
            if node.name.startswith("[") and not node.name.startswith("[context"):
                self.progress.announce(node.digest, node.name)
                self.progress.end(node.digest)
            return Snapshot(operation.diff_ids, ("",) * len(operation.diff_ids))
        if isinstance(operation, (graph.Download, graph.Clone)):
            return await self._fetched(node)
        if has_sources(operation) and await self._is_new(node):
            self.begin(node.inputs[0])  # side by side with its sources
        key = await self.key(node)
        found = None if node.ignore_cache else await self._find(key, node)
        if found is None:
            found = await self._make(node, key)
        else:
            self.cached(node)
        self.build.solved[key] = found
        return found

    async def _is_new(self, node: Node) -> bool:
        """Return whether no cache can have a node, whatever its sources hold."""
        base = await self.quick_key(node.inputs[0])
        if node.ignore_cache:
            return True
        return bool(base) and not self.imported and not self.cache.alias(self._seen(node, base))

    def _seen(self, node: Node, base: str) -> str:
        return fingerprint(["seen", operation_identity(node.operation), base])

    async def _find(self, key: str, node: Node) -> Snapshot | None:
        """Return the layers of a key, of our own cache or of one that was imported."""
        found = self.cache.find(key)
        if found is not None:
            return found
        for cache in self.imported:
            snapshot = cache.records.get(key)
            if snapshot is not None:
                from hyperbox.build.cache_transfer import bring

                if await bring(self.build, cache, snapshot):
                    size = int(str(self.store.layer_record(snapshot.diff_ids[-1])["size"])) if snapshot.diff_ids else 0
                    self.cache.keep(key, snapshot, description(node), size)
                    return snapshot
        return None

    def cached(self, node: Node) -> None:
        """Tell that the cache had a node, and with it all that led to it."""
        for each in graph.ancestors(node):
            if (
                each.name == "scratch"
                or isinstance(each.operation, (graph.Files, graph.Tree))
                or self.progress.ended(each.digest)
            ):
                continue
            if each is not node and each.digest in self.results and not isinstance(each.operation, graph.ImageBase):
                continue
            self.progress.announce(each.digest, each.name)
            self.progress.end(each.digest, cached=not isinstance(each.operation, graph.ImageBase))

    async def _make(self, node: Node, key: str) -> Snapshot:
        """Do a node's operation and keep its result."""
        operation = node.operation
        base = Snapshot() if isinstance(operation, graph.Tree) else await self.result(node.inputs[0])
        quiet = isinstance(operation, graph.Tree) or node.name == INLINE
        if not isinstance(operation, graph.Tree):
            self.progress.start(node.digest, node.name)
        try:
            answer = await self._start(node, base)
        except JobFailed as error:
            raise self.failed(node, error) from None
        snapshot = base.over(str(answer["DiffId"]), now())
        if await self._unchanged(node, key):
            self.cache.keep(key, snapshot, description(node), int(str(answer["Size"])), internal=quiet)
            if has_sources(operation):
                self.cache.set_alias(self._seen(node, await self.key(node.inputs[0])), "seen")
        if not isinstance(operation, graph.Tree):
            self.progress.end(node.digest)
        return snapshot

    async def _unchanged(self, node: Node, key: str) -> bool:
        """Return whether a folder of the host still is what the key was made of; else the result must not be found by it."""
        watched = [each for each in node.inputs if isinstance(each.operation, graph.Files)]
        if not any(
            self.contexts[each.operation.context].known for each in watched if isinstance(each.operation, graph.Files)
        ):
            return True
        if isinstance(node.operation, graph.Tree):
            return fingerprint(["tree", await self.digest(node, [(node.inputs[0], "/")], ())]) == key
        digests = await self.digest(node, wanted_digests(node), getattr(node.operation, "exclude", ()))
        return fingerprint([operation_identity(node.operation), await self.key(node.inputs[0]), digests]) == key

    async def _start(self, node: Node, base: Snapshot) -> Json:
        """Run the job of a node."""
        operation = node.operation
        if isinstance(operation, graph.Run):
            return await self._run(node, operation, base)
        if isinstance(operation, graph.MakeFolder):
            folder = operation
            return await self._job(lambda child: folder_job(child, self.store, self.cache.lease, folder, base.diff_ids))
        if isinstance(operation, graph.Tree):
            places = [await self.place(node.inputs[0])]
            copy = WHOLE
        else:
            assert isinstance(operation, graph.Copy)
            copy = operation
            places = [await self.place(each) for each in node.inputs[1:]]
        return await self._job(lambda child: copy_job(child, self.store, self.cache.lease, copy, base.diff_ids, places))

    async def _job(self, action: Action) -> Json:
        return await self.runner.start(action, lambda message: None)

    async def _run(self, node: Node, operation: graph.Run, base: Snapshot) -> Json:
        from hyperbox.build.running import RunInputs, run_job
        from hyperbox.engine import transient

        mounted = {}
        for index, each in enumerate(node.inputs):
            if index:
                mounted[index] = (await self.result(each)).diff_ids
        inputs = RunInputs(base.diff_ids, mounted, node.proxies, self.request.secrets, self.request.agents)
        pairs = [os.pipe2(os.O_CLOEXEC) for _ in range(2)]
        writers = (pairs[0][1], pairs[1][1])
        output = StepOutput(self.progress, node.digest)
        streams = {reader: output.reader(number) for number, (reader, _) in enumerate(pairs, 1)}
        return await self.runner.start(
            lambda child: run_job(child, self.roots, self.store, self.cache.lease, operation, inputs, writers),
            output.message,
            streams,
            writers,
            lost=lambda: transient.sweep(self.roots),
        )

    async def _fetched(self, node: Node) -> Snapshot:
        """The layer of a download or a clone, which is asked for in every build: what came decides the key."""
        from hyperbox.build.fetching import clone_job, download_job

        operation = node.operation
        self.progress.start(node.digest, node.name)
        if isinstance(operation, graph.Download) and operation.checksum and not node.ignore_cache:
            key = fingerprint(["download", operation.name, operation.checksum])
            found = self.cache.find(key)
            if found is not None:
                self.fetched[node.digest] = key
                self.progress.end(node.digest, cached=True)
                return found
        try:
            if isinstance(operation, graph.Download):
                wanted = operation
                answer = await self._job(lambda child: download_job(child, self.store, self.cache.lease, wanted))
                key = fingerprint(["download", operation.name, answer["Content"]])
            else:
                assert isinstance(operation, graph.Clone)
                source = operation
                answer = await self._job(lambda child: clone_job(child, self.store, self.cache.lease, source))
                key = fingerprint(["clone", answer["DiffId"]])
        except JobFailed as error:
            raise self.failed(node, error) from None
        snapshot = Snapshot().over(str(answer["DiffId"]), now())
        self.fetched[node.digest] = key
        self.cache.keep(key, snapshot, node.name, int(str(answer["Size"])), internal=True)
        self.progress.end(node.digest)
        return snapshot

    def _missing(self, node: Node, error: JobFailed, source: Node) -> StepFailed:
        """Return the failure of a node of whose sources one is missing."""
        if error.kind != "missing":
            return self.failed(node, error)
        if isinstance(source.operation, graph.Files):
            return self.failed(node, error, f"failed to calculate checksum of ref {reference(source)}: {error.message}")
        path = error.message.partition('"')[2].partition('"')[0]
        return self.failed(node, JobFailed(f"lstat {path}: no such file or directory"))

    def failed(self, node: Node, error: JobFailed, words: str = "") -> StepFailed:
        """Return a node's failure in BuildKit's words, and tell it of the vertex."""
        text = words or error.message
        operation = node.operation
        if isinstance(operation, graph.Run) and error.kind == "exit":
            text = f"process {quote(' '.join(operation.arguments))} did not complete successfully: {error.message}"
        self.progress.announce(node.digest, node.name)
        self.progress.end(node.digest, error=text)
        return StepFailed(node, f"failed to compute cache key: {text}" if words else text, text, error.code or 1)


class StepOutput:
    """What a RUN writes. The runtime's own words before the process has started are not the step's, and are dropped."""

    __slots__ = ("digest", "early", "progress", "started")

    def __init__(self, progress: Progress, digest: str) -> None:
        self.progress = progress
        self.digest = digest
        self.early: list[tuple[int, bytes]] = []
        self.started = False

    def reader(self, stream: int) -> Callable[[bytes], None]:
        """Return what takes the bytes of one stream."""
        return lambda data: self._take(stream, data)

    def _take(self, stream: int, data: bytes) -> None:
        if self.started:
            self.progress.log(self.digest, stream, data)
        else:
            self.early.append((stream, data))

    def message(self, message: Json) -> None:
        """Take a message of the job: that the process runs, or what is to be told in its place."""
        if "started" in message:
            self.started = True
            for stream, data in self.early:
                self.progress.log(self.digest, stream, data)
        elif "log" in message:
            self.progress.log(self.digest, 2, str(message["log"]).encode("utf-8", "surrogateescape"))


INLINE = "[internal] preparing inline document"
WHOLE = graph.Copy((graph.From(1, "/"),), (), "/", "", "", False, (), None)


def image_key(operation: graph.ImageBase) -> str:
    """Return the key of a base image: that of its layers."""
    return fingerprint(["image", operation.diff_ids])


def operation_identity(operation: graph.Operation) -> list[object]:
    """Return what of an operation counts."""
    return [type(operation).__name__, operation]


def has_sources(operation: graph.Operation) -> bool:
    """Return whether files of other nodes count by their content."""
    if isinstance(operation, graph.Copy):
        return bool(operation.sources)
    return isinstance(operation, graph.Run) and any(mount.input >= 0 for mount in operation.mounts)


def wanted_digests(node: Node) -> list[tuple[Node, str]]:
    """Return (node, pattern) of the files that count for a node's key."""
    operation = node.operation
    if isinstance(operation, graph.Copy):
        return [
            (node.inputs[source.input], parents_pattern(source.path) if operation.parents else source.path)
            for source in operation.sources
        ]
    assert isinstance(operation, graph.Run)
    return [(node.inputs[mount.input], mount.source) for mount in operation.mounts if mount.input >= 0]


def parents_pattern(path: str) -> str:
    """Return a source of COPY --parents as a path, its pivot "/./" taken out."""
    return os.path.normpath("/" + path.replace("/./", "/").lstrip("/"))


def reference(node: Node) -> str:
    """Return the name under which BuildKit's messages speak of a context: a session's and a reference's, which mean nothing here."""
    digits = node.digest[7:]
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}::{digits[32:57]}"


def description(node: Node) -> str:
    """Return what `builder du` says of a node's result."""
    operation = node.operation
    if isinstance(operation, graph.Run):
        return f"mount / from exec {' '.join(operation.arguments)}"
    return node.name
