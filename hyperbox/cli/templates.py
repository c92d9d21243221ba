"""Go templates: `--format` and `--filter` texts over the values of `cli.templates_values`.

    parse(text) -> Template           raises ParseError      "template: :1: unclosed action"
    execute(template, value) -> str   raises ExecuteError    "template: :1:2: executing \"\" at <.X>: …"

`strict` makes an absent map entry an error (Go's missingkey=error). The parts: lexer, numbers, nodes, parser, values, functions, printf,
evaluator, each a file beside this one. Templates come from the user: no template raises anything else than these two.
"""

from __future__ import annotations

from hyperbox.cli.templates_evaluator import Evaluator, ExecuteError
from hyperbox.cli.templates_functions import FUNCTIONS, HEADER_FUNCTIONS
from hyperbox.cli.templates_parser import ParseError, Template
from hyperbox.cli.templates_parser import parse as parse_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.cli.templates_evaluator import Functions


def parse(text: str, name: str = "") -> Template:
    """Return the parsed template. Raises ParseError with Go's message, in which the template has that name."""
    return parse_text(text, FUNCTIONS, name)


def execute(template: Template, value: object, *, strict: bool = False, functions: Functions | None = None) -> str:
    """Return what a template makes of `value`. Raises ExecuteError with Go's message."""
    return Evaluator(template, FUNCTIONS if functions is None else functions, strict=strict).run(value)


def render(text: str, value: object) -> str:
    """Parse and execute in one go. Raises ParseError or ExecuteError."""
    return execute(parse(text), value)


__all__ = ["HEADER_FUNCTIONS", "ExecuteError", "ParseError", "Template", "execute", "parse", "render"]
