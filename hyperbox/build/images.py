"""Base images for a build: taken from the store, or pulled where they are not there (or are to be looked for anew)."""

from __future__ import annotations

from hyperbox.build.jobs import JobFailed
from hyperbox.build.stages import Base
from hyperbox.errors import HyperBoxError, NotFound
from hyperbox.go.text import quote
from hyperbox.image.reference import parse_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.build.api import BuildRequest
    from hyperbox.build.jobs import Child, Runner
    from hyperbox.build.progress import Progress
    from hyperbox.build.variables import Platform
    from hyperbox.image.reference import Reference
    from hyperbox.image.store import ImageStore

    Json = dict[str, object]


class BaseImages:
    """Resolves references, each once in a build."""

    def __init__(self, store: ImageStore, request: BuildRequest, runner: Runner, progress: Progress) -> None:
        self.store = store
        self.request = request
        self.runner = runner
        self.progress = progress
        self.found: dict[tuple[str, str], Base] = {}

    async def resolve(self, text: str, platform: Platform) -> Base:
        """Return a base image, pulled where need be. Raises ImageFailed with BuildKit's words."""
        key = (text, platform.text)
        if key not in self.found:
            self.found[key] = await self._resolve(text, platform)
        return self.found[key]

    async def _resolve(self, text: str, platform: Platform) -> Base:
        if text.startswith("sha256:") and len(text) == 71:  # another build's result, by its id
            return self._base(self.store.resolve(text), text)
        try:
            reference = parse_reference(text).with_tag()
        except HyperBoxError as error:
            raise ImageFailed(f"failed to parse stage name {quote(text)}: {error.message}", "") from None
        vertex = f"metadata {reference.canonical} {platform.text}"
        self.progress.start(vertex, f"[internal] load metadata for {reference.canonical}")
        try:
            image_id = "" if self.request.pull else self._local(text, platform)
            if not image_id:
                image_id = await self._pull(text, platform, vertex)
        except HyperBoxError as error:
            reason = (
                f"failed to resolve source metadata for {reference.canonical}: {unreached(reference, error.message)}"
            )
            self.progress.end(vertex, error=reason)
            raise ImageFailed(f"{text}: {reason}", reason) from None
        self.progress.end(vertex)
        digest = (
            "" if reference.digest or not self.request.pull else self._repository_digest(image_id, reference.repository)
        )
        shown = f"{reference.canonical}@{digest}" if digest else reference.canonical
        return self._base(image_id, shown)

    def _base(self, image_id: str, shown: str) -> Base:
        diff_ids = self.store.record(image_id)["DiffIds"]
        assert isinstance(diff_ids, list)
        return Base(image_id, self.store.config(image_id), tuple(map(str, diff_ids)), shown)

    def _local(self, text: str, platform: Platform) -> str:
        try:
            image_id = self.store.resolve(text)
        except NotFound:
            return ""
        record = self.store.record(image_id)
        if (record["Os"], record["Architecture"]) != (platform.os, platform.architecture):
            return ""
        return image_id

    def _repository_digest(self, image_id: str, repository: str) -> str:
        for name, owner in self.store.names():
            if owner == image_id and name.startswith(f"{repository}@"):
                return name.partition("@")[2]
        return ""

    async def _pull(self, text: str, platform: Platform, vertex: str) -> str:
        domain = parse_reference(text).domain
        auth = self.request.credentials(domain)

        def action(child: Child) -> Json:
            from hyperbox.image.pull import image_pull

            return {"Id": image_pull(self.store, text, platform=platform.text, auth=auth, on_event=child.tell)}

        def told(message: Json) -> None:
            detail = message.get("progressDetail")
            if message.get("id") and isinstance(detail, dict):
                current, total = int(detail.get("current") or 0), int(detail.get("total") or 0)
                done = message["status"] in ("Pull complete", "Already exists")
                name = f"{message['id']} {str(message['status']).lower()}"
                self.progress.status(vertex, name, current, total, done=done)

        answer = await self.runner.start(action, told)
        return str(answer["Id"])


def unreached(reference: Reference, message: str) -> str:
    """Return an error of a pull in the words of BuildKit, whose first request is for the manifest's head. Pure."""
    request, mark, reason = message.partition('/v2/": ')
    if not mark or not request.startswith('Get "http'):
        return message
    host = request.partition("://")[2]
    place = f"https://{host}/v2/{reference.path}/manifests/{reference.digest or reference.tag}"
    return f'failed to do request: Head "{place}": {reason}'


class ImageFailed(JobFailed):
    """A base image can't be had; `error` is what stands at its vertex."""

    def __init__(self, message: str, error: str) -> None:
        super().__init__(message)
        self.error = error
