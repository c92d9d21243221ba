"""From a parsed command line to the function that does it: one table, one import.

A verb's function takes the Invocation and returns the exit code. It is imported only when its verb is called.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.grammar.parse import Invocation

# canonical path of the command (aliases resolved by the grammar) -> "module:function" below hyperbox.cli
VERBS: dict[str, str] = {}


def dispatch(arguments: list[str]) -> int:
    """Parse `arguments` (argv, the program's name first), call the verb's function and return its exit code."""
    from hyperbox.grammar.parse import parse

    invocation: Invocation = parse(arguments)
    module_name, _, function_name = VERBS[invocation.path].partition(":")
    module = __import__(f"hyperbox.cli.{module_name}", fromlist=[function_name])
    code: int = getattr(module, function_name)(invocation)
    return code
