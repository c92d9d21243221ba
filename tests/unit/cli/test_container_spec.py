"""cli/container_spec*.py: flags of run and create as what the engine takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperbox.cli.container_spec import container_spec, environment_list
from hyperbox.cli.container_spec_mounts import device, mount, volumes
from hyperbox.cli.container_spec_ports import ports
from hyperbox.engine.api import ContainerSpec
from hyperbox.errors import HyperBoxError
from hyperbox.grammar.parse import parse


def spec(*words: str) -> ContainerSpec:
    return container_spec(parse(["docker", "run", *words]))


@pytest.mark.behaviour(11, 29)
def test_everything_after_the_image_is_the_command() -> None:
    assert spec("-d", "busybox", "sleep", "-x").config["Cmd"] == ["sleep", "-x"]
    assert spec("--entrypoint", "", "busybox").config["Entrypoint"] == [""]
    assert spec("--entrypoint", "a b", "busybox").config["Entrypoint"] == ["a b"]


def test_streams_are_attached_as_docker_does() -> None:
    foreground, detached = spec("-i", "busybox").config, spec("-di", "busybox").config
    assert [foreground[key] for key in ("AttachStdin", "AttachStdout", "AttachStderr", "StdinOnce")] == [True] * 4
    assert [detached[key] for key in ("AttachStdin", "AttachStdout", "AttachStderr", "StdinOnce")] == [False] * 4
    assert detached["OpenStdin"] is True


@pytest.mark.behaviour(28)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80", {"80/tcp": [{"HostIp": "", "HostPort": ""}]}),
        ("8080:80/udp", {"80/udp": [{"HostIp": "", "HostPort": "8080"}]}),
        ("127.0.0.1::53", {"53/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}),
        ("[::1]:1:2", {"2/tcp": [{"HostIp": "::1", "HostPort": "1"}]}),
        ("3000-3010:80", {"80/tcp": [{"HostIp": "", "HostPort": "3000-3010"}]}),
        ("published=8,target=9", {"9/tcp": [{"HostIp": "", "HostPort": "8"}]}),
    ],
)
def test_each_form_of_a_published_port(text: str, expected: object) -> None:
    assert ports([text], [])[1] == expected


def test_ranges_of_equal_length_go_one_to_one() -> None:
    assert ports(["10-11:20-21"], ["30-31"])[0] == {"20/tcp": {}, "21/tcp": {}, "30/tcp": {}, "31/tcp": {}}


@pytest.mark.behaviour(28)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("99999:80", "Invalid hostPort: 99999"),
        ("80:x", "Invalid containerPort: x"),
        ("1.2.3.4.5:80:80", "Invalid ip address: 1.2.3.4.5"),
        ("1-2:3-5", "Invalid ranges specified for container and host Ports: 3-5 and 1-2"),
        ("80:80/bogus", "Invalid proto: bogus"),
        ("8080:", "No port specified: 8080:<empty>"),
    ],
)
def test_what_is_no_port_is_refused_with_dockers_words(text: str, message: str) -> None:
    with pytest.raises(HyperBoxError) as failed:
        ports([text], [])
    assert failed.value.message == message


@pytest.mark.behaviour(27)
def test_volumes_are_binds_or_anonymous_and_relative_paths_made_absolute(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert volumes(["./x:/y", "name:/z:ro", "/anonymous"]) == ([f"{tmp_path}/x:/y", "name:/z:ro"], {"/anonymous": {}})


def test_a_mount_is_the_engines_mount() -> None:
    assert mount("type=volume,src=n,dst=/d,readonly,volume-nocopy,volume-opt=type=nfs") == {
        "Type": "volume",
        "Source": "n",
        "Target": "/d",
        "ReadOnly": True,
        "VolumeOptions": {"NoCopy": True, "DriverConfig": {"Options": {"type": "nfs"}}},
    }


def test_a_device_has_docker_s_defaults() -> None:
    assert device("/dev/x:r") == {"PathOnHost": "/dev/x", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}
    assert device("/dev/x:/dev/y")["PathInContainer"] == "/dev/y"


@pytest.mark.behaviour(26)
@pytest.mark.parametrize(
    ("text", "expected"),  # as docker's `create` recorded them
    [
        ("all", {"Count": -1}),
        ("2", {"Count": 2}),
        ("device=0,1", {"Count": 1, "DeviceIDs": ["0"]}),
        ('"device=0,1"', {"DeviceIDs": ["0", "1"]}),
        (
            '"device=0,1",driver=nvidia,capabilities=utility',
            {"Driver": "nvidia", "DeviceIDs": ["0", "1"], "Capabilities": [["utility", "gpu"]]},
        ),
        ("options=a=b", {"Count": 1, "Options": {"a": "b"}}),
        ('"options=a=b,c"', {"Count": 1, "Options": {"a": "b", "c": ""}}),
    ],
)
def test_gpus_are_device_requests(text: str, expected: dict[str, object]) -> None:
    usual = {"Driver": "", "Count": 0, "DeviceIDs": None, "Capabilities": [["gpu"]], "Options": {}}
    assert spec("--gpus", text, "busybox").host_config["DeviceRequests"] == [{**usual, **expected}]


def test_variables_come_from_files_then_flags_and_bare_names_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERE", "yes")
    monkeypatch.delenv("ABSENT", raising=False)
    file = tmp_path / "env"
    file.write_bytes(b"\xef\xbb\xbf# comment\nA='raw value'\nHERE\nABSENT\n")
    assert environment_list(["B=", "HERE", "ABSENT"], [str(file)]) == [
        "A='raw value'",
        "HERE=yes",
        "B=",
        "HERE=yes",
        "ABSENT",
    ]
    with pytest.raises(HyperBoxError, match="open /nonexistent/env: no such file or directory"):
        environment_list([], ["/nonexistent/env"])


@pytest.mark.behaviour(31)
def test_networks_keep_their_aliases_and_addresses() -> None:
    made = spec("--network", "name=n,alias=z,ip=1.2.3.4", "--network", "m", "busybox")
    assert made.host_config["NetworkMode"] == "n"
    assert made.networking_config == {
        "EndpointsConfig": {"n": {"Aliases": ["z"], "IPAMConfig": {"IPv4Address": "1.2.3.4"}}, "m": {}}
    }
    with pytest.raises(HyperBoxError, match="specified multiple times"):
        spec("--network", "a", "--network", "a", "busybox")
