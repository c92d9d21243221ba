"""hyperbox doctor: it finds what crashes leave, mends it, and never touches what belongs to a container that is there."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.conftest import Command

DEAD = "d" * 64


def findings(hyperbox: Command, subject: str, *flags: str) -> dict[str, str]:
    rows = json.loads(hyperbox("doctor", "--json", *flags, code=None).out)
    return {row["what"]: row["state"] for row in rows if row["subject"] == subject}


def nft(*words: str) -> None:
    subprocess.run(["nft", *words], check=True)


def test_planted_leftovers_are_found_and_removed_and_live_things_stay(hyperbox: Command, busybox: str) -> None:
    data, run, cgroup = (os.environ[f"HYPERBOX_{name}"] for name in ("DATA", "RUN", "CGROUP"))
    table = cgroup.replace("-", "_")
    name = hyperbox("run", "-d", "--init", "--name", "alive", "-p", "8097:80", busybox, "httpd", "-f").out.strip()
    try:
        hyperbox("create", "--name", "asleep", busybox, "true")
        hyperbox("network", "create", "kept")
        before = findings(hyperbox, "leftovers")
        assert before == {"none": "ok"}
        root = next(path for path in (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")) if path.is_dir())
        (root / cgroup / "ghost" / DEAD).mkdir(parents=True)
        os.makedirs(f"{run}/containers/{DEAD}")
        os.symlink(DEAD, f"{data}/names/ghost")
        Path(f"{data}/networks/x.json.tmp.999999999").touch()
        nft("add", "element", "inet", table, "published4_any", "{ tcp . 8098 : 10.89.200.2 . 80 }")
        group = subprocess.run(
            ["ip", "-j", "link", "show", "type", "bridge"], capture_output=True, text=True, check=True
        )
        number = next(link["group"] for link in json.loads(group.stdout) if str(link["group"]) not in ("default", "0"))
        subprocess.run(["ip", "link", "add", "br-ghost", "group", str(number), "type", "bridge"], check=True)
        planted = {
            f"cgroup /{cgroup}/ghost/{DEAD}",
            f"folder {run}/containers/{DEAD}",
            "name ghost of a container that is gone",
            f"file {data}/networks/x.json.tmp.999999999",
            "published port 0.0.0.0:8098/tcp of a container that is gone",
            "bridge br-ghost",
        }
        assert findings(hyperbox, "leftovers") == dict.fromkeys(planted, "bad")
        assert findings(hyperbox, "leftovers", "--fix") == dict.fromkeys(planted, "fixed")
        assert findings(hyperbox, "leftovers") == {"none": "ok"}
        assert hyperbox("inspect", "-f", "{{.State.Running}}", name).out == "true\n"
        assert hyperbox("port", name).out.splitlines()[0] == "80/tcp -> 0.0.0.0:8097"
        listed = subprocess.run(
            ["nft", "list", "map", "inet", table, "published4_any"], capture_output=True, text=True, check=True
        )
        assert "8097" in listed.stdout
        assert hyperbox("start", "asleep").out == "asleep\n"
    finally:
        hyperbox("rm", "-f", "alive", "asleep", code=None)
        hyperbox("network", "rm", "kept", code=None)
        subprocess.run(["ip", "link", "delete", "br-ghost"], check=False, capture_output=True)


def test_a_mistake_in_the_configuration_is_found(hyperbox: Command, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[ports]\npolicy = "loose"\n')
    mistaken = {"HYPERBOX_CONFIG": str(path)}
    rows = json.loads(hyperbox("doctor", "--json", code=1, env=mistaken).out)
    (row,) = [row for row in rows if row["subject"] == "configuration"]
    assert row["state"] == "bad"
    assert f'{path}: ports.policy: "loose" is not one of auto, range, strict' in row["what"]
    assert "ports.policy" in hyperbox("config", "check", code=1, env=mistaken).err
    hyperbox("config", "set", "ports.policy", "range", env=mistaken)
    assert hyperbox("config", "get", "ports.policy", env=mistaken).out == "range\n"
    assert hyperbox("config", "check", env=mistaken).out == f"{path}\n"


def test_subnets_come_from_the_pool_and_get_smaller_when_it_is_short(hyperbox: Command) -> None:
    pool = {"HYPERBOX_NETWORKS_POOL": "10.201.0.0/24", "HYPERBOX_NETWORKS_SIZE": "26"}
    names = [f"pool{number}" for number in range(6)]
    try:
        hyperbox("network", "create", "--subnet", "10.201.0.64/27", names[0])
        for name in names[1:5]:
            hyperbox("network", "create", name, env=pool)
        shown = hyperbox("network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", *names[1:5]).out.split()
        assert shown == ["10.201.0.0/26", "10.201.0.128/26", "10.201.0.192/26", "10.201.0.96/28"]
        hyperbox("network", "create", names[5], env=pool)
        full = hyperbox("network", "create", "full", code=1, env=pool)
        assert "all predefined address pools have been fully subnetted" in full.err
    finally:
        hyperbox("network", "rm", *names, code=None)


def test_broken_records_and_a_renaming_that_was_killed_are_mended(
    hyperbox: Command, busybox: str, tmp_path: Path
) -> None:
    projects = Path(os.environ["HYPERBOX_DATA"]) / "projects"
    folder = tmp_path / "doctored"
    folder.mkdir()
    (folder / "compose.yaml").write_text("services: {web: {image: busybox, command: 'true'}}\n")
    hyperbox("compose", "create", folder=folder)
    hyperbox("compose", "down", folder=folder)
    (projects / "garbage.json").write_text('{"Id": "garbage"')
    hyperbox("project", "rename", "doctored", "mended", env={"HYPERBOX_TEST_KILL_AT": "rename-begun"}, code=-9)
    planted = {
        f"{projects}/garbage.json is no record of a project",
        "doctored was being renamed to mended when the command was killed",
    }
    assert {what for what, state in findings(hyperbox, "projects").items() if state == "bad"} == planted
    assert {what for what, state in findings(hyperbox, "projects", "--fix").items() if state == "fixed"} == planted
    assert "bad" not in findings(hyperbox, "projects").values()
    assert "mended" in hyperbox("project", "ls", "-q").out.split()
    hyperbox("project", "rm", "mended")


def test_the_hosts_file_is_looked_at_as_it_is(hyperbox: Command, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    mark = f"# hyperbox {os.environ['HYPERBOX_CGROUP']}/gone"
    hosts.write_text(f"127.0.0.1 localhost\n{mark} begin\n127.89.9.9 gone.hyperbox\n{mark} end\n")
    own = {"HYPERBOX_HOSTS_FILE": str(hosts)}

    def found(*flags: str) -> dict[str, str]:
        rows = json.loads(hyperbox("doctor", "--json", *flags, code=None, env=own).out)
        return {row["what"]: row["state"] for row in rows if row["subject"] == "hosts"}

    stale = f"{hosts} names the project gone, which is gone"
    assert found()[stale] == "bad"
    assert found("--fix")[stale] == "fixed"
    assert hosts.read_text() == "127.0.0.1 localhost\n"
    assert found() == {str(hosts): "ok"}
    hosts.unlink()
    hosts.mkdir()
    assert found() != {str(hosts): "ok"}
    hosts.rmdir()
    hosts.symlink_to(tmp_path / "nowhere")
    assert list(found().values()) == ["note"]
