"""A monitor that is not forked from the command itself, which is too large: by a starter, or in an interpreter of its own.

See `starter` and `launch.start_interpreter`.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# what a monitor of a container on a network of its own imports until its process runs
MODULES = (
    *("_blake2", "_ctypes", "errno", "fcntl"),
    *(f"hyperbox.engine.{name}" for name in ("dns", "launch", "monitor", "monitor_start", "network", "network_files")),
    *(
        f"hyperbox.engine.{name}"
        for name in ("network_setup", "project_groups", "rootfs", "spec", "spec_host", "volumes")
    ),
    *(f"hyperbox.kernel.{name}" for name in ("cgroups", "links", "netlink", "nftables")),
)


def main(arguments: list[str]) -> None:
    """Begin in an interpreter of one's own: as `begin`, with a last argument that tells with "1" or "0" which descriptors are at FIRST_GIVEN."""
    from hyperbox.engine.launch import FIRST_GIVEN

    *words, given = arguments
    descriptors = [FIRST_GIVEN + offset if bit == "1" else -1 for offset, bit in enumerate(given)]
    for descriptor in descriptors:
        if descriptor >= 0:
            os.set_inheritable(descriptor, False)
    begin(words, descriptors)


def begin(arguments: Sequence[str], descriptors: Sequence[int]) -> None:
    """Be the monitor that the arguments name: data, run, cgroup, test step, "container" | "exec", its id, options.

    The descriptors (-1: none) are the starting command's channel, for a container then its lock, at last the data socket.
    """
    import _socket

    from hyperbox.engine import control
    from hyperbox.engine.ahead import be_child
    from hyperbox.engine.state import Roots, read_container

    data_root, run_root, cgroup, test_step, kind, container_id, *options = arguments
    roots = Roots(data_root, run_root, cgroup, test_step)
    container = read_container(roots, container_id)
    starter = control.Channel(_socket.socket(fileno=descriptors[0]))
    data = _socket.socket(fileno=descriptors[-1]) if descriptors[-1] >= 0 else None
    if kind == "container":
        from hyperbox.engine.monitor_start import run_monitor

        be_child(
            container, lambda: run_monitor(roots, container, starter, descriptors[1], data, stdin=options[0] == "1")
        )
    else:
        from hyperbox.engine.exec_monitor import run_exec

        be_child(container, lambda: run_exec(roots, container, options[0], starter, data))


def load() -> None:
    """Import what nearly every monitor uses, so that those forked from this process need not."""
    for name in MODULES:
        __import__(name)
