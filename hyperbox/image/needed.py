"""What the images and the build cache need of the store, told without reading every record each time.

    DATA/images/needed.json   {"records": {FILE: [MARK, layer keys, blob digests]}, "kept": as records, "cache": {FILE: [MARK, layer keys, []]},
                               "layers": {FILE: [MARK, [], blob digests]}}

The file is a memory only: MARK is the record's inode and time of change, and a record that has another is read anew. Records are always
replaced by new files, so what is remembered of one is true as long as its mark is. Written under the store's exclusive lock.
"""

from __future__ import annotations

import os

from hyperbox import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Json = dict[str, object]
    Needs = tuple[list[str], list[str]]

FILE = "needed.json"


def needed(path: str, key_of: Callable[[str], str], held: Iterable[str] = ()) -> tuple[set[str], set[str]]:
    """Return (layer keys, blob digests) that the records of the store in `path` need, and `held`, the keys of more layers.

    `key_of` a diff id is its layer's key. A layer needs its blob, unless that can be made of it.
    """
    known = _remembered(f"{path}/{FILE}")
    seen: Json = {}
    keys = set(held)
    blobs: set[str] = set()
    for folder, needs in (
        ("records", _of_image),
        ("kept", _of_image),
        ("cache", lambda name, record: _of_result(record, key_of)),
    ):
        before = known.get(folder)
        found = _folder(f"{path}/{folder}", before if isinstance(before, dict) else {}, needs)
        seen[folder] = found
        for remembered in found.values():
            assert isinstance(remembered, list)
            keys.update(remembered[1])
            blobs.update(remembered[2])
    before = known.get("layers")
    seen["layers"] = layers = _folder(f"{path}/layers", before if isinstance(before, dict) else {}, _of_layer)
    for name, remembered in layers.items():
        assert isinstance(remembered, list)
        if name.removesuffix(".json") in keys:
            blobs.update(remembered[2])
    if seen != known:
        try:
            files.write_json(f"{path}/{FILE}", seen)
        except OSError:  # a full disk: the next time reads more
            pass
    return keys, blobs


def _remembered(path: str) -> Json:
    try:
        value = files.read_json(path)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _folder(path: str, known: Json, needs: Callable[[str, Json], Needs]) -> Json:
    found: Json = {}
    try:
        listed = os.scandir(path)
    except FileNotFoundError:  # "kept" is made when it is needed
        return found
    with listed as entries:
        for entry in entries:
            if not entry.name.endswith(".json"):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
                mark = f"{status.st_ino}.{status.st_mtime_ns}"
                before = known.get(entry.name)
                if isinstance(before, list) and len(before) == 3 and before[0] == mark:
                    found[entry.name] = before
                    continue
                record = files.read_json(entry.path)
            except FileNotFoundError:  # removed meanwhile
                continue
            if isinstance(record, dict):
                found[entry.name] = [mark, *needs(entry.name, record)]
    return found


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _of_image(name: str, record: Json) -> Needs:
    image_id = f"sha256:{name.removesuffix('.json')}"
    return _texts(record["Keys"]), [image_id, str(record["Manifest"]), *_texts(record["LayerDigests"])]


def _of_layer(_name: str, record: Json) -> Needs:
    return [], [] if "tar" in record else [str(record["blob"])]


def _of_result(record: Json, key_of: Callable[[str], str]) -> Needs:
    return sorted({key_of(diff_id) for diff_id in _texts(record.get("DiffIds"))}), []
