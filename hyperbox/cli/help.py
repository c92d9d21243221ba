"""`--help`, `help`, `--version`."""

from __future__ import annotations

import os
import sys

from hyperbox.grammar.help import help_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation


def show_help(invocation: Invocation) -> int:
    """Print the help of `invocation.typed`; what is wrong, if it was shown for that, follows on stderr. Returns docker's code."""
    to_stderr = bool(invocation.flags.get("to-stderr"))
    stream = sys.stderr if to_stderr else sys.stdout
    config = invocation.globals.get("config")
    folder = str(config) if invocation.globals_given.get("config") else config_folder()
    stream.write(
        help_text(
            invocation.typed,
            terminal_width(),
            invocation.program,
            folder,
            legacy=not os.environ.get("DOCKER_HIDE_LEGACY_COMMANDS"),
            plugins=plugins(invocation) if not invocation.typed else (),
        )
    )
    error = invocation.flags.get("error")
    if not error:
        return 0
    sys.stdout.flush()
    sys.stderr.write(f"{error}\n")
    return 1


def plugins(invocation: Invocation) -> list[tuple[str, str]]:
    """Return the names of docker's plugins and what they say they do."""
    from hyperbox.cli.client_plugins import installed

    return [(name, str(about.get("ShortDescription") or "")) for name, _, about in installed(invocation)]


def show_version(invocation: Invocation) -> int:
    """Print the line that tools recognise docker by."""
    from hyperbox.cli.version import CLIENT_VERSION, GIT_COMMIT

    sys.stdout.write(f"Docker version {CLIENT_VERSION}, build {GIT_COMMIT}\n")
    return 0


def config_folder() -> str:
    """Return the folder of docker's client configuration."""
    return os.environ.get("DOCKER_CONFIG") or os.path.join(os.environ.get("HOME", "/"), ".docker")


def terminal_width() -> int:
    """Return the width to wrap to: one less than that of the terminal on stdin (where docker looks), 79 when it is none."""
    try:
        columns = os.get_terminal_size(0).columns
    except OSError:
        columns = 0
    return (columns or 80) - 1
