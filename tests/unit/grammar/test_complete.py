"""Completion gives the words that docker's `__complete` gives, or names the kind of live names that fit."""

from __future__ import annotations

import pytest

from hyperbox.grammar.complete import DEFAULT, EXTENSIONS, FOLDERS, NO_FILES, NO_SPACE, complete


def words(line: str) -> list[str]:
    return line.split(" ")


def names(line: str) -> list[str]:
    return [name for name, _ in complete(words(line)).candidates]


def test_commands_begin_with_what_was_typed_and_carry_a_line() -> None:
    assert names("p") == ["pause", "plugin", "port", "ps", "pull", "push"]
    assert names("context ") == ["create", "export", "import", "inspect", "ls", "rm", "show", "update", "use"]
    assert names("compose p") == ["pause", "port", "ps", "publish", "pull", "push"]
    assert complete(words("ps")).candidates == [("ps", "Show containers")]


def test_flags_are_offered_long_and_short_but_not_twice() -> None:
    assert names("ps -") == [
        "--all", "-a", "--filter", "-f", "--format", "--last", "-n", "--latest", "-l", "--no-trunc", "--quiet", "-q", "--size", "-s",
    ]  # fmt: skip
    assert "--all" not in names("ps -a --")
    assert names("run --en") == ["--entrypoint", "--env", "--env-file"]
    assert names("compose up --pu") == ["--pull"]
    assert "--file" in names("compose -f a.yaml --")
    assert names("compose up --d")[0] == "--dry-run"


@pytest.mark.parametrize(
    ("line", "live"),
    [
        ("stop ", "live:containers:running"),
        ("container stop a ", "live:containers:running"),
        ("exec -it ", "live:containers:unpaused"),
        ("start ", "live:containers:stopped"),
        ("rm ", "live:containers:stopped"),
        ("rm -f ", "live:containers:all"),
        ("unpause ", "live:containers:paused"),
        ("logs -f ", "live:containers:all"),
        ("run ", "live:images"),
        ("run --rm -it ", "live:images"),
        ("rmi ", "live:images"),
        ("run --network ", "live:networks"),
        ("run --net=", "live:networks"),
        ("run --volumes-from ", "live:containers:all"),
        ("network connect net ", "live:containers:all"),
        ("volume rm ", "live:volumes"),
        ("buildx bake --print app ", "live:targets"),
        ("--context ", "live:contexts"),
        ("-c ", "live:contexts"),
        ("compose logs ", "live:services"),
        ("compose -f x up -d ", "live:services"),
        ("compose --profile ", "live:profiles"),
        ("compose -p ", "live:projects"),
    ],
)
def test_live_names_of_the_right_kind_are_asked_for(line: str, live: str) -> None:
    assert complete(words(line)).live == live


@pytest.mark.behaviour(68)
@pytest.mark.parametrize(
    ("line", "directive", "first"),
    [
        ("run --pull ", NO_FILES, ["always", "missing", "never"]),
        ("run --cap-add ", NO_FILES, ["ALL", "CAP_AUDIT_CONTROL"]),
        ("kill -s ", NO_FILES, ["ABRT", "ALRM"]),
        ("inspect --type=", NO_FILES, ["container", "image", "network", "volume"]),
        ("compose -f ", EXTENSIONS, ["yaml", "yml"]),
        ("compose --project-directory ", FOLDERS, []),
        ("build ", FOLDERS, []),
        ("events --filter ", NO_SPACE, ["container="]),
        ("run image ", NO_FILES, []),
        ("run image --", NO_FILES, []),
        ("ps -- ", NO_FILES, []),
        ("ps --format ", DEFAULT, []),
        ("run --hostname ", NO_FILES, []),
        ("zzz", NO_FILES, []),
        ("nosuch ", DEFAULT, []),
        ("run --nosuch ", DEFAULT, []),
    ],
)
def test_words_and_directives_are_dockers(line: str, directive: int, first: list[str]) -> None:
    found = complete(words(line))
    assert found.directive == directive
    assert [name for name, _ in found.candidates][: len(first)] == first
    if not first:
        assert found.candidates == []


def test_composes_own_flags_are_kept_for_the_look_up() -> None:
    assert complete(words("compose -f a.yaml -p x logs ")).globals["file"] == ["a.yaml"]
