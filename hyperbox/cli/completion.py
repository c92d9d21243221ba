"""`completion bash|fish|powershell|zsh`: prints the script that makes the shell complete."""

from __future__ import annotations

import os
import sys

import hyperbox.grammar
from hyperbox.files import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation


def show_script(invocation: Invocation) -> int:
    """Print the script of the shell that the command names; --no-descriptions asks for candidates without their lines."""
    shell = invocation.path.removeprefix("completion ")
    folder = os.path.dirname(hyperbox.grammar.__file__)
    script = read_text(f"{folder}/completions/{shell}")
    if invocation.flags["no-descriptions"]:
        script = script.replace(" __complete ", " __completeNoDesc ")
    sys.stdout.write(script)
    return 0
