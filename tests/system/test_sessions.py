"""What a person at a terminal sees, types and leaves behind is what it is in front of the real docker (golden/docker/sessions)."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import session_scenarios as sessions  # type: ignore[import-not-found]

from tests.conftest import Command

pytestmark = pytest.mark.system
AT_ONCE = 5  # sessions that are played side by side: most of their time they wait
STATS = "docker's client goes on without figures, until the third signal"
GONE = "docker's client stays for ever, and can't show anything any more"
WAITS = "docker waits for ever at the end of input"
# where we differ, and why
KNOWN = {
    ("follow", "stats-c"): STATS,
    ("follow", "stats-term"): STATS,
    ("prompts", "login-user-d"): WAITS,
    ("prompts", "login-password-d"): WAITS,
    ("signals", "run-tty-hangup"): GONE,
    ("signals", "attach-plain-hangup"): GONE,
}
# where docker's client is ended by a signal and leaves the terminal as it is, and we give it its own mode back
RESTORED = {
    ("signals", "attach-tty-hup"),
    ("signals", "start-tty-hup"),
    ("signals", "exec-tty-hup"),
    ("signals", "run-tty-no-proxy-hup"),
}


def wanted(session: sessions.Session, recorded: list[sessions.Json]) -> list[sessions.Json]:
    """Return what is to be seen of a session, where docker was seen doing `recorded`."""
    if (session.file, session.name) not in RESTORED:
        return recorded
    changed = []
    for command in recorded:
        told, ended = [], False
        for fact in command["told"]:  # type: ignore[attr-defined]
            told.append({"settings": "as before"} if ended and "settings" in fact else fact)
            ended |= "end" in fact
        changed.append({**command, "told": told})
    return changed


def difference(session: sessions.Session, expected: list[sessions.Json], done: list[sessions.Json]) -> str:
    """Return what differs, docker's lines marked with -."""
    lines = [session.name]
    for one, other in zip(expected, done, strict=True):
        lines += [f"  $ {one['command']}"]
        for key in one:
            lines += [f"  - {one[key]}", f"  + {other.get(key)}"] if one[key] != other.get(key) else []
    return "\n".join(lines)


def is_newer(hyperbox: Command, busybox: str) -> bool:
    """Return whether the image's busybox is one whose shell answers a change of the terminal's size as that of 1.36 does."""
    found = re.match(r"BusyBox v(\d+)\.(\d+)", hyperbox("run", "--rm", busybox, "busybox").out)
    assert found is not None
    return (int(found[1]), int(found[2])) >= (1, 36)


@pytest.mark.behaviour(32, 33)
@pytest.mark.parametrize("file", sessions.names())
def test_sessions_at_a_terminal_are_what_they_are_with_docker(file: str, hyperbox: Command, busybox: str) -> None:
    argv = hyperbox.argv
    player = sessions.Player([], [str(Path(argv[0]).with_name("docker")), *argv[1:]])
    golden, all_of_it = sessions.recorded(file, is_newer(hyperbox, busybox)), sessions.read(file)
    assert set(golden) == {session.name for session in all_of_it}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        played = list(pool.map(player.play, all_of_it))
    wrong = [
        difference(session, expected, done)
        for session, done in zip(all_of_it, played, strict=True)
        if done != (expected := wanted(session, golden[session.name])) and (file, session.name) not in KNOWN
    ]
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong)
