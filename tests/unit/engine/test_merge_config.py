import pytest

from hyperbox.engine.create_checks import settle_security
from hyperbox.engine.merge_config import check, check_name, merged_config
from hyperbox.errors import InvalidParameter

ID = "0123456789ab" + "0" * 52


def command(user: dict[str, object], image: dict[str, object]) -> tuple[object, object]:
    config = merged_config({"Env": [], **user}, image, ID)
    return config["Entrypoint"], config["Cmd"]


def test_the_images_command_stands_unless_the_user_gives_one_or_an_entrypoint() -> None:
    image = {"Entrypoint": ["/e"], "Cmd": ["c"]}
    assert command({}, image) == (["/e"], ["c"])
    assert command({"Cmd": ["x"]}, image) == (["/e"], ["x"])
    assert command({"Entrypoint": ["/f"]}, image) == (["/f"], None)
    assert command({"Entrypoint": ["/f"], "Cmd": ["x"]}, image) == (["/f"], ["x"])
    assert command({"Entrypoint": [""], "Cmd": ["x"]}, image) == (None, ["x"])


def test_no_command_at_all_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="no command specified"):
        merged_config({}, {}, ID)


def test_the_users_environment_comes_first_and_the_images_own_follows() -> None:
    config = merged_config({"Env": ["B=2", "A=1", "GONE"], "Cmd": ["x"]}, {"Env": ["PATH=/p", "A=0", "GONE=1"]}, ID)
    assert config["Env"] == ["B=2", "A=1", "GONE", "PATH=/p"]


def test_the_shell_of_an_image_is_for_its_build_and_no_part_of_a_containers_configuration() -> None:
    assert "Shell" not in merged_config({"Cmd": ["x"]}, {"Shell": ["/bin/bash", "-c"]}, ID)


def test_labels_ports_and_volumes_are_joined_and_the_rest_replaced() -> None:
    image = {"Labels": {"a": "1", "b": "1"}, "ExposedPorts": {"80/tcp": {}}, "User": "u", "WorkingDir": "/w"}
    config = merged_config({"Cmd": ["x"], "Labels": {"b": "2"}, "ExposedPorts": {"81/tcp": {}}, "User": "v"}, image, ID)
    assert config["Labels"] == {"a": "1", "b": "2"}
    assert set(config["ExposedPorts"]) == {"80/tcp", "81/tcp"}  # type: ignore[call-overload]
    assert (config["User"], config["WorkingDir"], config["Hostname"]) == ("v", "/w", "0123456789ab")


@pytest.mark.parametrize("name", ["a", "a b", "-a", "a/b", ""])
def test_names_that_docker_refuses_are_refused(name: str) -> None:
    with pytest.raises(InvalidParameter, match="Invalid container name"):
        check_name(name)


@pytest.mark.parametrize(
    ("config", "host_config", "words"),
    [
        ({"WorkingDir": "rel"}, {}, "the working directory 'rel' is invalid, it needs to be an absolute path"),
        ({"StopSignal": "FOO"}, {}, "invalid signal: FOO"),
        ({}, {"Memory": 1 << 20}, "Minimum memory limit allowed is 6MB"),
        ({}, {"Memory": -1}, "Minimum memory limit allowed is 6MB"),
        ({}, {"RestartPolicy": {"Name": "bogus"}}, "unknown policy 'bogus'"),
        ({}, {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}}, "only be used with 'on-failure'"),
        (
            {},
            {"LogConfig": {"Type": "json-file", "Config": {"foo": "1"}}},
            "unknown log opt 'foo' for json-file log driver",
        ),
    ],
)
def test_what_docker_refuses_is_refused_in_its_words(
    config: dict[str, object], host_config: dict[str, object], words: str
) -> None:
    with pytest.raises(InvalidParameter, match=words):
        check(config, host_config)


@pytest.mark.parametrize(
    ("given", "cleaned"), [("/srv/x/", "/srv/x"), ("//a//b/../c/", "/a/c"), ("/", "/"), ("/a/.", "/a")]
)
def test_a_working_folder_that_the_user_gives_is_cleaned(given: str, cleaned: str) -> None:
    assert merged_config({"Cmd": ["x"], "WorkingDir": given}, {}, ID)["WorkingDir"] == cleaned
    assert merged_config({"Cmd": ["x"]}, {"WorkingDir": given}, ID)["WorkingDir"] == given


@pytest.mark.parametrize(
    ("given", "settled"),
    [
        ([], ["label=disable"]),
        (["label=user:x"], ["label=user:x"]),
        (["label:disable", "no-new-privileges"], ["label:disable", "no-new-privileges", "label=disable"]),
    ],
)
def test_labels_are_switched_off_where_a_container_is_privileged_unless_some_are_given(
    given: list[str], settled: list[str]
) -> None:
    host: dict[str, object] = {"Privileged": True, "SecurityOpt": given}
    settle_security(host)
    assert host["SecurityOpt"] == settled
