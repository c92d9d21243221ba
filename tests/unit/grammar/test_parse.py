"""The parser's results beyond docker's errors: values, paths, globals, our own verbs."""

from __future__ import annotations

import pytest

from hyperbox.errors import UnsupportedError, UsageError
from hyperbox.grammar.parse import Invocation, parse


def parsed(line: str) -> Invocation:
    return parse(line.split())


def test_clusters_and_values_of_each_type() -> None:
    run = parsed(
        "docker run -itde A=1 -p8080:80 -m 10m --cpus 1.5 --sysctl net.a=b --health-interval 1m30s --rm=false img sh -c x"
    )
    assert run.path == "container run"
    assert run.typed == "run"
    assert run.arguments == ["img", "sh", "-c", "x"]
    expected = {
        "interactive": True,
        "tty": True,
        "detach": True,
        "env": ["A=1"],
        "publish": ["8080:80"],
        "memory": 10 << 20,
        "cpus": 1_500_000_000,
        "sysctl": {"net.a": "b"},
        "health-interval": 90_000_000_000,
        "rm": False,
    }
    assert {name: run.flags[name] for name in run.given} == expected


def test_flags_that_are_not_given_have_their_defaults_and_lists_are_new_each_time() -> None:
    first, second = parsed("docker run a"), parsed("docker run a")
    assert first.given == {}
    assert first.flags["pull"] == "missing"
    assert first.flags["memory-swappiness"] == -1
    assert first.flags["env"] == []
    assert first.flags["env"] is not second.flags["env"]


def test_another_word_for_a_flag_sets_the_same_value() -> None:
    assert parsed("docker run --net host a").flags["network"] == ["host"]
    notices: list[str] = []
    stop = parse(["docker", "stop", "--time", "3", "a"], notices)
    assert stop.flags["timeout"] == 3
    assert notices == ["Flag --time has been deprecated, use --timeout instead"]


@pytest.mark.parametrize(
    ("line", "path", "typed"),
    [
        ("docker ps", "container ls", "ps"),
        ("docker container ps", "container ls", "container ls"),
        ("docker image remove x", "image rm", "image rm"),
        ("docker rmi x", "image rm", "rmi"),
        ("docker info", "system info", "info"),
        ("docker compose up", "compose up", "compose up"),
        ("docker-compose up", "compose up", "compose up"),
        ("docker-compose -v", "compose version", "compose version"),
        ("hyperbox ps", "container ls", "ps"),
        ("hyperbox project ls -x", "hyperbox project", "project"),
        ("hyperbox config show", "hyperbox config", "config"),
        ("docker -v", "--version", ""),
        ("docker __complete ps -", "__complete", "__complete"),
    ],
)
def test_every_spelling_of_a_command_has_its_canonical_path(line: str, path: str, typed: str) -> None:
    invocation = parsed(line)
    assert (invocation.path, invocation.typed) == (path, typed)


def test_composes_own_flags_are_globals_and_dry_run_is_one_wherever_it_stands() -> None:
    up = parsed("docker -D compose -f a.yaml --file b.yaml -p shop up -d --dry-run web")
    assert up.globals["file"] == ["a.yaml", "b.yaml"]
    assert up.globals["project-name"] == "shop"
    assert up.globals["debug"] is True
    assert up.globals["dry-run"] is True
    assert up.globals["parallel"] == -1
    assert "dry-run" not in up.flags
    assert set(up.globals_given) == {"debug", "file", "project-name", "dry-run"}
    assert up.arguments == ["web"]


@pytest.mark.behaviour(69)
def test_docker_compose_moves_dockers_flags_in_front() -> None:
    up = parsed("docker-compose --verbose -H tcp://a:1 --log-level=debug -p x up")
    assert up.globals["host"] == "tcp://a:1"
    assert up.globals["log-level"] == "debug"
    assert up.globals["debug"] is True
    assert up.globals["project-name"] == "x"


def test_refused_commands_and_flags_say_why_with_a_non_zero_code() -> None:
    with pytest.raises(UnsupportedError, match="docker swarm init: HyperBox has no swarm mode") as refused:
        parsed("docker swarm init")
    assert refused.value.exit_code == 1
    with pytest.raises(UnsupportedError, match="docker run: --use-api-socket: "):
        parsed("docker run --use-api-socket a")


def test_help_asked_for_goes_to_stdout_and_help_for_nothing_to_stderr() -> None:
    assert parsed("docker ps --help").flags == {"to-stderr": False, "error": ""}
    assert parsed("docker").flags == {"to-stderr": True, "error": ""}
    assert parsed("docker compose foo").flags == {"to-stderr": False, "error": 'unknown docker command: "compose foo"'}


@pytest.mark.parametrize("line", ["-v foo", "--version ''", "foo --version", "foo -v bar -- x", "'' -v"])
def test_dockers_version_is_told_whatever_words_stand_beside_it(line: str) -> None:
    assert parsed(f"docker {line}").path == "--version"


@pytest.mark.parametrize("line", ["foo", "foo -D", "foo --log-level bad", "foo -- -v", "--version=false foo"])
def test_words_that_name_no_command_are_refused_whatever_flags_of_dockers_follow(line: str) -> None:
    with pytest.raises(UsageError, match="docker: unknown command: docker foo") as refused:
        parsed(f"docker {line}")
    assert refused.value.exit_code == 1


@pytest.mark.parametrize("words", [["ps "], [" ps"], ["\r"], ["container", "ls\n"]])
def test_a_word_with_white_space_names_no_command(words: list[str]) -> None:
    with pytest.raises(UsageError, match="docker: unknown command: docker"):
        parse(["docker", *words])


def test_our_own_verbs_get_their_words_unread() -> None:
    project = parsed("hyperbox -D project ls --all")
    assert (project.path, project.arguments, project.globals["debug"]) == ("hyperbox project", ["ls", "--all"], True)
    assert parsed("hyperbox help project").arguments == ["--help"]
    with pytest.raises(UsageError):
        parsed("docker project ls")


def test_swarms_config_is_dockers_and_the_rest_of_config_is_ours() -> None:
    assert parsed("hyperbox config ls").path == "config ls"
    assert parsed("hyperbox config").path == "hyperbox config"
    with pytest.raises(UsageError):
        parsed("docker config show")
