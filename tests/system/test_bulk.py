"""Work on many things at once: what makes it fast is counted here, not timed."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hyperbox.cli import bench_image
from hyperbox.engine.log_options import LogOptions
from hyperbox.engine.monitor_log import LogWriter
from tests.conftest import Command
from tests.machine import Roots, assert_clean, leftovers

SERVICES = 4


def compose_file(folder: Path, image: str, count: int, extra: str = "") -> Path:
    lines = ["services:"]
    for number in range(count):
        lines += [f"  s{number}:", f"    image: {image}", "    command: sleep 1000", "    stop_grace_period: 0s"]
        lines += [f"    {line}" for line in extra.format(before=number - 1).splitlines()]
        if number == 0:
            lines = [line for line in lines if "depends_on" not in line]
    (folder / "compose.yaml").write_text("\n".join(lines) + "\n")
    return folder / "compose.yaml"


def executed(trace: Path) -> list[str]:
    """Return the programs that a traced command and its descendants executed."""
    return re.findall(r'execve\("([^"]+)".*\) = 0', trace.read_text())


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_up_starts_nothing_but_the_oci_runtime_once_or_twice_a_container(
    hyperbox: Command, busybox: str, tmp_path: Path
) -> None:
    file = compose_file(tmp_path, busybox, SERVICES)
    file.write_text(file.read_text().replace("sleep 1000", "'true'"))  # strace stays until the last monitor has gone
    command = ["strace", "-f", "-qq", "-e", "trace=execve", "-e", "signal=none", "-o", str(tmp_path / "trace")]
    command += [os.environ["HYPERBOX_COMMAND"], "compose", "-f", str(file), "-p", "bulk-count", "up", "-d"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        made = hyperbox("compose", "-p", "bulk-count", "ps", "-aq").out.split()
        assert len(made) == SERVICES
        names = [os.path.basename(name) for name in executed(tmp_path / "trace")]
        runtimes = [name for name in names if name in ("crun", "runc", "exe")]
        assert SERVICES <= len(runtimes) <= 2 * SERVICES
        interpreters = [name for name in names if name.startswith("python")]
        assert len(interpreters) <= 1, "monitors are forked, not started anew"
        assert names.count("nft") <= 1, "but for the one table of all networks, rules are sent to the kernel directly"
    finally:
        hyperbox("compose", "-f", str(file), "-p", "bulk-count", "down")


def test_who_waits_for_health_does_not_wait_for_the_interval(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    check = (
        "healthcheck: {{test: [CMD, 'true'], interval: 10m}}\ndepends_on: {{s{before}: {{condition: service_healthy}}}}"
    )
    file = compose_file(tmp_path, busybox, 3, check)
    try:
        hyperbox("compose", "-f", str(file), "-p", "bulk-chain", "up", "-d", "--wait")  # half an hour, if it did
        for name in hyperbox("compose", "-p", "bulk-chain", "ps", "-q").out.split():
            health = json.loads(hyperbox("inspect", "-f", "{{json .State.Health}}", name).out)
            assert health["Status"] == "healthy"
            assert [result["ExitCode"] for result in health["Log"]] == [0]
    finally:
        hyperbox("compose", "-f", str(file), "-p", "bulk-chain", "down")


def test_early_probes_that_fail_count_for_nothing(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    counting = 'healthcheck: {{test: "echo x >>/tried; [ $$(wc -l </tried) -ge 5 ]", interval: 10m, retries: 1}}'
    file = compose_file(tmp_path, busybox, 1, counting)
    try:
        hyperbox("compose", "-f", str(file), "-p", "bulk-early", "up", "-d", "--wait")
        [name] = hyperbox("compose", "-p", "bulk-early", "ps", "-q").out.split()
        health = json.loads(hyperbox("inspect", "-f", "{{json .State.Health}}", name).out)
        assert (health["Status"], health["FailingStreak"], len(health["Log"])) == ("healthy", 0, 1)
    finally:
        hyperbox("compose", "-f", str(file), "-p", "bulk-early", "down")


def test_every_layer_is_unpacked_once_whichever_way_it_comes(hyperbox: Command, tmp_path: Path) -> None:
    from hyperbox.cli import bench_image, bench_registry

    small = pytest.MonkeyPatch()
    small.setattr(bench_image, "CONTENT", ((3, 2000), (2, 70_000)))
    try:
        bench_image.make_image(str(tmp_path / "image"))
        server = bench_registry.serve(str(tmp_path / "image"))
    finally:
        small.undo()
    pulled = f"127.0.0.1:{server.server_port}/{bench_image.REPOSITORY}:1"
    store = Path(os.environ["HYPERBOX_DATA"]) / "images" / "layers"
    try:
        lines = hyperbox("pull", pulled).out.splitlines()
        assert sum(line.endswith(": Pull complete") for line in lines) == bench_image.LAYERS
        before = {path: path.stat().st_mtime_ns for path in store.glob("*.json")}
        loaded = hyperbox("load", "-i", str(tmp_path / "image/image.tar")).out
        assert loaded == f"Loaded image: {bench_image.REPOSITORY}:loaded\n"
        assert {path: path.stat().st_mtime_ns for path in store.glob("*.json")} == before
        again = hyperbox("pull", pulled).out
        assert "Image is up to date" in again
        names = [
            hyperbox("inspect", "-f", "{{.Id}}", name).out for name in (pulled, f"{bench_image.REPOSITORY}:loaded")
        ]
        assert names[0] == names[1]
    finally:
        server.shutdown()
        hyperbox("rmi", "-f", pulled, f"{bench_image.REPOSITORY}:loaded")


def test_much_output_arrives_whole_is_logged_as_docker_logs_it_and_leaves_no_process(
    hyperbox: Command, busybox: str, tmp_path: Path
) -> None:
    """Enough bytes that are no text for a second process to write the log, one line end among them and one long line."""
    roots = Roots.of_environment()
    before = leftovers(roots)
    output = random.Random(6).randbytes(12 << 20) + b"\nend\n" + b"x" * 300_000
    (tmp_path / "output").write_bytes(output)
    run = [
        os.environ["HYPERBOX_COMMAND"],
        "run",
        "--name",
        "bulk-output",
        "-v",
        f"{tmp_path}:/d:ro",
        busybox,
        "cat",
        "/d/output",
    ]
    try:
        finished = subprocess.run(run, capture_output=True, check=True, timeout=120)
        assert finished.stdout == output
        alone = LogWriter(str(tmp_path / "alone"), LogOptions("json-file", 0, 1, False))
        alone.write(1, output[: 2 << 20])
        time_of = re.compile(rb'"time":"[^"]*"')
        with open(hyperbox("inspect", "-f", "{{.LogPath}}", "bulk-output").out.strip(), "rb") as file:
            logged = file.read()
        begun = time_of.sub(b"", (tmp_path / "alone").read_bytes())
        assert time_of.sub(b"", logged).startswith(begun)
        tails = [line[-150:] for line in logged.splitlines()[-2:]]
        assert [b'xxx","stream":"stdout"' in tail for tail in tails] == [True, True]
    finally:
        hyperbox("rm", "-f", "bulk-output")
    assert_clean(roots, before=before)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_small_file_costs_few_system_calls(
    hyperbox: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unpacking: open, write, times, close. Removing: unlink. What is beside it must not grow with the number of files."""
    image = f"{bench_image.SMALL_FILES}:loaded"
    counts: dict[str, list[int]] = {"load": [], "rmi": []}
    for number in (500, 2500):
        monkeypatch.setattr(bench_image, "SMALL_COUNT", number)
        folder = tmp_path / str(number)
        folder.mkdir()
        bench_image.make_small_files(str(folder))
        for words in (["load", "-q", "-i", f"{folder}/small-files.tar"], ["rmi", image]):
            trace = folder / words[0]
            argv = ["strace", "-f", "-qq", "-s", "4", "-o", str(trace), *hyperbox.argv, *words]
            subprocess.run(argv, env=hyperbox.environment, check=True, capture_output=True, timeout=120)
            calls = re.findall(r"^\d+ +([a-z_0-9]+)\(", trace.read_text(errors="replace"), re.MULTILINE)
            # threads wait for each other, as often as they happen to
            counts[words[0]].append(
                sum(name not in ("futex", "clock_nanosleep", "mmap", "munmap", "brk") for name in calls)
            )
    each = {name: (many - few) / 2000 for name, (few, many) in counts.items()}
    assert 3.5 < each["load"] < 4.6, counts
    assert 0.9 < each["rmi"] < 1.3, counts
