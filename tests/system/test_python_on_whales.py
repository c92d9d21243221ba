"""A program that drives docker's command line works unmodified with hyperbox in docker's place: python-on-whales, one of many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

python_on_whales = pytest.importorskip("python_on_whales")
pytestmark = pytest.mark.system


@pytest.fixture
def docker(hyperbox: object, busybox: str) -> Iterator[object]:
    argv = hyperbox.argv  # type: ignore[attr-defined]
    client = python_on_whales.DockerClient(client_call=[str(Path(argv[0]).with_name("docker")), *argv[1:]])
    yield client
    for container in client.container.list(all=True, filters={"label": "whales=1"}):
        container.remove(force=True, volumes=True)


def start(docker: object, name: str, **options: object) -> object:
    return docker.run(  # type: ignore[attr-defined]
        "busybox", ["sleep", "300"], detach=True, name=name, labels={"whales": "1"}, **options
    )


def test_the_system_describes_itself(docker: object) -> None:
    assert docker.version().server.version.count(".") == 2  # type: ignore[attr-defined]
    assert docker.system.info().os_type == "linux"  # type: ignore[attr-defined]
    assert docker.system.disk_free().images.total_count >= 1  # type: ignore[attr-defined]
    assert docker.context.inspect().name == "default"  # type: ignore[attr-defined]


def test_a_container_is_run_read_changed_and_removed(docker: object, tmp_path: Path) -> None:
    container = start(docker, "whales-a", envs={"X": "1"}, volumes=[("whales-v", "/data")], memory="64m", hostname="hh")
    assert container.state.running  # type: ignore[attr-defined]
    assert container.host_config.memory == 64 << 20  # type: ignore[attr-defined]
    assert [mount.destination for mount in container.mounts] == ["/data"]  # type: ignore[attr-defined]
    assert container.execute(["sh", "-c", "echo $X; hostname"]) == "1\nhh"  # type: ignore[attr-defined]
    (tmp_path / "file").write_text("content")
    container.copy_to(tmp_path / "file", "/tmp/file")  # type: ignore[attr-defined]
    container.copy_from("/tmp/file", tmp_path / "back")  # type: ignore[attr-defined]
    assert (tmp_path / "back").read_text() == "content"
    assert container.diff()["/tmp/file"] == "A"  # type: ignore[attr-defined]
    container.pause()  # type: ignore[attr-defined]
    assert container.state.paused  # type: ignore[attr-defined]
    container.unpause()  # type: ignore[attr-defined]
    container.rename("whales-b")  # type: ignore[attr-defined]
    assert docker.stats(["whales-b"])[0].container_name == "whales-b"  # type: ignore[attr-defined]
    container.kill()  # type: ignore[attr-defined]
    assert docker.wait(container) == 137  # type: ignore[attr-defined]
    container.remove(volumes=True)  # type: ignore[attr-defined]
    assert not docker.container.exists("whales-b")  # type: ignore[attr-defined]
    docker.volume.remove("whales-v")  # type: ignore[attr-defined]


def test_images_are_committed_tagged_saved_loaded_and_removed(docker: object, tmp_path: Path) -> None:
    container = start(docker, "whales-c")
    image = container.commit(tag="whales-img:1")  # type: ignore[attr-defined]
    assert docker.image.inspect("whales-img:1").id == image.id  # type: ignore[attr-defined]
    docker.image.save("whales-img:1", output=tmp_path / "image.tar")  # type: ignore[attr-defined]
    docker.image.remove("whales-img:1")  # type: ignore[attr-defined]
    assert docker.image.load(tmp_path / "image.tar") == ["whales-img:1"]  # type: ignore[attr-defined]
    docker.image.remove("whales-img:1")  # type: ignore[attr-defined]


def test_networks_and_volumes_are_made_listed_and_removed(docker: object) -> None:
    network = docker.network.create("whales-n", subnet="10.98.7.0/24", labels={"q": "r"})  # type: ignore[attr-defined]
    container = start(docker, "whales-d", networks=["whales-n"], ip="10.98.7.9")
    assert container.network_settings.networks["whales-n"].ip_address == "10.98.7.9"  # type: ignore[attr-defined]
    assert [one.name for one in docker.network.list(filters={"name": "whales-n"})] == ["whales-n"]  # type: ignore[attr-defined]
    container.remove(force=True)  # type: ignore[attr-defined]
    network.remove()
    volume = docker.volume.create("whales-w", labels={"k": "v"})  # type: ignore[attr-defined]
    assert volume.labels == {"k": "v"}
    docker.volume.remove("whales-w")  # type: ignore[attr-defined]


def test_streams_stay_apart(docker: object) -> None:
    chunks = list(docker.run("busybox", ["sh", "-c", "echo a; echo b >&2"], stream=True, remove=True))  # type: ignore[attr-defined]
    assert sorted(chunks) == [("stderr", b"b\n"), ("stdout", b"a\n")]


def test_builders_are_told_as_objects(docker: object) -> None:
    builders = docker.buildx.list()  # type: ignore[attr-defined]
    own = next(builder for builder in builders if builder.name == "default")
    assert own.driver == "docker"
    assert docker.buildx.inspect().name in {builder.name for builder in builders}  # type: ignore[attr-defined]


def test_files_go_to_a_volume_and_back(docker: object, tmp_path: Path) -> None:
    volume = docker.volume.create("whales-copy", options={"type": "tmpfs", "device": "tmpfs", "o": "size=1m"})  # type: ignore[attr-defined]
    assert list(volume.options) == ["device", "o", "type"]
    docker.volume.remove(volume)  # type: ignore[attr-defined]
    (tmp_path / "file").write_text("content")
    volume = docker.volume.create("whales-copy")  # type: ignore[attr-defined]
    docker.volume.copy(tmp_path / "file", (volume, "file"))  # type: ignore[attr-defined]
    docker.volume.copy((volume, "file"), tmp_path / "back")  # type: ignore[attr-defined]
    docker.volume.remove(volume)  # type: ignore[attr-defined]
    assert (tmp_path / "back").read_text() == "content"
