"""The entry point, and the only place that exits: errors become docker's words on stderr and an exit code here."""

from __future__ import annotations

import gc
import os
import sys

from hyperbox import bundle, standard
from hyperbox.errors import DISK_ERRORS, HyperBoxError, disk_error


def report(error: HyperBoxError) -> None:
    """Print an error as docker does: the daemon's prefix for the engine's, the message as it is for all others."""
    message = error.told
    text = f"{message}\n" if message else ""
    if error.hint:
        text += f"hint: {error.hint}\n"
    if text:
        sys.stdout.flush()
        sys.stderr.write(text)
        sys.stderr.flush()


def unexpected(error: Exception, debug: bool) -> int:
    """Tell of a fault of our own in one line, with the traceback only where it was asked for; returns the exit code."""
    if debug:
        import traceback

        traceback.print_exception(error)
    else:
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = "" if place is None else f" ({os.path.basename(place.tb_frame.f_code.co_filename)}:{place.tb_lineno})"
        sys.stderr.write(
            f"hyperbox: internal error: {type(error).__name__}: {error}{where}\nhint: run it again with --debug for the details\n"
        )
    return 1


def run(arguments: list[str]) -> int:
    """Run one command line (argv with the program's name first) and return its exit code."""
    debug = "--debug" in arguments[1:] or "-D" in arguments[1:2]
    try:
        from hyperbox.cli.dispatch import dispatch

        return dispatch(arguments)
    except HyperBoxError as error:
        report(error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141
    except MemoryError:
        sys.stderr.write("hyperbox: out of memory\n")
        return 1
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            report(disk_error(error))
            return 1
        if isinstance(error, OSError) and not debug:
            sys.stderr.write(
                f"hyperbox: {error.strerror or error}{': ' + str(error.filename) if error.filename else ''}\n"
            )
            return 1
        return unexpected(error, debug)


# what a command with this first word is going to start, as a rule
STARTING = {"run": "container", "start": "container", "exec": "exec"}


def begin_early(arguments: list[str]) -> None:
    """Load what the first word is likely to need at once, and send the monitor of a container ahead before the word is even parsed.

    A guess and no more: whatever the words turn out to mean, a monitor that nobody calls goes, and modules that are missing are imported.
    """
    word = arguments[1] if len(arguments) > 1 else ""
    if os.path.basename(arguments[0]) == "docker-compose":
        return
    if word in STARTING:
        bundle.preload("fork")
        from hyperbox.cli.connect import send_early

        send_early(STARTING[word])
    bundle.preload(word)


def main() -> None:
    """Run `sys.argv` and leave; `os._exit` saves the interpreter's own tear-down (1-2 ms).

    Short commands end before garbage is worth collecting (2 ms while modules are loaded); long ones still collect theirs.
    """
    gc.set_threshold(20_000, 20, 20)
    standard.prepare()
    begin_early(sys.argv)
    try:
        code = run(sys.argv)
    except OSError:  # not even the error can be told: the terminal is gone
        code = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        pass
    os._exit(code & 0xFF)


if __name__ == "__main__":
    main()
