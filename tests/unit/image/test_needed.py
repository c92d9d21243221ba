"""What is needed of the store is remembered, and never wrong: a record that was replaced is read anew."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hyperbox import files
from hyperbox.image import ingest
from hyperbox.image import needed as needed_module
from hyperbox.image.needed import needed
from hyperbox.image.store import ImageStore, layer_key


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    made = ImageStore(str(tmp_path / "images"))
    made.prepare()
    return made


def image(store: ImageStore, name: str, keys: list[str], blobs: list[str]) -> None:
    files.write_json(
        f"{store.path}/records/{name}.json", {"Keys": keys, "Manifest": f"sha256:m{name}", "LayerDigests": blobs}
    )


def result(store: ImageStore, name: str, diff_ids: list[str]) -> None:
    files.write_json(f"{store.path}/cache/{name}.json", {"DiffIds": diff_ids})


def test_records_of_images_and_results_are_needed(store: ImageStore) -> None:
    image(store, "a", ["k1", "k2"], ["sha256:b1"])
    result(store, "r", ["sha256:" + "c" * 64])
    for _ in range(2):
        keys, blobs = needed(store.path, layer_key)
        assert keys == {"k1", "k2", "c" * 24}
        assert blobs == {"sha256:a", "sha256:ma", "sha256:b1"}


def test_a_layer_that_is_kept_needs_its_blob_unless_it_can_be_made_of_it(store: ImageStore) -> None:
    for name in "cdef":
        record: dict[str, object] = {"diff_id": f"sha256:{name * 64}", "size": 1, "blob": f"sha256:b{name}"}
        files.write_json(f"{store.path}/layers/{name * 24}.json", {**record, "tar": 1} if name == "d" else record)
    result(store, "r", [f"sha256:{name * 64}" for name in "cd"])
    for _ in range(2):
        keys, blobs = needed(store.path, layer_key, ["e" * 24])
        assert keys == {name * 24 for name in "cde"}
        assert blobs == {"sha256:bc", "sha256:be"}


def test_a_layer_that_has_lost_its_blob_is_whole_again_when_it_is_built(store: ImageStore) -> None:
    diff_id = f"sha256:{'c' * 64}"
    for length in (None, 1024):
        staging = store.staging("layer")
        os.mkdir(staging)
        ingest.keep_layer(store, staging, diff_id, 1, diff_id, tar_length=length)
        assert store.has_whole_layer(diff_id) == (length is not None)
        assert not os.path.exists(staging)


def test_only_what_changed_is_read_again(store: ImageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        image(store, f"i{number}", [f"k{number}"], [])
        result(store, f"r{number}", [])
    needed(store.path, layer_key)
    read: list[str] = []
    real = files.read_json

    def noted(path: str) -> object:
        read.append(os.path.basename(path))
        return real(path)

    monkeypatch.setattr(needed_module.files, "read_json", noted)
    image(store, "i7", ["other"], [])
    os.unlink(f"{store.path}/records/i8.json")
    keys, blobs = needed(store.path, layer_key)
    assert read == ["needed.json", "i7.json"]
    assert "other" in keys
    assert not {"k7", "k8"} & keys
    assert "sha256:i8" not in blobs


@pytest.mark.parametrize("text", ["", "[]", '{"records": 7}', '{"records": {"a.json": ["x"]}}', "{"])
def test_a_memory_that_is_broken_is_made_anew(store: ImageStore, text: str) -> None:
    image(store, "a", ["k1"], [])
    Path(store.path, "needed.json").write_text(text)
    assert needed(store.path, layer_key)[0] == {"k1"}
    assert json.loads(Path(store.path, "needed.json").read_text())["records"]["a.json"][1:] == [
        ["k1"],
        ["sha256:a", "sha256:ma"],
    ]
