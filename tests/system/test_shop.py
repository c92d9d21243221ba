"""The sample application, whole: two copies of it at once, each reachable, its data kept over down and up."""

from __future__ import annotations

import json
import shutil
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command, wait_until


def answer(address: str, *, post: bool = False) -> dict[str, object]:
    request = urllib.request.Request(f"http://{address}/", method="POST" if post else "GET")
    with urllib.request.urlopen(request, timeout=10) as response:
        value: dict[str, object] = json.load(response)
    return value


def answers(address: str) -> dict[str, object] | None:
    try:
        return answer(address)
    except OSError:
        return None


@pytest.fixture(scope="session")
def shop_images(image_folder: Path, registry: str) -> str:
    if not (image_folder / "postgres.tar").exists():
        pytest.skip("the sample's images are not made: examples/images/make")
    return registry


def test_the_sample_is_up_from_two_folders_and_keeps_its_data(
    hyperbox: Command, shop_images: str, tmp_path: Path
) -> None:
    folders = [tmp_path / "one" / "shop", tmp_path / "two" / "shop"]
    for folder in folders:
        shutil.copytree(ROOT / "examples" / "shop", folder)
    try:
        for folder in folders:
            hyperbox("compose", "up", "-d", "--wait", folder=folder, timeout=240)
        addresses = [
            hyperbox("compose", "port", "proxy", "80", folder=folder).out.strip().replace("0.0.0.0", "127.0.0.1")
            for folder in folders
        ]
        assert addresses[0] != addresses[1]
        for address in addresses:
            wait_until(lambda address=address: answers(address))
        answer(addresses[0], post=True)
        assert answer(addresses[0])["orders"] == 1
        assert answer(addresses[1])["orders"] == 0

        assert hyperbox("compose", "exec", "-T", "redis", "redis-cli", "ping", folder=folders[0]).out == "PONG\n"
        assert hyperbox("compose", "exec", "-T", "redis", "sh", "-c", "exit 7", folder=folders[0], code=7).out == ""
        assert "shop-web: listening on 8000" in hyperbox("compose", "logs", "web", folder=folders[0]).out

        hyperbox("compose", "down", folder=folders[0])
        assert wait_until(lambda: answers(addresses[1]))
        hyperbox("compose", "up", "-d", "--wait", folder=folders[0], timeout=240)
        assert wait_until(lambda: answers(addresses[0]))
        assert answer(addresses[0])["orders"] == 1
    finally:
        for folder in folders:
            hyperbox("compose", "down", "-v", "-t", "1", folder=folder, code=None)
    assert hyperbox("ps", "-aq").out == ""


def test_a_killed_redis_is_restarted_by_its_policy(hyperbox: Command, shop_images: str, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(ROOT / "examples" / "shop", folder)
    try:
        hyperbox("compose", "up", "-d", "--wait", "redis", folder=folder)
        name = hyperbox("compose", "ps", "-q", "redis", folder=folder).out.strip()
        before = hyperbox("inspect", "-f", "{{.State.Pid}}", name).out
        hyperbox("exec", name, "sh", "-c", "kill -9 1 || true; kill -TERM 1", code=None)
        wait_until(
            lambda: (
                hyperbox("inspect", "-f", "{{.State.Status}} {{.State.Pid}}", name).out not in (f"running {before}",)
            )
        )
        wait_until(lambda: hyperbox("inspect", "-f", "{{.State.Status}}", name).out == "running\n")
        assert hyperbox("inspect", "-f", "{{.RestartCount}}", name).out != "0\n"
    finally:
        hyperbox("compose", "down", "-v", "-t", "1", folder=folder, code=None)


def test_the_sample_is_stopped_scaled_and_run_in_and_loses_its_data_with_its_volumes_only(
    hyperbox: Command, shop_images: str, tmp_path: Path
) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(ROOT / "examples" / "shop", folder)
    hyperbox.folder = folder

    def orders() -> object:
        address = hyperbox("compose", "port", "proxy", "80").out.strip().replace("0.0.0.0", "127.0.0.1")
        found = wait_until(lambda: answers(address))
        assert isinstance(found, dict)
        return found["orders"]

    def running(service: str) -> int:
        return len(hyperbox("compose", "ps", "-q", service).out.split())

    try:
        hyperbox("compose", "up", "-d", "--wait", timeout=240)
        assert running("web") == 2
        assert orders() == 0
        address = hyperbox("compose", "port", "proxy", "80").out.strip().replace("0.0.0.0", "127.0.0.1")
        answer(address, post=True)
        hyperbox("compose", "up", "-d", "--wait", "--scale", "web=3")
        assert running("web") == 3
        once = hyperbox("compose", "run", "--rm", "-T", "redis", "sh", "-c", "echo out; echo err >&2; exit 9", code=9)
        assert once.out == "out\n"
        assert "err\n" in once.err
        hyperbox("compose", "stop", "-t", "1")
        assert running("web") == 0
        hyperbox("compose", "start")
        hyperbox("compose", "restart", "-t", "1", "proxy")
        assert orders() == 1
        hyperbox("compose", "down", "-v", "-t", "1")
        hyperbox("compose", "up", "-d", "--wait", timeout=240)
        assert orders() == 0
    finally:
        hyperbox("compose", "down", "-v", "-t", "1", code=None)
    assert hyperbox("ps", "-aq").out == ""
