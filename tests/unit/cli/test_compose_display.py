"""The live display: what a terminal shows of steps, drawn over what it showed before."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Iterator

import pyte
import pytest

from hyperbox.cli.compose_display import Display, Drawer
from hyperbox.cli.compose_progress import transfer_event
from hyperbox.plan.execute import StepEvent


class Screen:
    """A terminal that a display is drawn on."""

    def __init__(self, columns: int = 60, rows: int = 12) -> None:
        self.columns, self.rows = columns, rows
        self.screen = pyte.HistoryScreen(columns, rows, history=100, ratio=1)
        self.stream = pyte.Stream(self.screen)
        self.stream.feed("$ command\r\n")

    def draw(self, display: Display, now: float, *, last: bool = False) -> list[str]:
        """Draw, and return the lines below the prompt."""
        self.stream.feed(display.frame(now, self.columns, self.rows, last=last).replace("\n", "\r\n"))
        return self.lines()

    def lines(self) -> list[str]:
        top = ["".join(row[number].data for number in range(self.columns)).rstrip() for row in self.screen.history.top]
        lines = [*top, *(line.rstrip() for line in self.screen.display)]
        while lines and not lines[-1]:
            lines.pop()
        return lines[1:]


def shown(*events: StepEvent, color: bool = False) -> Display:
    display = Display("Running", dry_run=False, color=color)
    for event in events:
        display.take(event, 0.0)
    return display


def test_a_step_is_redrawn_in_its_line() -> None:
    display, screen = shown(StepEvent("Container a", "Creating", "working")), Screen()
    assert screen.draw(display, 0.35) == [
        "[+] Running 0/1",
        " ⠸ Container a  Creating".ljust(55) + "0.3s",
    ]
    display.take(StepEvent("Container a", "Created", "done"), 0.4)
    display.take(StepEvent("Container b", "Creating", "working"), 0.4)
    screen.draw(display, 0.5)
    display.take(StepEvent("Container b", "Created", "done"), 1.4)
    assert screen.draw(display, 9.0, last=True) == [
        "[+] Running 2/2",
        " ✔ Container a  Created".ljust(55) + "0.4s",
        " ✔ Container b  Created".ljust(55) + "1.0s",
    ]


def test_a_step_that_goes_on_after_its_end_has_its_clock_go_on() -> None:
    display = shown(StepEvent("c", "Started", "done"))
    display.take(StepEvent("c", "Waiting", "working"), 1.0)
    display.take(StepEvent("c", "Healthy", "done"), 3.0)
    assert Screen().draw(display, 8.0)[1].split() == ["✔", "c", "Healthy", "3.0s"]


def test_a_state_is_cut_to_the_width_by_docker_s_reckoning() -> None:
    name = "Container with-a-name"
    display, screen = shown(StepEvent(name, "Recreated", "done")), Screen(columns=63)
    assert screen.draw(display, 0.0)[1] == f" ✔ {name}  Recr...".ljust(58) + "0.0s"


def test_no_line_wraps_while_it_will_be_drawn_again() -> None:
    display, screen = shown(StepEvent("Container " + "long" * 30, "Creating", "working")), Screen()
    screen.draw(display, 0.0)
    assert len(screen.draw(display, 1.0)) == 2
    display.take(StepEvent("Container " + "long" * 30, "Created", "done"), 2.0)
    final = "".join(screen.draw(display, 2.0, last=True))
    assert "long" * 30 in final.replace("\n", "")
    assert "Created" in final


def test_more_steps_than_lines_leave_each_once() -> None:
    display, screen = shown(*(StepEvent(f"step-{number}", "", "working") for number in range(30))), Screen()
    for tick in range(5):
        screen.draw(display, tick / 10)
    for number in range(30):
        display.take(StepEvent(f"step-{number}", "Done", "done"), 1.0)
    lines = screen.draw(display, 1.0, last=True)
    assert [line.split()[1] for line in lines[1:]] == [f"step-{number}" for number in range(30)]


def test_the_cursor_is_hidden_only_while_a_frame_is_drawn() -> None:
    frame = shown(StepEvent("a", "", "working")).frame(0.0, 60, 12)
    assert frame.index("\x1b[?25l") < frame.index("[+]") < frame.index("\x1b[?25h")
    assert frame.endswith("\x1b[?25h")


def test_colors_are_docker_s_and_can_be_left_out() -> None:
    states = [StepEvent(state, "said", state) for state in ("done", "error", "warning", "working")]
    colored = shown(*states, color=True).frame(0.0, 60, 12).splitlines()
    assert colored[1].startswith(" \x1b[32m✔\x1b[0m done     \x1b[32msaid\x1b[0m")
    assert colored[2].startswith(" \x1b[31m\x1b[1m✘\x1b[0m error    \x1b[31m\x1b[1msaid\x1b[0m")
    assert colored[3].startswith(" \x1b[33m\x1b[1m!\x1b[0m warning  \x1b[33m\x1b[1msaid\x1b[0m")
    assert colored[4].startswith(" \x1b[33m⠋\x1b[0m working  said")
    assert "\x1b[3" not in shown(*states).frame(0.0, 60, 12)


def test_layers_stand_below_their_image_which_tells_how_much_has_come() -> None:
    display, screen = shown(StepEvent("web", "", "working", "Pulling")), Screen(columns=80)
    objects = [
        {"id": "aaa", "status": "Downloading", "progressDetail": {"current": 5_000_000, "total": 10_000_000}},
        {"id": "bbb", "status": "Pull complete", "progressDetail": {}},
    ]
    for event in objects:
        step = transfer_event(event, parent="web")
        assert step is not None
        display.take(step, 0.0)
    lines = screen.draw(display, 0.0)
    assert lines[0] == "[+] Running 1/3"
    assert lines[1].startswith(" ⠋ web [⣤⣿]     5MB / 10MB    Pulling")
    assert lines[2].startswith("   ⠋ aaa Downloading")
    assert lines[3].startswith("   ✔ bbb Pull complete")
    display.take(StepEvent("web", "", "done", "Pulled"), 1.0)
    assert screen.draw(display, 1.0)[1].startswith(" ✔ web Pulled")


def test_what_is_not_about_a_layer_is_no_step() -> None:
    assert transfer_event({"status": "Digest: sha256:0"}) is None
    assert transfer_event({"status": "Pulling from library/x", "id": "latest"}) is None


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 60, 0, 0))
    yield master, slave
    os.close(master)
    os.close(slave)


def test_a_line_said_meanwhile_stands_above(terminal: tuple[int, int]) -> None:
    master, slave = terminal
    drawer = Drawer(slave, Display("Running", dry_run=False, color=False))
    drawer.event(StepEvent("a", "Doing \x1b[31m\n", "working"))
    drawer.say("take care")
    drawer.event(StepEvent("a", "Done", "done"))
    drawer.close()
    screen = Screen()
    screen.stream.feed(os.read(master, 65536).decode())
    lines = screen.lines()
    assert lines[0] == "take care"
    assert lines[1] == "[+] Running 1/1"
    assert lines[2].split()[:3] == ["✔", "a", "Done"]


def test_the_display_ends_with_the_process_that_it_is_for(terminal: tuple[int, int]) -> None:
    master, slave = terminal
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        drawer = Drawer(slave, Display("Running", dry_run=False, color=False))
        drawer.event(StepEvent("a", "Doing", "working"))
        os.write(writer, str(drawer.pid).encode())
        os._exit(0)  # without a word, as one that is killed; its end of the pipe may live on in others
    os.close(writer)
    os.waitpid(child, 0)
    assert os.read(reader, 100).isdigit()
    assert os.read(reader, 100) == b""  # the drawer had it too, and has ended
    os.close(reader)
    assert b"[+] Running 0/1" in os.read(master, 65536)
