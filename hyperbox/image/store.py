"""The image store: content by digest, layers unpacked once, images and their names. Shared by all projects.

    DATA/images/
      blobs/sha256/HEX      manifests, configurations and layers as they came, named by their digest
      layers/KEY/           a layer unpacked for overlayfs; KEY is the first 24 digits of its diff id
      layers/KEY.json       {"diff_id", "size", "blob"}: written last, so a folder without it is a leftover; "tar", the length of the layer's
                            plain tar, where the layer was built here: it needs no blob then, see `ingest.ensure_blob`
      cache/KEY.json        a record of the build cache (`build.cache`); its "DiffIds" are kept
      leases/PID-START-N/   layers (empty files named KEY) that a running command is about to use, with or without an image
      records/HEX.json      one image, HEX its id (the configuration's digest): {"Manifest", "Layers", "Launch", …}
      names/NAME            a symbolic link to an image's id; NAME is the full reference with "/" as "%"
      kept/HEX.json         the record of an image that was removed by force while containers that did not run used it: until these are gone
      needed.json           what all records need, remembered: see `needed`
      staging/NAME.PID      what a running command is making; its maker's pid is in the name
      lock                  shared while an image is being added, exclusive while garbage is collected

Locks: `lock` only; it comes after every lock of the engine. Blobs, layers and records are written under another name and renamed, so a killed command
leaves files in staging/ alone, and these go with the next garbage collection. Adding the same content twice at once is harmless: the second rename
finds it there.
"""

from __future__ import annotations

import os

from hyperbox import files, process
from hyperbox.errors import Conflict, NotFound
from hyperbox.image.reference import HEX, Reference, parse_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    Json = dict[str, object]

KEY_LENGTH = 24
# folder -> what comes before ".PID" in the names of temporary files (None: nothing at all)
STAGED = {
    "staging": "",
    "records": ".tmp",
    "layers": ".json.tmp",
    "blobs/sha256": ".tmp",
    "names": None,
    ".": "needed.json.tmp",
}


class Launch:
    """What starting a container needs of an image: the configuration's "config" object and the layer folders, top first."""

    __slots__ = ("config", "image_id", "lowerdirs")

    def __init__(self, image_id: str, config: Json, lowerdirs: tuple[str, ...]) -> None:
        self.image_id = image_id
        self.config = config
        self.lowerdirs = lowerdirs


class Lease:
    """Layers that garbage collection leaves alone while this process lives. `hold` them with the store's lock held, and look again whether they
    are there; `end` gives them all back.
    """

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def hold(self, diff_id: str) -> None:
        """Keep a layer, there or not; may be done twice."""
        os.close(os.open(f"{self.path}/{layer_key(diff_id)}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def end(self) -> None:
        """Give everything back."""
        files.remove_tree(self.path)


def layer_key(diff_id: str) -> str:
    """Return the name of a layer in layers/."""
    return diff_id.removeprefix("sha256:")[:KEY_LENGTH]


def file_name(reference: Reference) -> str:
    """Return the name of a reference's link in names/."""
    return reference.canonical.replace("/", "%")


class Addition(files.Lock):
    """The shared lock of whoever adds an image. What a failure on a full disk has left goes at once: layers that came whole are kept
    for the next try otherwise.
    """

    __slots__ = ("store",)

    def __init__(self, store: ImageStore) -> None:
        super().__init__(f"{store.path}/lock", shared=True)
        self.store = store

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if error is not None and "no space left" in str(error).lower():
            self.store.collect_garbage(wait=False)


class ImageStore:
    """The store in one folder; see the module's docstring for the tree and its locks. `reached`: see `engine.state.Roots`."""

    __slots__ = ("path", "reached")

    def __init__(self, path: str, reached: Callable[[str], None] = lambda step: None) -> None:
        self.path = path
        self.reached = reached

    def prepare(self) -> None:
        """Make the folders where they are missing."""
        for name in ("blobs/sha256", "layers", "records", "names", "staging", "cache", "leases"):
            os.makedirs(f"{self.path}/{name}", 0o700, exist_ok=True)

    def shared_lock(self) -> Addition:
        """Return the lock under which images are added; what killed commands were making is removed first."""
        from hyperbox.kernel.inode_flags import spread_folders

        self.prepare()
        self.sweep_staging()
        spread_folders(f"{self.path}/staging")
        return Addition(self)

    def blob(self, digest: str) -> str:
        """Return the path of a blob, there or not."""
        return f"{self.path}/blobs/sha256/{digest.removeprefix('sha256:')}"

    def has_blob(self, digest: str) -> bool:
        """Return whether a blob's content is there."""
        return os.path.exists(self.blob(digest))

    def read_blob_json(self, digest: str) -> Json:
        """Return a JSON blob (a manifest or a configuration)."""
        value = files.read_json(self.blob(digest))
        assert isinstance(value, dict)
        return value

    def staging(self, name: str) -> str:
        """Return a path in staging/ that names its maker."""
        return f"{self.path}/staging/{name}.{os.getpid()}"

    def layer_folder(self, diff_id: str) -> str:
        """Return the folder of an unpacked layer, there or not."""
        return f"{self.path}/layers/{layer_key(diff_id)}"

    def has_layer(self, diff_id: str) -> bool:
        """Return whether a layer is unpacked. Raises Conflict where another one has the same key."""
        return self._found_layer(diff_id) is not None

    def has_whole_layer(self, diff_id: str) -> bool:
        """Return whether a layer is unpacked and its blob is there too, or can be made of it (`ingest.ensure_blob`)."""
        record = self._found_layer(diff_id)
        return record is not None and ("tar" in record or self.has_blob(str(record["blob"])))

    def _found_layer(self, diff_id: str) -> Json | None:
        try:
            record = files.read_json(self.layer_folder(diff_id) + ".json")
        except (OSError, ValueError):
            return None
        assert isinstance(record, dict)
        if record["diff_id"] != diff_id:
            raise Conflict(f"layers {diff_id} and {record['diff_id']} share a key")
        return record

    def layer_record(self, diff_id: str) -> Json:
        """Return {"diff_id", "size", "blob"} of an unpacked layer."""
        record = files.read_json(self.layer_folder(diff_id) + ".json")
        assert isinstance(record, dict)
        return record

    def resolve(self, text: str) -> str:
        """Return the id of the image that `text` names: a reference, an id or the beginning of one.

        Raises NotFound "No such image: …", InvalidParameter for what is no reference.
        """
        if text.startswith("sha256:") and len(text) == 71:
            if os.path.exists(self.record_path(text)):
                return text
            raise NotFound(f"No such image: {text}")
        hexadecimal = text.removeprefix("sha256:")
        if not (len(hexadecimal) == 64 and HEX.issuperset(hexadecimal)):
            reference = parse_reference(text).with_tag()
            found = self._by_name(reference)
            if found is not None:
                return found
        elif os.path.exists(self.record_path(f"sha256:{hexadecimal}")):
            return f"sha256:{hexadecimal}"
        if 1 <= len(hexadecimal) < 64 and HEX.issuperset(hexadecimal):
            matches = [name for name in self.image_ids() if name[7:].startswith(hexadecimal)]
            if len(matches) == 1:
                return matches[0]
        raise NotFound(f"No such image: {text if ':' in text.rpartition('/')[2] or '@' in text else text + ':latest'}")

    def _by_name(self, reference: Reference) -> str | None:
        if reference.digest:
            reference = Reference(reference.domain, reference.path, "", reference.digest)
        try:
            return os.readlink(f"{self.path}/names/{file_name(reference)}")
        except OSError:
            return None

    def record_path(self, image_id: str) -> str:
        """Return the path of an image's record."""
        return f"{self.path}/records/{image_id.removeprefix('sha256:')}.json"

    def _kept_path(self, image_id: str) -> str:
        return f"{self.path}/kept/{image_id.removeprefix('sha256:')}.json"

    def keep_record(self, image_id: str) -> None:
        """Take an image away for everybody but the containers that use it."""
        os.makedirs(f"{self.path}/kept", mode=0o700, exist_ok=True)
        os.rename(self.record_path(image_id), self._kept_path(image_id))

    def is_kept(self, image_id: str) -> bool:
        """Return whether an image is there for the containers that use it only."""
        return os.path.lexists(self._kept_path(image_id))

    def kept_ids(self) -> list[str]:
        """Return the ids of the images that are there for containers only."""
        try:
            return [f"sha256:{name[:-5]}" for name in os.listdir(f"{self.path}/kept")]
        except FileNotFoundError:
            return []

    def forget_kept(self, image_id: str) -> None:
        """Let go of what containers needed of an image; nothing there is no error."""
        try:
            os.unlink(self._kept_path(image_id))
        except FileNotFoundError:
            return

    def image_ids(self) -> list[str]:
        """Return the ids of all images."""
        try:
            return [f"sha256:{name[:-5]}" for name in os.listdir(f"{self.path}/records") if name.endswith(".json")]
        except FileNotFoundError:
            return []

    def record(self, image_id: str) -> Json:
        """Return an image's record. Raises NotFound."""
        try:
            record = files.read_json(self.record_path(image_id))
        except FileNotFoundError:
            raise NotFound(f"No such image: {image_id}") from None
        assert isinstance(record, dict)
        return record

    def launch(self, image_id: str) -> Launch:
        """Return what a container of this image starts from."""
        record = self.record(image_id)
        config, keys = record["Config"], record["Keys"]
        assert isinstance(config, dict)
        assert isinstance(keys, list)
        return Launch(image_id, config, tuple(f"{self.path}/layers/{key}" for key in keys))

    def config(self, image_id: str) -> Json:
        """Return the whole OCI image configuration."""
        return self.read_blob_json(image_id)

    def names(self) -> Iterator[tuple[str, str]]:
        """Yield (full reference, image id) for every name."""
        folder = f"{self.path}/names"
        try:
            entries = os.listdir(folder)
        except FileNotFoundError:
            return
        for entry in entries:
            owner = files.claim_owner(f"{folder}/{entry}")
            if owner is not None and not entry.startswith("."):
                yield entry.replace("%", "/"), owner

    def set_name(self, reference: Reference, image_id: str) -> None:
        """Let a name mean an image from now on; replaces what it meant, in one step."""
        self.prepare()
        temporary = f"{self.path}/names/.{os.getpid()}"
        try:
            os.unlink(temporary)
        except FileNotFoundError:
            pass
        os.symlink(image_id, temporary)
        self.reached("image-naming")
        os.rename(temporary, f"{self.path}/names/{file_name(reference)}")
        self.reached("image-named")

    def remove_name(self, reference: Reference) -> None:
        """Forget a name; nothing there is no error."""
        try:
            os.unlink(f"{self.path}/names/{file_name(reference)}")
        except FileNotFoundError:
            pass

    def write_record(
        self, image_id: str, manifest_digest: str, layer_digests: list[str], *, durable: bool = True
    ) -> None:
        """Make an image of a configuration blob and unpacked layers that are there; may be done twice."""
        config = self.config(image_id)
        rootfs = config.get("rootfs")
        diff_ids = list(rootfs.get("diff_ids", [])) if isinstance(rootfs, dict) else []
        keys = [layer_key(str(diff_id)) for diff_id in reversed(diff_ids)]
        size = 0
        for diff_id in diff_ids:
            layer_size = self.layer_record(str(diff_id))["size"]
            assert isinstance(layer_size, int)
            size += layer_size
        record: Json = {
            "Id": image_id,
            "Manifest": manifest_digest,
            "LayerDigests": layer_digests,
            "DiffIds": diff_ids,
            "Keys": keys,
            "Config": config.get("config") or {},
            "Created": config.get("created") or "0001-01-01T00:00:00Z",
            "Os": config.get("os", ""),
            "Architecture": config.get("architecture", ""),
            "Size": size,
        }
        files.write_json(self.record_path(image_id), record, durable=durable)
        self.reached("image-recorded")

    def collect_garbage(self, *, wait: bool = True) -> int:
        """Remove layers, blobs and staging leftovers that no image needs; returns the bytes that were freed.

        Without `wait` nothing is done while others add images.
        """
        self.prepare()
        with files.Lock(f"{self.path}/lock", wait=wait) as lock:
            if lock.descriptor < 0:
                return 0
            from hyperbox.image.needed import needed

            keys, blobs = needed(self.path, layer_key, self._leased_keys())
            freed = self._sweep_layers(keys)
            for name in os.listdir(f"{self.path}/blobs/sha256"):
                if f"sha256:{name}" not in blobs:
                    freed += os.path.getsize(self.blob(name))
                    os.unlink(self.blob(name))
            self.sweep_staging()
        return freed

    def sweep_staging(self) -> None:
        """Remove what commands that are gone were making; the maker's pid is the last part of each such name."""
        for folder, mark in STAGED.items():
            for name in os.listdir(f"{self.path}/{folder}"):
                before, _, pid = name.rpartition(".")
                made = before == "" if mark is None else before.endswith(mark)
                if made and pid.isdigit() and not process.is_alive(int(pid)):
                    files.remove_tree(f"{self.path}/{folder}/{name}")

    def sweep_leavings(self) -> None:
        """Remove the working folders and leases of commands that are gone; unlike `sweep_staging` it looks at nothing else."""
        for name in os.listdir(f"{self.path}/staging"):
            pid = name.rpartition(".")[2]
            if pid.isdigit() and not process.is_alive(int(pid)):
                files.remove_tree(f"{self.path}/staging/{name}")
        self._leased_keys()

    def _leased_keys(self) -> set[str]:
        """Return the keys of the layers that running commands hold; the leases of dead ones go."""
        keys: set[str] = set()
        for name in os.listdir(f"{self.path}/leases"):
            pid, started, _ = name.split("-")
            if not process.is_alive(int(pid), int(started)):
                files.remove_tree(f"{self.path}/leases/{name}")
                continue
            try:
                keys.update(os.listdir(f"{self.path}/leases/{name}"))
            except FileNotFoundError:  # given back meanwhile
                continue
        return keys

    def new_lease(self) -> Lease:
        """Return a lease of this process, empty as yet."""
        self.prepare()
        pid = os.getpid()
        path = f"{self.path}/leases/{pid}-{process.start_time(pid)}-{os.urandom(4).hex()}"
        os.mkdir(path, 0o700)
        return Lease(path)

    def _sweep_layers(self, keys: set[str]) -> int:
        freed = 0
        for name in os.listdir(f"{self.path}/layers"):
            if name.removesuffix(".json") in keys:
                continue
            path = f"{self.path}/layers/{name}"
            if name.endswith(".json"):
                record = files.read_json(path)
                freed += int(record["size"]) if isinstance(record, dict) else 0
                os.unlink(path)
            else:
                files.remove_tree(path)
        return freed
