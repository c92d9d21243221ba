"""The parser of configurations: bodies, attributes and blocks."""

from __future__ import annotations

from hyperbox.go.text import quote
from hyperbox.hcl import tokens
from hyperbox.hcl.body import Body
from hyperbox.hcl.literals import literal_text
from hyperbox.hcl.parser_expressions import parse_expression
from hyperbox.hcl.parser_templates import parse_whole_template
from hyperbox.hcl.positions import Diagnostic, Diagnostics, Position, Range, between
from hyperbox.hcl.stream import Stream
from hyperbox.hcl.syntax import Attribute, Block

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.hcl.syntax import Expression
    from hyperbox.hcl.tokens import Token

_REQUIRED = "Argument or block definition required"
_HERE = "An argument or block definition is required here."
_USE_EQUALS = f'{_HERE} To set an argument, use the equals sign "=" to introduce the argument value.'
_UNCLOSED = (
    "There is no closing brace for this block before the end of the file. This may be caused by incorrect brace nesting "
    "elsewhere in this file."
)


def parse_config(source: str, file: str) -> Body:
    """Return the body that a source is. Raises Diagnostics."""
    scanned = tokens.scan(source, file)
    stream = Stream(scanned)
    stream.problems += tokens.invalid_tokens(scanned)
    try:
        body = _body(stream, tokens.END)
    except RecursionError:
        raise _too_deep(file) from None
    if stream.problems:
        raise Diagnostics(stream.problems)
    return body


def _too_deep(file: str) -> Diagnostics:
    start = Position(1, 1)
    return Diagnostics([Diagnostic("Too deep", "This file is nested too deeply.", Range(file, start, start))])


def parse_template(source: str, file: str, position: Position) -> tuple[Expression, list[Diagnostic]]:
    """Return a bare template's expression and what is wrong with it."""
    scanned = tokens.scan_template(source, file, position)
    stream = Stream(scanned)
    stream.problems += tokens.invalid_tokens(scanned)
    expression = parse_whole_template(stream, tokens.END)
    return expression, stream.problems


def _body(stream: Stream, end: str) -> Body:
    """Parse up to the end of a body, that included."""
    attributes: dict[str, Attribute] = {}
    blocks: list[Block] = []
    start = stream.last_range
    while True:
        token = stream.peek()
        if token.kind == end:
            stream.read()
            break
        if token.kind == tokens.NEWLINE:
            stream.read()
        elif token.kind == tokens.IDENTIFIER:
            _add_item(stream, _item(stream), attributes, blocks)
        else:
            _tell_no_item(stream, stream.read(), start, end)
            stream.recover(end)
            break
    return Body(attributes, tuple(blocks), start.at_start())


def _add_item(
    stream: Stream, item: Attribute | Block | None, attributes: dict[str, Attribute], blocks: list[Block]
) -> None:
    if isinstance(item, Block):
        blocks.append(item)
    elif item is not None and item.name in attributes:
        before = attributes[item.name].name_range
        detail = f"The argument {quote(item.name)} was already set at {before}. Each argument may be set only once."
        stream.tell("Attribute redefined", detail, item.name_range)
    elif item is not None:
        attributes[item.name] = item


def _tell_no_item(stream: Stream, bad: Token, start: Range, end: str) -> None:
    if bad.kind == tokens.OPEN_QUOTE:
        stream.tell_unless_recovering("Invalid argument name", "Argument names must not be quoted.", bad.range)
    elif bad.kind == tokens.END and end == "}":
        stream.tell_unless_recovering("Unclosed configuration block", _UNCLOSED, start)
    else:
        stream.tell_unless_recovering(_REQUIRED, _HERE, bad.range)


def _item(stream: Stream) -> Attribute | Block | None:
    name = stream.read()
    following = stream.peek().kind
    if following == "=":
        return _attribute(stream, name, single=False)
    if following in (tokens.OPEN_QUOTE, "{", tokens.IDENTIFIER):
        return _block(stream, name)
    stream.recover_after_item()
    stream.tell(_REQUIRED, _USE_EQUALS, name.range)
    return None


def _attribute(stream: Stream, name: Token, *, single: bool) -> Attribute:
    """Parse an attribute from its equals sign on; `single`: the only one of a block on one line."""
    stream.read()
    mark = len(stream.problems)
    expression = parse_expression(stream)
    end = stream.last_range
    if stream.failed_since(mark):
        stream.recover_after_item()
    elif not single:
        following = stream.peek()
        if following.kind in (tokens.NEWLINE, tokens.END):
            stream.read()
        else:
            _tell_no_newline(stream, following)
            stream.recover_after_item()
    return Attribute(name.text, expression, between(name.range, end), name.range)


def _tell_no_newline(stream: Stream, token: Token) -> None:
    summary, detail = "Missing newline after argument", "An argument definition must end with a newline."
    if token.kind == ",":
        summary = "Unexpected comma after argument"
        detail = f"Argument definitions must be separated by newlines, not commas. {detail}"
    stream.tell_unless_recovering(summary, detail, token.range)


def _block(stream: Stream, name: Token) -> Block:
    labels: list[str] = []
    ranges: list[Range] = []
    while True:
        token = stream.peek()
        if token.kind == "{":
            break
        if token.kind == tokens.OPEN_QUOTE:
            label, place = _label(stream)
        elif token.kind == tokens.IDENTIFIER:
            label, place = token.text, stream.read().range
        else:
            _tell_bad_header(stream, token)
            stream.recover_after_item()
            return _made(name, labels, ranges, Body({}, (), name.range), name.range)
        labels.append(label)
        ranges.append(place)
    brace = stream.read()
    body = _block_body(stream, brace)
    following = stream.peek()
    if following.kind in (tokens.NEWLINE, tokens.END):
        stream.read()
    else:
        detail = "A block definition must end with a newline."
        stream.tell_unless_recovering("Missing newline after block definition", detail, following.range)
        stream.recover_after_item()
    return _made(name, labels, ranges, body, brace.range)


def _made(name: Token, labels: list[str], ranges: list[Range], body: Body, brace: Range) -> Block:
    return Block(
        name.text,
        tuple(labels),
        body,
        type_range=name.range,
        label_ranges=tuple(ranges),
        open_range=brace,
        definition_range=between(name.range, ranges[-1] if ranges else name.range),
    )


def _tell_bad_header(stream: Stream, token: Token) -> None:
    summary = "Invalid block definition"
    if token.kind == "=":
        detail = 'The equals sign "=" indicates an argument definition, and must not be used when defining a block.'
        stream.tell(summary, detail, token.range)
    elif token.kind == tokens.NEWLINE:
        detail = 'A block definition must have block content delimited by "{" and "}", starting on the same line as the block header.'
        stream.tell(summary, detail, token.range)
    else:
        detail = 'Either a quoted string block label or an opening brace ("{") is expected here.'
        stream.tell_unless_recovering(summary, detail, token.range)


def _block_body(stream: Stream, brace: Token) -> Body:
    if stream.peek().kind in (tokens.NEWLINE, tokens.END, "}"):
        return _body(stream, "}")
    mark = len(stream.problems)
    body = _single_body(stream)
    inner, stream.problems[mark:] = stream.problems[mark:], []
    token = stream.peek()
    if token.kind == "}":
        stream.read()
    else:
        _tell_bad_single(stream, token, brace)
        stream.recover("}")
    stream.problems += inner
    return body or Body({}, (), brace.range.at_start())


def _tell_bad_single(stream: Stream, token: Token, brace: Token) -> None:
    summary = "Invalid single-argument block definition"
    if token.kind == ",":
        detail = (
            "Single-line block syntax can include only one argument definition. To define multiple arguments, use the multi-line "
            "block syntax with one argument definition per line."
        )
        stream.tell(summary, detail, token.range)
    elif token.kind == tokens.NEWLINE:
        detail = (
            "An argument definition on the same line as its containing block creates a single-line block definition, which must also "
            "be closed on the same line. Place the block's closing brace immediately after the argument definition."
        )
        stream.tell(summary, detail, token.range)
    elif token.kind == tokens.END:
        stream.tell_unless_recovering("Unclosed configuration block", _UNCLOSED, brace.range)
    else:
        detail = "A single-line block definition must end with a closing brace immediately after its single argument definition."
        stream.tell_unless_recovering(summary, detail, token.range)


def _single_body(stream: Stream) -> Body | None:
    """Parse the one attribute of a block on one line."""
    name = stream.read()
    if name.kind != tokens.IDENTIFIER:
        stream.recover_after_item()
        stream.tell(_REQUIRED, _HERE, name.range)
        return None
    following = stream.peek()
    if following.kind == "=":
        attribute = _attribute(stream, name, single=True)
        return Body({attribute.name: attribute}, (), attribute.range.at_start())
    stream.recover_after_item()
    if following.kind in (tokens.OPEN_QUOTE, "{", tokens.IDENTIFIER):
        detail = (
            "A single-line block definition can contain only a single argument. If you meant to define argument "
            f"{quote(name.text)}, use an equals sign to assign it a value. To define a nested block, place it on a line of its own "
            "within its parent block."
        )
        stream.tell("Argument definition required", detail, between(name.range, following.range))
    else:
        stream.tell(_REQUIRED, _USE_EQUALS, name.range)
    return None


def _label(stream: Stream) -> tuple[str, Range]:
    """Parse a quoted label, which has no interpolations."""
    opening = stream.read()
    text = ""
    while True:
        token = stream.read()
        if token.kind == tokens.CLOSE_QUOTE:
            break
        if token.kind == tokens.QUOTED:
            text += literal_text(token, stream.problems)
            continue
        if token.kind in (tokens.INTERPOLATION, tokens.CONTROL):
            mark = token.text[0]
            detail = (
                f"Template sequences are not allowed in this string. To include a literal {quote(mark)}, double it "
                f'(as "{mark}{mark}") to escape it.'
            )
            stream.tell("Invalid string literal", detail, token.range)
            stream.recover(tokens.SEQUENCE_END)
            continue
        if token.kind == tokens.END:
            detail = "Unable to find the closing quote mark before the end of the file."
            stream.tell("Unterminated string literal", detail, token.range)
        else:
            stream.tell("Invalid string literal", "This item is not valid in a string literal.", token.range)
            stream.recover(tokens.CLOSE_QUOTE)
        break
    return text, between(opening.range, token.range)
