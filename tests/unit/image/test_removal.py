"""Which images and layers go, and in which order this is told; who is whose parent."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperbox import files
from hyperbox.errors import Conflict
from hyperbox.image import parents
from hyperbox.image.listing import image_list
from hyperbox.image.reference import parse_reference
from hyperbox.image.removal import Usage, chain_ids, image_prune, image_remove
from hyperbox.image.store import ImageStore, layer_key

ONE, TWO, THREE = (f"sha256:{digit * 64}" for digit in "123")
LAYERS = [f"sha256:{digit * 64}" for digit in "abc"]


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    store = ImageStore(str(tmp_path))
    store.prepare()
    for diff_id in LAYERS:
        Path(store.layer_folder(diff_id)).mkdir()
        files.write_json(f"{store.layer_folder(diff_id)}.json", {"diff_id": diff_id, "size": 5, "blob": diff_id})
    return store


def add(
    store: ImageStore, image_id: str, layers: list[str], name: str = "", created: str = "2026-01-01T00:00:00Z"
) -> None:
    record = {
        "Id": image_id,
        "Manifest": image_id,
        "LayerDigests": layers,
        "DiffIds": layers,
        "Keys": [layer_key(each) for each in layers],
        "Config": {},
        "Created": created,
        "Size": 5 * len(layers),
    }
    files.write_json(store.record_path(image_id), record)
    if name:
        store.set_name(parse_reference(name).with_tag(), image_id)


def remove(store: ImageStore, text: str, users: dict[str, list[str]] | None = None, **flags: bool) -> list[str]:
    told = image_remove(
        store, text, usage=Usage(users or {}, lambda _: False), tell=lambda action, image_id: None, **flags
    )
    return [f"{word} {name}" for entry in told for word, name in entry.items()]


def test_a_layer_goes_with_the_last_image_that_is_built_upon_it(store: ImageStore) -> None:
    add(store, ONE, LAYERS[:1])
    add(store, TWO, LAYERS[:2], "two")
    parents.set_parent(store, TWO, ONE)
    chain = chain_ids(LAYERS[:2])
    assert remove(store, "two") == [
        "Untagged two:latest",
        f"Deleted {TWO}",
        f"Deleted {chain[1]}",
        f"Deleted {ONE}",
        f"Deleted {chain[0]}",
    ]
    assert not store.has_layer(LAYERS[0])


def test_the_same_layer_over_another_base_is_another_one(store: ImageStore) -> None:
    add(store, ONE, [LAYERS[0], LAYERS[2]], "one")
    add(store, TWO, [LAYERS[1], LAYERS[2]], "two")
    chain = chain_ids([LAYERS[0], LAYERS[2]])
    assert remove(store, "one") == [
        "Untagged one:latest",
        f"Deleted {ONE}",
        f"Deleted {chain[1]}",
        f"Deleted {chain[0]}",
    ]
    assert store.has_layer(LAYERS[2])


def test_a_parent_stays_while_it_has_children_or_a_name(store: ImageStore) -> None:
    add(store, ONE, LAYERS[:1], "one")
    add(store, TWO, LAYERS[:2], "two")
    parents.set_parent(store, TWO, ONE)
    with pytest.raises(Conflict, match="image has dependent child images"):
        remove(store, ONE)
    assert remove(store, "one", force=True) == ["Untagged one:latest"]
    assert [row["Id"] for row in image_list(store)] == [TWO]
    assert {str(row["Id"]): row["ParentId"] for row in image_list(store, all=True)} == {ONE: "", TWO: ONE}
    assert remove(store, "two", prune=False)[-1] == f"Deleted {chain_ids(LAYERS[:2])[1]}"
    assert [row["Id"] for row in image_list(store)] == [ONE]


def test_children_of_a_removed_image_have_no_parent_when_it_comes_back(store: ImageStore) -> None:
    add(store, ONE, LAYERS[:1])
    add(store, TWO, LAYERS[:2], "two")
    parents.set_parent(store, TWO, ONE)
    Path(store.record_path(ONE)).unlink()
    assert parents.parent_of(store, TWO) == ""
    add(store, ONE, LAYERS[:1])
    assert parents.descendants(store, ONE) == {ONE, TWO}
    remove(store, "two")
    add(store, TWO, LAYERS[:2])
    assert parents.descendants(store, ONE) == {ONE}


def test_prune_counts_layers_and_keeps_what_containers_use(store: ImageStore) -> None:
    add(store, ONE, LAYERS[:1], "one")
    add(store, TWO, LAYERS[:2])
    add(store, THREE, [LAYERS[2]])
    usage = Usage({THREE: ["c" * 64]}, lambda _: False)
    pruned = image_prune(store, usage=usage, tell=lambda action, image_id: None)
    assert pruned == {
        "ImagesDeleted": [{"Deleted": TWO}, {"Deleted": chain_ids(LAYERS[:2])[1]}],
        "SpaceReclaimed": 5,
    }
    assert store.has_layer(LAYERS[0])
    assert store.has_layer(LAYERS[2])


def test_images_of_the_same_second_are_told_apart(store: ImageStore) -> None:
    add(store, ONE, LAYERS[:1], "one", "2026-01-01T00:00:00.000000001Z")
    add(store, TWO, LAYERS[:1], "two", "2026-01-01T01:00:00.000000002+01:00")
    assert [row["Id"] for row in image_list(store)] == [TWO, ONE]
    assert [row["Id"] for row in image_list(store, filters={"since": ["one"]})] == [TWO]
    assert [row["Id"] for row in image_list(store, filters={"before": ["two"]})] == [ONE]
