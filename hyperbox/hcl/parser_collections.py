"""The parser of tuples, objects and `for` expressions."""

from __future__ import annotations

from hyperbox.hcl import tokens
from hyperbox.hcl.positions import between
from hyperbox.hcl.stream import OPPOSITE
from hyperbox.hcl.syntax import For, Key, Literal, Object, Tuple
from hyperbox.hcl.values import ANY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.hcl.positions import Range
    from hyperbox.hcl.stream import Stream
    from hyperbox.hcl.syntax import Expression
    from hyperbox.hcl.tokens import Token

_FOR = "Invalid 'for' expression"
_FOR_NAMES = (
    "For expression requires variable name after 'for'.",
    "For expression requires value variable name after comma.",
    "For expression requires the 'in' keyword after its name declarations.",
)
_NESTING = "before the end of the file. This may be caused by incorrect"


def _expression(stream: Stream) -> Expression:
    from hyperbox.hcl.parser_expressions import parse_expression

    return parse_expression(stream)


def parse_tuple(stream: Stream) -> Expression:
    opening = stream.read()
    stream.push_newlines(False)
    found = _for(stream, opening) if stream.at_word("for") else _tuple(stream, opening)
    stream.pop_newlines()
    return found


def _tuple(stream: Stream, opening: Token) -> Expression:
    items: list[Expression] = []
    while True:
        if stream.peek().kind == "]":
            closing = stream.read()
            break
        mark = len(stream.problems)
        items.append(_expression(stream))
        if stream.failed_since(mark):
            closing = stream.recover("]")
            break
        token = stream.peek()
        if token.kind == "]":
            closing = stream.read()
            break
        if token.kind != ",":
            if token.kind == tokens.END:
                detail = f"There is no corresponding closing bracket {_NESTING} bracket nesting elsewhere in this file."
                stream.tell_unless_recovering("Unterminated tuple constructor expression", detail, opening.range)
            else:
                detail = "Expected a comma to mark the beginning of the next item."
                stream.tell_unless_recovering("Missing item separator", detail, token.range)
            closing = stream.recover("]")
            break
        stream.read()
    return Tuple(tuple(items), between(opening.range, closing.range), opening.range)


def parse_object(stream: Stream) -> Expression:
    opening = stream.read()
    stream.push_newlines(False)
    is_for = stream.at_word("for")
    found = _for(stream, opening) if is_for else None
    stream.pop_newlines()
    if found is not None:
        return found
    stream.push_newlines(True)
    items: list[tuple[Key, Expression]] = []
    closing = _items(stream, opening, items)
    stream.pop_newlines()
    return Object(tuple(items), between(opening.range, closing.range), opening.range)


def _items(stream: Stream, opening: Token, items: list[tuple[Key, Expression]]) -> Token:
    """Parse the items of an object up to its closing brace, which is returned."""
    while True:
        token = stream.peek()
        if token.kind == tokens.NEWLINE:
            stream.read()
            continue
        if token.kind == "}":
            return stream.read()
        mark = len(stream.problems)
        key = _expression(stream)
        if stream.failed_since(mark):
            return stream.recover("}")
        separator = stream.peek()
        if separator.kind not in ("=", ":"):
            _tell_no_value(stream, separator, opening)
            return stream.recover("}")
        stream.read()
        mark = len(stream.problems)
        value = _expression(stream)
        if stream.failed_since(mark):
            return stream.recover("}")
        items.append((Key(key, token.kind == "("), value))
        following = stream.peek()
        if following.kind == "}":
            return stream.read()
        if following.kind not in (",", tokens.NEWLINE):
            _tell_no_item_end(stream, following, opening)
            return stream.recover("}")
        stream.read()


def _tell_no_value(stream: Stream, token: Token, opening: Token) -> None:
    begin = 'Expected an equals sign ("=") to mark the beginning of the attribute value.'
    if token.kind in (tokens.NEWLINE, ","):
        detail = 'Expected an attribute value, introduced by an equals sign ("=").'
        stream.tell_unless_recovering("Missing attribute value", detail, token.range)
    elif token.kind == tokens.IDENTIFIER:
        hint = "If you intended to given an attribute name containing periods or spaces, write the name in quotes to create a string literal."
        stream.tell_unless_recovering("Missing key/value separator", f"{begin} {hint}", token.range)
    elif token.kind == tokens.END:
        _tell_unterminated(stream, opening)
    else:
        stream.tell_unless_recovering("Missing key/value separator", begin, token.range)


def _tell_no_item_end(stream: Stream, token: Token, opening: Token) -> None:
    if token.kind == tokens.END:
        _tell_unterminated(stream, opening)
    else:
        detail = "Expected a newline or comma to mark the beginning of the next attribute."
        stream.tell_unless_recovering("Missing attribute separator", detail, token.range)


def _tell_unterminated(stream: Stream, opening: Token) -> None:
    detail = f"There is no corresponding closing brace {_NESTING} brace nesting elsewhere in this file."
    stream.tell_unless_recovering("Unterminated object constructor expression", detail, opening.range)


def _for(stream: Stream, opening: Token) -> Expression:
    """Parse a `for` expression from its first word on."""
    stream.read()
    closer = OPPOSITE[opening.kind]
    names = stream.for_names(_FOR, _FOR_NAMES)
    if names is None:
        return _given_up(stream, opening, closer)
    mark = len(stream.problems)
    collection = _expression(stream)
    if stream.failed_since(mark):
        return _given_up(stream, opening, closer)
    if stream.peek().kind != ":":
        detail = "For expression requires a colon after the collection expression."
        stream.tell_unless_recovering(_FOR, detail, stream.peek().range)
        return _given_up(stream, opening, closer)
    stream.read()
    mark = len(stream.problems)
    key, value = None, _expression(stream)
    if stream.peek().kind == "=>":
        stream.read()
        key, value = value, _expression(stream)
    if stream.failed_since(mark):
        return _given_up(stream, opening, closer)
    ellipsis = stream.read() if stream.peek().kind == "..." else None
    condition = None
    if stream.at_word("if"):
        stream.read()
        mark = len(stream.problems)
        condition = _expression(stream)
        if stream.failed_since(mark):
            return _given_up(stream, opening, closer)
    closing = _closing(stream, closer)
    _check(stream, opening, key, value, ellipsis)
    place = between(opening.range, closing)
    return For(*names, collection, key, value, condition, ellipsis is not None, place, opening.range)


def _given_up(stream: Stream, opening: Token, closer: str) -> Expression:
    return Literal(ANY, between(opening.range, stream.recover(closer).range))


def _closing(stream: Stream, closer: str) -> Range:
    if stream.peek().kind == closer:
        return stream.read().range
    detail = "Extra characters after the end of the 'for' expression."
    stream.tell_unless_recovering(_FOR, detail, stream.peek().range)
    return stream.recover(closer).range


def _check(stream: Stream, opening: Token, key: Expression | None, value: Expression, ellipsis: Token | None) -> None:
    if opening.kind == "{":
        if key is None:
            stream.tell(_FOR, "Key expression is required when building an object.", value.range)
        return
    if key is not None:
        stream.tell(_FOR, "Key expression is not valid when building a tuple.", key.range)
    if ellipsis is not None:
        detail = "Grouping ellipsis (...) cannot be used when building a tuple."
        stream.tell(_FOR, detail, ellipsis.range)
