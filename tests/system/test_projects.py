"""Projects side by side with real containers: names, ports, addresses, isolation, variables, budgets, and nothing left."""

from __future__ import annotations

import json
import os
import shutil
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import Command, forget_projects, wait_until

COMPOSE = """
services:
  web:
    image: busybox
    container_name: fixed
    init: true
    command: sh -c 'hostname >/index.html; echo "$$CALLBACK" >/callback; exec httpd -f -p 80 -h /'
    environment:
      CALLBACK: "http://localhost:${HYPERBOX_PORT_WEB_80:?}/done on ${HYPERBOX_ADDRESS}"
    ports: ["8085:80"]
    networks: {net: {aliases: [alias-of-web]}}
  peer:
    image: busybox
    init: true
    command: sleep 600
    networks: [net]
networks: {net: {name: fixed-net}}
volumes: {}
"""


def make(folder: Path, text: str = COMPOSE) -> Path:
    folder.mkdir(parents=True)
    (folder / "compose.yaml").write_text(text)
    return folder


def page(address: str) -> str:
    try:
        with urllib.request.urlopen(f"http://{address}/", timeout=3) as response:
            return str(response.read().decode().strip())
    except OSError:
        return ""


def inside(hyperbox: Command, folder: Path, service: str, script: str, code: int | None = 0) -> str:
    return hyperbox("compose", "exec", "-T", service, "sh", "-c", script, folder=folder, code=code).out


@pytest.fixture
def two(hyperbox: Command, busybox: str, tmp_path: Path) -> tuple[Path, Path]:
    """Two folders with one compose file, both up; they are brought down afterwards and nothing may be left."""
    forget_projects(hyperbox)
    folders = make(tmp_path / "one" / "app"), make(tmp_path / "two" / "app")
    for folder in folders:
        hyperbox("compose", "up", "-d", folder=folder)
    yield folders
    ids = hyperbox("project", "ls", "-q").out.split()
    for folder in folders:
        hyperbox("compose", "down", "-v", "-t", "0", folder=folder, code=None)
    hyperbox("project", "rm", "-f", "-v", *[each for each in ids if each.startswith("app")])
    assert hyperbox("ps", "-aq").out == ""
    assert ".hyperbox" not in Path("/etc/hosts").read_text()
    assert json.loads(hyperbox("doctor", "--json", code=None).out)[-1]["what"] == "none"


def test_one_file_from_two_folders_is_two_projects_and_each_answers(hyperbox: Command, two: tuple[Path, Path]) -> None:
    one, other = two
    names = [hyperbox("compose", "ps", "--format", "{{.Name}}", "web", folder=folder).out.strip() for folder in two]
    assert names == ["fixed", "fixed-two"]
    ids = [hyperbox("compose", "ps", "-q", "web", folder=folder).out[:12] for folder in two]
    host = [
        hyperbox("compose", "port", "web", "80", folder=folder).out.strip().replace("0.0.0.0", "127.0.0.1")
        for folder in two
    ]
    assert host[0] == "127.0.0.1:8085"
    assert host[1] != host[0]
    variables = [json.loads(hyperbox("env", "--json", folder=folder).out) for folder in two]
    assert [each["HYPERBOX_PORT_WEB_80"] for each in variables] == [each.rpartition(":")[2] for each in host]
    for number, project in enumerate(("app", "app-two")):
        for address in (
            host[number],
            f"{variables[number]['HYPERBOX_ADDRESS']}:8085",
            f"web.{project}.hyperbox:8085",
            f"{project}.hyperbox:8085",
        ):
            assert wait_until(lambda address=address: page(address)) == ids[number], address
        callback = f"http://localhost:{variables[number]['HYPERBOX_PORT_WEB_80']}/done on {variables[number]['HYPERBOX_ADDRESS']}"
        assert inside(hyperbox, two[number], "web", "cat /callback") == callback + "\n"
    assert hyperbox("compose", "up", "-d", folder=other).err.count("taken") == 0  # what is up already is not told again
    del one


def test_names_resolve_inside_a_project_and_nothing_of_another_can_be_reached(
    hyperbox: Command, two: tuple[Path, Path]
) -> None:
    one, other = two
    address = {}
    for folder in two:
        name = hyperbox("compose", "ps", "-q", "web", folder=folder).out.strip()
        answer = json.loads(hyperbox("inspect", name).out)[0]["NetworkSettings"]["Networks"]
        (address[folder],) = [each["IPAddress"] for each in answer.values()]
    for folder in two:
        for name in ("web", "fixed", "alias-of-web", hyperbox("compose", "ps", "-q", "web", folder=folder).out[:12]):
            assert address[folder] in inside(hyperbox, folder, "peer", f"nslookup {name} 127.0.0.11")
        assert inside(
            hyperbox, folder, "peer", "printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | nc -w 3 web 80"
        ).strip()
    for here, there in ((one, other), (other, one)):
        assert (
            inside(hyperbox, here, "peer", f"nc -w 1 {address[there]} 80 </dev/null || echo unreachable")
            == "unreachable\n"
        )
        assert (
            inside(hyperbox, here, "peer", f"ping -c 1 -W 1 {address[there]} >/dev/null || echo unreachable")
            == "unreachable\n"
        )
    assert inside(hyperbox, one, "peer", "nslookup fixed-two 127.0.0.11 >/dev/null 2>&1 || echo unknown") == "unknown\n"
    seen = inside(hyperbox, one, "peer", "ps")
    assert "httpd" not in seen
    assert len(seen.splitlines()) <= 6


def test_an_external_network_joins_on_purpose_and_an_internal_one_has_no_way_out(
    hyperbox: Command, busybox: str, tmp_path: Path
) -> None:
    service = "services: {web: {image: busybox, init: true, hostname: h, command: httpd -f -p 80, networks: [n]}}\n"
    hyperbox("network", "create", "meeting")
    folders = [
        make(tmp_path / name, service + "networks: {n: {name: meeting, external: true}}\n") for name in ("a", "b")
    ]
    closed = make(tmp_path / "closed", service + "networks: {n: {internal: true}}\n")
    try:
        for folder in (*folders, closed):
            hyperbox("compose", "up", "-d", folder=folder)
        assert inside(hyperbox, folders[0], "web", "ping -c 1 -W 2 b-web-1 >/dev/null && echo reached") == "reached\n"
        gateway = json.loads(hyperbox("network", "inspect", "meeting").out)[0]["IPAM"]["Config"][0]["Gateway"]
        assert inside(hyperbox, closed, "web", f"ping -c 1 -W 1 {gateway} >/dev/null 2>&1 || echo closed") == "closed\n"
        assert "default" not in inside(hyperbox, closed, "web", "ip route")
    finally:
        for folder in (*folders, closed):
            hyperbox("compose", "down", "-t", "0", folder=folder, code=None)
        hyperbox("network", "rm", "meeting")
        hyperbox("project", "rm", "a", "b", "closed", code=None)


def test_policies(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    text = "services: {web: {image: busybox, init: true, command: sleep 600, ports: ['8086:80']}}\n"
    first, second = make(tmp_path / "first", text), make(tmp_path / "second", text + "x-hyperbox: {ports: strict}\n")
    try:
        hyperbox("compose", "up", "-d", folder=first)
        failed = hyperbox("compose", "up", "-d", folder=second, code=1)
        assert "Bind for 0.0.0.0:8086 failed: port is already allocated" in failed.err
        hyperbox("project", "policy", "second", "range")
        hyperbox("compose", "up", "-d", "--force-recreate", folder=second)
        (leased,) = json.loads(hyperbox("project", "inspect", "second").out)[0]["Leases"]
        port = int(hyperbox("compose", "port", "web", "80", folder=second).out.rpartition(":")[2])
        assert leased["First"] <= port <= leased["Last"]
        refused = hyperbox("run", "-d", "-p", "8086:80", busybox, "sleep", "9", code=125)
        assert "port is already allocated" in refused.err
    finally:
        for folder in (first, second):
            hyperbox("compose", "down", "-t", "0", folder=folder, code=None)
        hyperbox("rm", "-f", *hyperbox("ps", "-aq").out.split(), code=None)
        hyperbox("project", "rm", "first", "second", code=None)


def test_a_moved_folder_is_adopted_and_a_deleted_one_pruned(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    text = "services: {web: {image: busybox, init: true, command: sleep 600, ports: ['8087:80']}}\n"
    forget_projects(hyperbox)
    folder = make(tmp_path / "before" / "moved", text)
    hyperbox("compose", "up", "-d", folder=folder)
    port = hyperbox("compose", "port", "web", "80", folder=folder).out
    target = tmp_path / "after" / "moved"
    target.parent.mkdir()
    folder.rename(target)
    assert "(gone)" in hyperbox("project", "ls").out
    hyperbox("project", "adopt", "moved", str(target))
    assert "(gone)" not in hyperbox("project", "ls").out
    hyperbox("compose", "up", "-d", folder=target)
    assert hyperbox("compose", "port", "web", "80", folder=target).out == port
    hyperbox("compose", "down", "-t", "0", folder=target)
    hyperbox("project", "rename", "moved", "renamed")
    hyperbox("compose", "up", "-d", folder=target)
    assert hyperbox("compose", "ps", "--format", "{{.Name}}", folder=target).out == "renamed-web-1\n"
    assert "container renamed-web-1 is named after" in hyperbox("project", "rename", "renamed", "x", code=1).err
    hyperbox("compose", "down", "-t", "0", folder=target)
    shutil.rmtree(target)
    assert hyperbox("project", "prune", "--force").out == "renamed\n"
    assert hyperbox("project", "ls", "-q").out == ""


def test_after_a_reboot_what_restart_policies_want_comes_back(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    """The reboot: every process of the roots is killed and the runtime folder is gone."""
    own = {"HYPERBOX_RUN": str(tmp_path / "run")}
    command = Command(hyperbox.argv, {**hyperbox.environment, **own}, tmp_path)
    service = "{image: busybox, init: true, command: sleep 600"
    text = "services:\n" + "".join(
        f"  {name}: {service}, restart: {policy}}}\n"
        for name, policy in (
            ("a", "always"),
            ("u", "unless-stopped"),
            ("s", "unless-stopped"),
            ("f", "on-failure"),
            ("n", "'no'"),
        )
    )
    folder = make(tmp_path / "boot", text.replace("restart: always", "restart: always, ports: ['8088:80']"))
    try:
        command("compose", "up", "-d", folder=folder)
        port = command("compose", "port", "a", "80", folder=folder).out
        command("compose", "stop", "-t", "0", "s", folder=folder)
        kill_everything(command)
        shutil.rmtree(tmp_path / "run")
        states = dict(
            line.split() for line in command("ps", "-a", "--format", "{{.Names}} {{.State}}").out.splitlines()
        )
        assert states == {
            "boot-a-1": "running", "boot-u-1": "running", "boot-s-1": "exited", "boot-f-1": "running", "boot-n-1": "exited",
        }  # fmt: skip
        assert sorted(command("project", "restore").out.split()) == ["boot-a-1", "boot-f-1", "boot-u-1"]
        assert command("compose", "port", "a", "80", folder=folder).out == port
    finally:
        command("compose", "down", "-t", "0", folder=folder, code=None)
        command("project", "rm", "-f", "boot", code=None)
        hyperbox("network", "prune", "-f", code=None)


def kill_everything(command: Command) -> None:
    """Kill all monitors and containers of the command's roots at once, as the end of the machine does."""
    states = [
        json.loads(path.read_text()) for path in Path(os.environ["HYPERBOX_DATA"]).glob("containers/*/state.json")
    ]
    for state in states:
        for key in ("Monitor", "Pid"):
            if state[key]:
                os.kill(state[key], 9)
    wait_until(lambda: not any(os.path.exists(f"/proc/{state['Pid']}") for state in states if state["Pid"]))
    for pattern in ("boot/*", "*/boot/*"):  # the groups go with the machine as well
        for group in Path("/sys/fs/cgroup").glob(f"{pattern.replace('boot', os.environ['HYPERBOX_CGROUP'] + '/boot')}"):
            if group.is_dir():
                wait_until(lambda group=group: removed(group))


def removed(group: Path) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


@pytest.mark.parametrize("way", ["include", "extends"])
def test_a_port_that_must_be_set_may_stand_in_another_file_only(
    hyperbox: Command, busybox: str, tmp_path: Path, way: str
) -> None:
    service = "{image: busybox, init: true, command: sleep 600, ports: ['8094:80']"
    inner = f"services: {{web: {service}, environment: {{CALL: 'http://localhost:${{HYPERBOX_PORT_WEB_80:?}}/'}}}}}}\n"
    outer = {
        "include": "include: [inner.yaml]\n",
        "extends": "services: {web: {extends: {file: inner.yaml, service: web}}}\n",
    }
    folder = make(tmp_path / way, outer[way])
    (folder / "inner.yaml").write_text(inner)
    try:
        hyperbox("compose", "up", "-d", folder=folder)
        assert inside(hyperbox, folder, "web", "echo $CALL") == "http://localhost:8094/\n"
        assert "Recreate" not in hyperbox("compose", "up", "-d", folder=folder).err
    finally:
        hyperbox("compose", "down", "-t", "0", folder=folder, code=None)
        hyperbox("project", "rm", "-f", way, code=None)


@pytest.mark.parametrize("way", ["rm", "container prune", "system prune"])
def test_what_a_project_claims_is_free_once_its_containers_are_removed_by_hand(
    hyperbox: Command, busybox: str, tmp_path: Path, way: str
) -> None:
    service = "{image: busybox, container_name: claimed, init: true, command: sleep 600, ports: ['8095:80']}"
    forget_projects(hyperbox)
    first, other = (make(tmp_path / name / "app", f"services: {{web: {service}}}\n") for name in ("one", "two"))
    try:
        hyperbox("compose", "up", "-d", folder=first)
        hyperbox("compose", "stop", "-t", "0", folder=first)
        if way == "rm":
            hyperbox("rm", "claimed")
        else:
            hyperbox(*way.split(), "-f")
        up = hyperbox("compose", "up", "-d", folder=other)
        assert "taken" not in up.err
        assert hyperbox("compose", "port", "web", "80", folder=other).out == "0.0.0.0:8095\n"
        assert hyperbox("compose", "ps", "--format", "{{.Name}}", folder=other).out == "claimed\n"
        again = hyperbox("compose", "up", "-d", folder=first)  # and the first one is the second now
        assert "web port 8095 is taken" in again.err
        assert hyperbox("compose", "ps", "--format", "{{.Name}}", folder=first).out == "claimed-app\n"
        hyperbox("rm", "-f", "claimed-app", "there-is-none")
    finally:
        for folder in (first, other):
            hyperbox("compose", "down", "-t", "0", folder=folder, code=None)
        forget_projects(hyperbox)


def test_what_is_printed_of_projects_follows_formats(hyperbox: Command, busybox: str, tmp_path: Path) -> None:
    forget_projects(hyperbox)
    text = "services: {web: {image: busybox, init: true, command: sleep 600, ports: ['127.0.0.1:8096:80', '[::1]:8096:80/udp']}}\n"
    folder = make(tmp_path / "shown", text)

    def show(*words: str, code: int = 0) -> str:
        found = hyperbox("project", *words, folder=folder, code=code)
        return found.out if code == 0 else found.err

    try:
        hyperbox("compose", "up", "-d", folder=folder)
        assert show("ls", "--format", "{{.ID}} {{.State}} {{.Folder}}") == f"shown running(1) {folder}\n"
        assert show("ls", "--format", "table {{.ID}}\t{{.State}}").split() == [
            "PROJECT",
            "STATE",
            "shown",
            "running(1)",
        ]
        assert json.loads(show("ls", "--format", "json"))["ID"] == "shown"
        assert json.loads(show("ls", "--json"))[0]["Id"] == "shown"
        assert show("ls", "-q") == "shown\n"
        lines = show("ports", "--format", "{{.Service}} {{.Port}} {{.Host}}").splitlines()
        assert lines == ["web 80/tcp 127.0.0.1:8096", "web 80/udp [::1]:8096"]
        assert [json.loads(line)["HostPort"] for line in show("ports", "shown", "--format", "json").splitlines()] == [
            8096,
            8096,
        ]
        assert (
            show("inspect", "--format", "{{.Id}} {{len .Containers}} {{(index .Leases 0).First}}") == "shown 1 10000\n"
        )
        assert json.loads(show("inspect", "--format", "json"))["Id"] == "shown"
        assert show("limit", "--pids", "90", "--format", "{{.pids}}") == "90\n"
        assert show("stats", "shown", "--interval", "0.1", "--format", "{{.Project}} {{.OOMKills}}") == "shown 0\n"
        assert show("stats", "--interval", "0.1").split()[:3] == ["PROJECT", "CPU", "%"]
        for words in (("ls",), ("ports",), ("inspect",), ("stats",), ("limit",)):
            assert "template parsing error" in show(
                *words, "--format", "{{.Id", code=1 if words[0] not in ("inspect", "limit") else 64
            )
            assert "template parsing error" in show(*words, "--format", "{{.Nothing.At.All}}", code=1)
        assert "no such project: none" in show("inspect", "none", code=1)
    finally:
        hyperbox("compose", "down", "-t", "0", folder=folder, code=None)
        hyperbox("project", "rm", "-f", "shown", code=None)


def test_down_gives_back_the_subnets_of_a_project_that_was_never_made(
    hyperbox: Command, busybox: str, tmp_path: Path
) -> None:
    text = """
services: {web: {image: "%s", pull_policy: never, command: sleep 600, networks: [net]}}
networks: {net: {ipam: {config: [{subnet: 10.218.0.0/24}]}}}
"""
    failed = make(tmp_path / "hb-subnet-failed", text % "hb-no-such-image")
    other = make(tmp_path / "hb-subnet-other", text % busybox)
    try:
        hyperbox("compose", "--project-directory", failed, "create", code=1)
        hyperbox("compose", "--project-directory", failed, "down")
        hyperbox("compose", "--project-directory", other, "create")
        told = hyperbox("network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", "hb-subnet-other_net")
        assert told.out == "10.218.0.0/24\n"
    finally:
        hyperbox("compose", "--project-directory", other, "down")
        forget_projects(hyperbox)
