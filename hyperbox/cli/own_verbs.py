"""Our own verbs that are click commands: handed the words that the grammar left unread."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import click

    from hyperbox.grammar.parse import Invocation


def run_command(command: click.Command, invocation: Invocation) -> int:
    """Run a click command with the invocation's words and return its exit code; its own mistakes are told by click."""
    try:
        command.main(args=invocation.arguments, prog_name=invocation.path)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return 0


def bench(invocation: Invocation) -> int:
    """`hyperbox bench`."""
    from hyperbox.cli.bench import bench as command

    return run_command(command, invocation)


def project(invocation: Invocation) -> int:
    """`hyperbox project`."""
    from hyperbox.cli.project import project as command

    return run_command(command, invocation)


def env(invocation: Invocation) -> int:
    """`hyperbox env`."""
    from hyperbox.cli.environment import env as command

    return run_command(command, invocation)


def config(invocation: Invocation) -> int:
    """`hyperbox config`."""
    from hyperbox.cli.configuration import config as command

    return run_command(command, invocation)


def doctor(invocation: Invocation) -> int:
    """`hyperbox doctor`."""
    from hyperbox.cli.doctor import doctor as command

    return run_command(command, invocation)
