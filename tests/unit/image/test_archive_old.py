"""Archives of docker before 1.10, and what is said of archives that are none."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from hyperbox.errors import EngineError
from hyperbox.image.archive import image_load
from hyperbox.image.parents import parent_of
from hyperbox.image.store import ImageStore
from tests.fake_registry import tar_of

FIRST, SECOND = "a" * 64, "b" * 64


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    made = ImageStore(str(tmp_path / "images"))
    made.prepare()
    return made


def document(**facts: object) -> bytes:
    common = {"created": "2015-01-01T00:00:00Z", "architecture": "amd64", "os": "linux", "docker_version": "1.8"}
    return json.dumps({**common, **facts}).encode()


def old() -> dict[str, bytes]:
    """Return the files of two images, the second made of the first."""
    return {
        f"{FIRST}/json": document(id=FIRST, container_config={"Cmd": ["/bin/sh", "-c", "#(nop) ADD x"]}, config={}),
        f"{FIRST}/layer.tar": tar_of({"a": b"one\n"}),
        f"{SECOND}/json": document(id=SECOND, parent=FIRST, config={"Cmd": ["true"]}, comment="why"),
        f"{SECOND}/layer.tar": tar_of({"b": b"two\n"}),
        "repositories": json.dumps({"hb/old": {"1": SECOND, "base": FIRST}}).encode(),
    }


def load(store: ImageStore, files: dict[str, bytes]) -> list[str]:
    return image_load(store, io.BytesIO(tar_of(files)))


def test_images_of_folders_are_loaded_with_their_parents(store: ImageStore) -> None:
    assert load(store, old()) == []  # docker says nothing of them
    names = dict(store.names())
    upper, lower = names["docker.io/hb/old:1"], names["docker.io/hb/old:base"]
    assert parent_of(store, upper) == lower
    config = store.config(upper)
    assert config["config"] == {"Cmd": ["true"]}
    assert config["history"] == [
        {"created": "2015-01-01T00:00:00Z", "created_by": "/bin/sh -c #(nop) ADD x"},
        {"created": "2015-01-01T00:00:00Z", "comment": "why"},
    ]
    assert not {"id", "parent"} & set(config)
    diff_ids = [store.record(each)["DiffIds"] for each in (lower, upper)]
    assert isinstance(diff_ids[1], list)
    assert diff_ids[1][:1] == diff_ids[0]


MANIFEST = {"Config": "c.json", "RepoTags": ["hb/x:1"], "Layers": []}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"repositories": b"nope"}, "invalid character 'o' in literal null (expecting 'u')"),
        ({"repositories": json.dumps({"hb/old": {"1": "c" * 64}}).encode()}, f"invalid target ID: {'c' * 64}"),
        ({"manifest.json": b"{nope"}, "invalid character 'n' looking for beginning of object key string"),
        ({"manifest.json": b"{}"}, "json: cannot unmarshal object into Go value of type []tarexport.manifestItem"),
        (
            {"manifest.json": json.dumps([MANIFEST]).encode(), "c.json": document(os="windows")},
            "cannot load windows image on linux",
        ),
    ],
)
def test_what_is_no_image_is_told_in_docker_s_words(store: ImageStore, files: dict[str, bytes], words: str) -> None:
    with pytest.raises(EngineError) as caught:
        load(store, {**old(), **files})
    assert caught.value.message == words


@pytest.mark.parametrize("gone", ["repositories", f"{FIRST}/layer.tar", f"{FIRST}/json"])
def test_a_file_that_is_missing_is_named(store: ImageStore, gone: str) -> None:
    files = old()
    del files[gone]
    with pytest.raises(EngineError, match=rf"^open .*/{gone}: no such file or directory$"):
        load(store, files)
