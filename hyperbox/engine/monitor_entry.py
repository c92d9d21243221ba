"""A monitor in an interpreter of its own, for commands that are too large to be forked; see `launch.start_interpreter`."""

from __future__ import annotations

import os


def main(arguments: list[str]) -> None:
    """Be the monitor that the arguments name: data, run, cgroup, test step, "container" | "exec", its id, options, descriptors given."""
    import _socket

    from hyperbox.engine import control
    from hyperbox.engine.ahead import be_child
    from hyperbox.engine.launch import FIRST_GIVEN
    from hyperbox.engine.state import Roots, read_container

    data_root, run_root, cgroup, test_step, kind, container_id, *options, given = arguments
    roots = Roots(data_root, run_root, cgroup, test_step)
    container = read_container(roots, container_id)
    for offset, bit in enumerate(given):
        if bit == "1":
            os.set_inheritable(FIRST_GIVEN + offset, False)
    starter = control.Channel(_socket.socket(fileno=FIRST_GIVEN))
    if kind == "container":
        from hyperbox.engine.monitor import run_monitor

        data = _socket.socket(fileno=FIRST_GIVEN + 2) if given[2] == "1" else None
        be_child(
            container, lambda: run_monitor(roots, container, starter, FIRST_GIVEN + 1, data, stdin=options[0] == "1")
        )
    else:
        from hyperbox.engine.exec_monitor import run_exec

        data = _socket.socket(fileno=FIRST_GIVEN + 1) if given[1] == "1" else None
        be_child(container, lambda: run_exec(roots, container, options[0], starter, data))
