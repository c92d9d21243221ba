"""Indexes that a registry sends or that are made here: what is taken of them, and what is refused."""

from __future__ import annotations

import json

import pytest

from hyperbox.errors import EngineError, HyperBoxError
from hyperbox.image.ingest import OCI_MANIFEST
from hyperbox.image.manifest_lists import DOCKER_LIST, LIST_LIMIT, OCI_INDEX
from hyperbox.image.reference import parse_reference
from hyperbox.image.remote import Manifest, combined, platform_of

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def entry(digit: str, architecture: str = "amd64", kind: str = DOCKER_MANIFEST) -> dict[str, object]:
    platform = {"architecture": architecture, "os": "linux"}
    return {"mediaType": kind, "digest": "sha256:" + digit * 64, "size": 5, "platform": platform}


def index(*entries: object) -> Manifest:
    reference = parse_reference("127.0.0.1:5000/a/b:1")
    return Manifest(reference, json.dumps({"manifests": list(entries)}).encode(), OCI_INDEX)


@pytest.mark.parametrize("wrong", [None, 1, {}, {"digest": "sha256:../../x"}, {"digest": 7}])
def test_an_entry_without_a_digest_is_refused(wrong: object) -> None:
    with pytest.raises(EngineError, match="unusable digest"):
        index(entry("a"), wrong).manifests()


def test_an_index_of_too_many_is_refused() -> None:
    with pytest.raises(EngineError, match="unusable index"):
        index(*[entry("a")] * (LIST_LIMIT + 1)).manifests()


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"[" * 100_000, b"\xff"])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(EngineError, match="is not a manifest"):
        Manifest(parse_reference("127.0.0.1:5000/a/b:1"), data, OCI_INDEX)


def test_each_manifest_is_in_an_index_once() -> None:
    data, kind = combined([entry("a"), entry("b", "arm64"), entry("a")], [])
    assert kind == DOCKER_LIST
    assert [each["digest"][7] for each in json.loads(data)["manifests"]] == ["a", "b"]
    with pytest.raises(HyperBoxError, match="two platforms"):
        combined([entry("a"), entry("a", "arm64")], [])


def test_one_manifest_of_the_image_specification_makes_an_index_of_it() -> None:
    data, kind = combined(
        [entry("a"), entry("b", "arm64", OCI_MANIFEST)], [("manifest-descriptor[linux/arm64]", "k", "v")]
    )
    assert kind == OCI_INDEX
    first, second = json.loads(data)["manifests"]
    assert "annotations" not in first
    assert list(second) == ["mediaType", "digest", "size", "annotations", "platform"]
    with pytest.raises(HyperBoxError, match='"manifest" annotations are not supported yet'):
        combined([entry("b", "arm64", OCI_MANIFEST)], [("manifest", "k", "v")])


@pytest.mark.parametrize(
    ("config", "platform"),
    [
        ({"architecture": "arm64", "os": "linux", "variant": "v8"}, {"architecture": "arm64", "os": "linux"}),
        ({"architecture": "arm", "os": "linux"}, {"architecture": "arm", "os": "linux", "variant": "v7"}),
        ({"architecture": "arm", "variant": "v6"}, {"architecture": "arm", "os": "linux", "variant": "v6"}),
    ],
)
def test_a_usual_variant_is_left_out(config: dict[str, object], platform: dict[str, object]) -> None:
    assert platform_of(config) == platform
