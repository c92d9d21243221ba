"""The parser of templates: strings in quotes, heredocs, and bare templates; interpolations and the directives `if` and `for`."""

from __future__ import annotations

from typing import NamedTuple

from hyperbox.go.text import quote
from hyperbox.hcl import tokens
from hyperbox.hcl.literals import literal_text
from hyperbox.hcl.positions import Diagnostic, Range, between, clusters, did_you_mean
from hyperbox.hcl.stream import OPPOSITE
from hyperbox.hcl.syntax import Conditional, For, Join, Literal, Template, Wrap
from hyperbox.hcl.values import ANY, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.hcl.stream import Stream
    from hyperbox.hcl.syntax import Expression
    from hyperbox.hcl.tokens import Token

_FOR_NAMES = (
    "For directive requires variable name after 'for'.",
    "For directive requires value variable name after comma.",
    "For directive requires 'in' keyword after names.",
)
_UNEXPECTED_END = "Unexpected end of template"
_UNBALANCED = "The control directives within this template are unbalanced."


class _Part(NamedTuple):
    """A part of a template: "literal" (text), "value" (expression), "if", "for", "else", "endif", "endfor", "end"."""

    kind: str
    range: Range
    text: str = ""
    expression: Expression | None = None
    names: tuple[str, str] = ("", "")


def parse_quoted(stream: Stream) -> Expression:
    """Parse a string in quotes or a heredoc."""
    opening = stream.read()
    parts = _parts(stream, OPPOSITE[opening.kind])
    if opening.text.startswith("<<-"):
        parts = _flushed(parts)
    expressions = _Builder(parts, stream.problems).root()
    place = between(opening.range, stream.last_range)
    if len(parts) == 2 and parts[0].kind == "value":
        return Wrap(expressions[0], place)
    return Template(tuple(expressions), place)


def parse_whole_template(stream: Stream, end: str) -> Expression:
    """Parse a template that ends with a token of a kind."""
    start = stream.peek().range
    parts = _parts(stream, end)
    expressions = _Builder(parts, stream.problems).root()
    place = between(start, parts[-1].range)
    if len(parts) == 2 and parts[0].kind == "value":
        return Wrap(expressions[0], place)
    return Template(tuple(expressions), place)


def _parts(stream: Stream, end: str) -> list[_Part]:
    """Parse up to the end of a template; the last part is "end"."""
    parts: list[_Part] = []
    start = stream.peek().range
    trim_next = can_trim = False
    while True:
        token = stream.read()
        if token.kind == end:
            ending = token.range
            break
        trim, trim_next = trim_next, False
        if token.kind in (tokens.LITERAL, tokens.QUOTED):
            text = literal_text(token, stream.problems)
            parts.append(_Part("literal", token.range, text.lstrip() if trim else text))
            can_trim = True
            continue
        if token.kind not in (tokens.INTERPOLATION, tokens.CONTROL):
            detail = "No closing marker was found for the string."
            stream.tell_unless_recovering("Unterminated template string", detail, token.range)
            ending = stream.recover(end).range
            break
        if can_trim and token.text.endswith("~") and parts:
            parts[-1] = parts[-1]._replace(text=parts[-1].text.rstrip())
        can_trim = False
        stream.push_newlines(False)
        interpolated = token.kind == tokens.INTERPOLATION
        trim_next = (
            _interpolation(stream, token, end, start, parts) if interpolated else _directive(stream, token, parts)
        )
        stream.pop_newlines()
    if not parts:
        parts.append(_Part("literal", start.at_end()))
    parts.append(_Part("end", ending))
    return parts


def _expression(stream: Stream) -> Expression:
    from hyperbox.hcl.parser_expressions import parse_expression

    return parse_expression(stream)


def _interpolation(stream: Stream, opening: Token, end: str, start: Range, parts: list[_Part]) -> bool:
    """Parse an interpolation; return whether what follows is to be trimmed."""
    expression = _expression(stream)
    closing = stream.peek()
    if closing.kind == tokens.SEQUENCE_END:
        stream.read()
    else:
        _tell_bad_interpolation(stream, closing, end, start)
        stream.recover(tokens.SEQUENCE_END)
    parts.append(_Part("value", between(opening.range, closing.range), expression=expression))
    return closing.kind == tokens.SEQUENCE_END and closing.text == "~}"


def _tell_bad_interpolation(stream: Stream, closing: Token, end: str, start: Range) -> None:
    unclosed = (
        "There is no closing brace for this interpolation sequence before the end of the {}. This might be caused by incorrect "
        "nesting inside the given expression."
    )
    extra = "Extra characters after interpolation expression"
    if closing.kind == tokens.END:
        stream.tell_unless_recovering("Unclosed template interpolation sequence", unclosed.format("file"), start)
    elif closing.kind == ":":
        detail = (
            "Template interpolation doesn't expect a colon at this location. Did you intend this to be a literal sequence to be "
            'processed as part of another language? If so, you can escape it by starting with "$${" instead of just "${".'
        )
        stream.tell_unless_recovering(extra, detail, closing.range)
    elif closing.kind in (tokens.OPEN_QUOTE, tokens.CLOSE_QUOTE) and end == tokens.CLOSE_QUOTE:
        detail = unclosed.format("quoted template")
        stream.tell_unless_recovering("Unclosed template interpolation sequence", detail, start)
    else:
        detail = (
            "Expected a closing brace to end the interpolation expression, but found extra characters.\n\nThis can happen when you "
            "include interpolation syntax for another language, such as shell scripting, but forget to escape the interpolation "
            "start token. If this is an embedded sequence for another language, escape it by starting with "
            '"$${" instead of just "${".'
        )
        stream.tell_unless_recovering(extra, detail, closing.range)


def _directive(stream: Stream, opening: Token, parts: list[_Part]) -> bool:
    """Parse a directive; return whether what follows is to be trimmed."""
    word = stream.peek()
    if word.kind != tokens.IDENTIFIER:
        detail = 'A template directive keyword ("if", "for", etc) is expected at the beginning of a %{ sequence.'
        stream.tell_unless_recovering("Invalid template directive", detail, word.range)
        stream.recover(tokens.SEQUENCE_END)
        return False
    stream.read()
    names, expression = ("", ""), None
    if word.text == "if":
        expression = _expression(stream)
    elif word.text == "for":
        found = stream.for_names("Invalid 'for' directive", _FOR_NAMES)
        if found is None:
            stream.recover(tokens.SEQUENCE_END)
            return False
        names, expression = found, _expression(stream)
    elif word.text not in ("else", "endif", "endfor"):
        known = ("if", "for", "else", "endif", "endfor")
        detail = f"{quote(word.text)} is not a valid template control keyword.{did_you_mean(word.text, known)}"
        stream.tell_unless_recovering("Invalid template control keyword", detail, word.range)
        stream.recover(tokens.SEQUENCE_END)
        return False
    closing = stream.peek()
    parts.append(_Part(word.text, between(opening.range, closing.range), expression=expression, names=names))
    if closing.kind == tokens.SEQUENCE_END:
        stream.read()
        return closing.text == "~}"
    detail = "Expected a closing brace to end the sequence, but found extra characters."
    stream.tell_unless_recovering(f"Extra characters in {word.text} marker", detail, closing.range)
    stream.recover(tokens.SEQUENCE_END)
    return False


def _flushed(parts: list[_Part]) -> list[_Part]:
    """Take off the lines of a heredoc the white space with which all of them begin."""
    least: int | None = None
    heads: list[int] = []
    line_start = True
    for place, part in enumerate(parts):
        if line_start and part.kind != "end":
            spaces: int | None = 0
            if part.kind == "literal":
                trimmed = part.text.lstrip()
                if not trimmed and part.text.endswith("\n"):
                    spaces = None
                else:
                    spaces = len(list(clusters(part.text[: len(part.text) - len(trimmed)])))
                    heads.append(place)
            if spaces is not None:
                least = spaces if least is None else min(least, spaces)
        line_start = part.kind == "literal" and part.text.endswith("\n")
    flushed = list(parts)
    for place in heads:
        part = parts[place]
        start = part.range.start
        moved = part.range._replace(start=start._replace(column=start.column + (least or 0)))
        flushed[place] = part._replace(text=part.text[least or 0 :], range=moved)
    return flushed


class _Builder:
    """Makes expressions of a template's parts."""

    def __init__(self, parts: list[_Part], problems: list[Diagnostic]) -> None:
        self.parts = parts
        self.problems = problems
        self.place = 0

    def read(self) -> _Part:
        part = self.parts[self.place]
        if part.kind != "end":
            self.place += 1
        return part

    def tell(self, summary: str, detail: str, place: Range) -> Expression:
        self.problems.append(Diagnostic(summary, detail, place))
        return Literal(ANY, place)

    def root(self) -> list[Expression]:
        found = []
        while self.parts[self.place].kind != "end":
            found.append(self.expression())
        return found

    def expression(self) -> Expression:
        part = self.read()
        if part.kind == "literal":
            return Literal(string(part.text), part.range)
        if part.kind == "value":
            assert part.expression is not None
            return part.expression
        if part.kind == "if":
            return self.conditional(part)
        if part.kind == "for":
            return self.loop(part)
        return self.tell(f"Unexpected {part.kind} directive", _UNBALANCED, part.range)

    def conditional(self, opening: _Part) -> Expression:
        branches: tuple[list[Expression], list[Expression]] = ([], [])
        current = branches[0]
        while True:
            part = self.parts[self.place]
            if part.kind == "end":
                detail = f"The if directive at {opening.range} is missing its corresponding endif directive."
                return self.tell(_UNEXPECTED_END, detail, part.range)
            if part.kind == "endif":
                self.read()
                break
            if part.kind == "else" and current is branches[0]:
                self.read()
                current = branches[1]
            elif part.kind == "else":
                self.read()
                detail = f"Already in the else clause for the if started at {opening.range}."
                return self.tell("Unexpected else directive", detail, part.range)
            elif part.kind == "endfor":
                self.read()
                detail = f"Expecting an endif directive for the if started at {opening.range}."
                return self.tell("Unexpected endfor directive", detail, part.range)
            else:
                current.append(self.expression())
        true = _template(branches[0], opening.range.at_end())
        false = _template(branches[1], part.range.at_start())
        assert opening.expression is not None
        return Conditional(opening.expression, true, false, between(opening.range, part.range))

    def loop(self, opening: _Part) -> Expression:
        content: list[Expression] = []
        while True:
            part = self.parts[self.place]
            if part.kind == "end":
                detail = f"The for directive at {opening.range} is missing its corresponding endfor directive."
                return self.tell(_UNEXPECTED_END, detail, part.range)
            if part.kind == "endfor":
                self.read()
                break
            if part.kind == "else":
                self.read()
                detail = "An else clause is not expected for a for directive."
                return self.tell("Unexpected else directive", detail, part.range)
            if part.kind == "endif":
                self.read()
                detail = f"Expecting an endfor directive corresponding to the for directive at {opening.range}."
                return self.tell("Unexpected endif directive", detail, part.range)
            content.append(self.expression())
        assert opening.expression is not None
        body = _template(content, opening.range.at_end())
        place = between(opening.range, part.range)
        return Join(For(*opening.names, opening.expression, None, body, None, False, place, opening.range))


def _template(parts: list[Expression], empty: Range) -> Template:
    kept = parts or [Literal(string(""), empty)]
    return Template(tuple(kept), between(kept[0].range, kept[-1].range))
