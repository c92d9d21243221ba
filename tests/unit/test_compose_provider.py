"""What a provider says is untrusted: each wrong answer is one sentence, and what it sets is taken as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperbox.cli.compose_provider import LINE_LIMIT, run_provider
from hyperbox.errors import ComposeError
from hyperbox.plan.execute import StepEvent
from hyperbox.project.desired import ServiceWish


def wish(folder: Path, script: str) -> ServiceWish:
    """Return a service whose provider is a shell script."""
    program = folder / "provider"
    program.write_text(f'#!/bin/sh\ntest "$2" = metadata && exit 1\n{script}\n')
    program.chmod(0o755)
    return ServiceWish("db", {"provider": {"type": str(program)}}, 0, "", "", ())


def test_it_sets_variables_and_its_words_are_shown_without_control_characters(tmp_path: Path) -> None:
    events: list[StepEvent] = []
    script = r"""printf '%s\n' '{"type":"info","message":"a\u001b[2Jb"}' '' '{"type":"setenv","message":"URL=x=y"}'"""
    assert run_provider("p", wish(tmp_path, script), "up", events.append) == {"URL": "x=y"}
    assert [event.status for event in events] == ["Creating", "a [2Jb", "Created"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo no", "invalid response from plugin: not an object of JSON: no"),
        ("echo '[1]'", "invalid response from plugin: not an object of JSON"),
        (r"printf '\377\n'", "invalid response from plugin: not an object of JSON"),
        ("""echo '{"type":"setenv","message":"=x"}'""", "invalid response from plugin: =x"),
        ("""echo '{"type":"setenv","message":"A=\\u0000"}'""", "invalid response from plugin: A= "),
        (f"head -c {2 * LINE_LIMIT + 9} /dev/zero", "a line of more than"),
        ("exec yes [[[[[", "not an object of JSON"),
        ("""i=0; while test $i -lt 16; do i=$((i+1)); s="$s[[[[[[[[[["; done; echo "$s" """, "not an object of JSON"),
        ("kill -9 $$", "failed to create service provider: exit status"),
    ],
)
def test_a_wrong_answer_is_one_sentence(tmp_path: Path, script: str, said: str) -> None:
    with pytest.raises(ComposeError) as raised:
        run_provider("p", wish(tmp_path, script), "up", lambda event: None)
    assert said in raised.value.message


def test_a_file_that_is_no_program_is_one_sentence(tmp_path: Path) -> None:
    service = wish(tmp_path, "")
    (tmp_path / "provider").write_text("neither a script nor a program")
    with pytest.raises(ComposeError, match=r"failed to remove service provider: .*/provider: Exec format error"):
        run_provider("p", service, "down", lambda event: None)
