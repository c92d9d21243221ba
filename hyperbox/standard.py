"""The standard streams and signals as docker's client has them.

A stream that is closed (`docker … >&-`) becomes /dev/null, as Go's runtime opens it: what is opened later would otherwise get its number, and
the monitor of a container would write its log there. And what a full disk does not take of stdout (`docker rm -f a b >>log`) is lost without a
word: it must not keep the command from doing the rest. Streams of data (`save`, `exec`, `logs` …) go to the descriptor itself, and fail.
Ctrl-C ends what a script has begun with `&`, too, for which its shell has SIGINT ignored.
A hot path: imports nothing that a started interpreter has not.
"""

import _signal  # type: ignore[import-not-found]
import os
import sys
from _io import BufferedReader, BufferedWriter, FileIO, TextIOWrapper

from hyperbox.errors import DISK_ERRORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


REGULAR, CHARACTERS, KIND = 0o100000, 0o020000, 0o170000  # inode(7)


class Output(FileIO):
    """A file that takes what its disk does not.

    A signal between its write(2) and its return would have the buffer written once more, so it is for files alone: a terminal and a pipe have
    no disk.
    """

    def write(self, data: "ReadableBuffer") -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in DISK_ERRORS:
                raise
            return memoryview(data).nbytes


def prepare() -> None:
    """Open what is closed of stdin, stdout and stderr, have stdout take everything where it is a file, and hear SIGINT."""
    if _signal.getsignal(_signal.SIGINT) == _signal.SIG_IGN:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        open_closed()
    stdout = sys.stdout
    kind = os.fstat(1).st_mode & KIND
    if kind != REGULAR and (kind != CHARACTERS or os.isatty(1)):
        return
    sys.stdout = TextIOWrapper(
        BufferedWriter(Output(1, "wb", closefd=False)),
        encoding=stdout.encoding,
        errors=stdout.errors,
        line_buffering=bool(stdout.line_buffering),
    )


def open_closed() -> None:
    """Make /dev/null of the standard streams that are closed, which the interpreter has left out."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        opened = os.open("/dev/null", os.O_RDWR)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
        os.set_inheritable(number, True)
        file = FileIO(number, "rb" if number == 0 else "wb", closefd=False)
        stream = TextIOWrapper(
            BufferedReader(file) if number == 0 else BufferedWriter(file), encoding="utf-8", errors="surrogateescape"
        )
        setattr(sys, name, stream)
