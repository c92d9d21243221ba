"""Archives that docker and skopeo wrote (golden/archives) give the same images and files here, and ours are made as theirs are."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, Command

sys.path.insert(0, str(ROOT / "golden/archives"))

import content as golden  # type: ignore[import-not-found]

pytestmark = pytest.mark.system
FOLDER = ROOT / "golden/archives"
RECORDED = json.loads((FOLDER / "recorded.json").read_text())
BASE, ONE, TWO = RECORDED["images"]
ID = RECORDED["images"][ONE]["Id"]
# `docker export` keeps no attributes of users; ours does
USERS = "SCHILY.xattr.user."


def plain(name: str) -> bytes:
    return gzip.decompress((FOLDER / f"{name}.tar.gz").read_bytes())


def listing(data: bytes) -> dict[str, dict[str, object]]:
    """Return what a tar of ours holds, as the recorded ones are described."""
    found: dict[str, dict[str, object]] = golden.listing(io.BytesIO(data))
    for entry in found.values():
        attributes = entry["attributes"]
        assert isinstance(attributes, dict)
        entry["attributes"] = {key: value for key, value in attributes.items() if not key.startswith(USERS)}
    return found


def members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}  # type: ignore[union-attr]


def root_of(hyperbox: Command, image: str) -> dict[str, dict[str, object]]:
    container = hyperbox("create", image, "x").out.strip()
    try:
        return listing(hyperbox("export", container).out_bytes)
    finally:
        hyperbox("rm", container)


@pytest.fixture
def loaded(hyperbox: Command) -> Iterator[Command]:
    """The command, with docker's two images loaded."""
    hyperbox("load", input=(FOLDER / "saved.tar.gz").read_bytes())
    yield hyperbox
    hyperbox("rmi", "-f", BASE, ONE, TWO, code=None)


def test_saved_images_come_with_ids_names_and_configurations(loaded: Command) -> None:
    for name, expected in RECORDED["images"].items():
        (found,) = json.loads(loaded("image", "inspect", name).out)
        assert {key: found.get(key) for key in expected} == expected


def test_containers_of_them_hold_the_same_files(loaded: Command) -> None:
    assert root_of(loaded, BASE) == RECORDED["base"]
    assert root_of(loaded, ONE) == RECORDED["commit"]


def test_saved_again_they_are_the_archive_that_docker_wrote(loaded: Command) -> None:
    ours, theirs = members(loaded("save", BASE, ONE, TWO).out_bytes), members(plain("saved"))
    blobs = [{name: data for name, data in each.items() if name.startswith("blobs/")} for each in (ours, theirs)]
    assert blobs[0] == blobs[1]
    assert ours["oci-layout"] == theirs["oci-layout"]
    assert json.loads(ours["repositories"]) == json.loads(theirs["repositories"])
    indexes = [json.loads(archive["index.json"]) for archive in (ours, theirs)]
    manifests = [json.loads(archive["manifest.json"]) for archive in (ours, theirs)]
    for index in indexes:  # docker writes the images in an order by chance
        index["manifests"].sort(key=str)
    for entries in manifests:
        entries.sort(key=str)
    assert indexes[0] == indexes[1]
    assert manifests[0] == manifests[1]


def test_the_members_come_in_docker_s_order_with_its_times_and_modes(loaded: Command) -> None:
    def headers(data: bytes) -> list[tuple[str, int, int, int]]:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            members = [(each.name, each.mode, each.mtime, each.size) for each in archive]
        # docker leaves one folder with the time of the save, and gives what images share the time of one by chance
        return [each for each in members if each[0] != "blobs/sha256"]

    for names in ([BASE], [ONE]):
        ours = headers(loaded("save", *names).out_bytes)
        theirs = {each[0]: each for each in headers(plain("saved"))}
        blobs = [each for each in ours if each[0].startswith("blobs/")]
        assert [each[0] for each in ours] == sorted(each[0] for each in ours)
        assert {each[:2] for each in blobs} <= {each[:2] for each in theirs.values()}
        assert [each for each in ours if not each[2]] == [each for each in ours if not theirs[each[0]][2]]


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_other_layouts_give_the_same_image(hyperbox: Command, kind: str) -> None:
    told = hyperbox("load", "-i", str(FOLDER / f"{kind}.tar.gz")).out
    name = told.strip().rpartition(" ")[2]
    try:
        (found,) = json.loads(hyperbox("image", "inspect", name).out)
        assert found["RootFS"] == RECORDED["images"][ONE]["RootFS"]
        assert {**found["Config"], "Image": ""} == {**RECORDED["images"][ONE]["Config"], "Image": ""}
        assert root_of(hyperbox, name) == RECORDED["commit"]
    finally:
        hyperbox("rmi", "-f", name)


def test_an_exported_container_is_imported_whole(hyperbox: Command) -> None:
    data = plain("export")
    image = hyperbox("import", "-", input=data).out.strip()
    try:
        (found,) = json.loads(hyperbox("image", "inspect", image).out)
        assert found["RootFS"]["Layers"] == [f"sha256:{hashlib.sha256(data).hexdigest()}"]
        assert root_of(hyperbox, image) == RECORDED["commit"]
    finally:
        hyperbox("rmi", image)


def test_files_are_copied_out_as_docker_does(loaded: Command) -> None:
    container = loaded("create", ONE, "x").out.strip()
    try:
        for path, expected in RECORDED["copies"].items():
            name, _, followed = path.partition(", ")
            flags = ["-L"] if followed else []
            assert listing(loaded("cp", *flags, f"{container}:/{name}", "-").out_bytes) == expected, path
    finally:
        loaded("rm", container)


def test_a_container_that_is_changed_and_committed_gives_the_same_image(
    loaded: Command, image_folder: Path, tmp_path: Path
) -> None:
    with tarfile.open(image_folder / "busybox.tar") as archive:
        program = next(entry for entry in archive if entry.name.endswith("bin/busybox"))
        (tmp_path / "busybox").write_bytes(archive.extractfile(program).read())  # type: ignore[union-attr]
    (tmp_path / "busybox").chmod(0o755)
    place = f"{tmp_path}/busybox:/busybox:ro"
    loaded("run", "--name", "hb-archive", "-v", place, BASE, "/busybox", "sh", "-c", golden.CHANGES)
    try:
        assert sorted(loaded("diff", "hb-archive").out.splitlines()) == sorted(RECORDED["changes"])
        image = loaded("commit", *golden.COMMIT, "hb-archive", "hb-archive-own:one").out.strip()
        committed, expected_files = root_of(loaded, image), dict(RECORDED["commit"])
        assert {committed.pop("busybox")["mode"], expected_files.pop("busybox")["mode"]} <= {"0o700", "0o644"}
        assert committed == expected_files  # the mount point's mode is the runtime's: crun's is 0700, runc's 0644
        (found,) = json.loads(loaded("image", "inspect", image).out)
        expected = RECORDED["images"][ONE]
        for key in ("Comment", "Author", "Architecture", "Os", "Size", "Config"):
            assert found[key] == expected[key], key
        ours = members(loaded("save", image).out_bytes)[f"blobs/sha256/{found['RootFS']['Layers'][1][7:]}"]
        theirs = members(plain("saved"))[f"blobs/sha256/{expected['RootFS']['Layers'][1][7:]}"]
        layers = [golden.listing(io.BytesIO(layer), times=False) for layer in (ours, theirs)]
        for layer in layers:
            del layer["busybox"]
            for name, entry in layer.items():
                if "/.wh." in f"/{name}":
                    entry["mode"] = "a whiteout's mode says nothing"
        assert layers[0] == layers[1]
    finally:
        loaded("rm", "-f", "hb-archive")
        loaded("rmi", "-f", "hb-archive-own:one")
