"""The parser of expressions."""

from __future__ import annotations

from hyperbox.hcl import numbers, tokens
from hyperbox.hcl.parser_collections import parse_object, parse_tuple
from hyperbox.hcl.parser_templates import parse_quoted
from hyperbox.hcl.positions import between
from hyperbox.hcl.syntax import (
    Binary,
    Call,
    Conditional,
    Element,
    GetAttribute,
    GetIndex,
    Literal,
    Parentheses,
    Reference,
    Relative,
    Root,
    Splat,
    Symbol,
    Template,
    Unary,
)
from hyperbox.hcl.types import NUMBER
from hyperbox.hcl.values import ANY, FALSE, NULL, TRUE, Value, number, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.hcl.positions import Range
    from hyperbox.hcl.stream import Stream
    from hyperbox.hcl.syntax import Expression, Step
    from hyperbox.hcl.tokens import Token

# operator -> how tightly it binds
LEVELS = {
    "||": 1,
    "&&": 2,
    "==": 3,
    "!=": 3,
    ">": 4,
    ">=": 4,
    "<": 4,
    "<=": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "%": 6,
}
_WORDS = {"true": TRUE, "false": FALSE, "null": NULL}
_LEGACY = (
    "When using the legacy index syntax, chaining two indexes together is not permitted. Use the proper index syntax"
)


def parse_expression(stream: Stream) -> Expression:
    """Parse an expression; what is wrong goes to the stream's problems."""
    start = stream.peek().range
    mark = len(stream.problems)
    condition = _binary(stream, 1)
    if stream.failed_since(mark) or stream.peek().kind != "?":
        return condition
    stream.read()
    mark = len(stream.problems)
    true = parse_expression(stream)
    if stream.failed_since(mark):
        return condition
    colon = stream.peek()
    if colon.kind != ":":
        detail = "The conditional operator (...?...:...) requires a false expression, delimited by a colon."
        stream.tell("Missing false expression in conditional", detail, colon.range)
        return condition
    stream.read()
    mark = len(stream.problems)
    false = parse_expression(stream)
    if stream.failed_since(mark):
        return condition
    return Conditional(condition, true, false, between(start, false.range))


def _binary(stream: Stream, level: int) -> Expression:
    mark = len(stream.problems)
    left = _with_steps(stream)
    while not stream.failed_since(mark):
        operator = stream.peek().kind
        bound = LEVELS.get(operator, 0)
        if bound < level:
            break
        stream.read()
        mark = len(stream.problems)
        right = _binary(stream, bound + 1)
        if stream.failed_since(mark):
            break
        left = Binary(left, operator, right, between(left.range, right.range))
    return left


def _with_steps(stream: Stream) -> Expression:
    return _steps(stream, _term(stream))


def _steps(stream: Stream, origin: Expression) -> Expression:
    """Parse the attributes, indices and splats that follow a term."""
    expression = origin
    while True:
        kind = stream.peek().kind
        if kind == ".":
            expression = _dot(stream, origin, expression)
        elif kind == "[":
            expression = _bracket(stream, origin, expression)
        else:
            return expression


def _extended(expression: Expression, step: Step) -> Expression:
    if isinstance(expression, Reference):
        return Reference(expression.root, (*expression.steps, step), between(expression.range, step.range))
    if isinstance(expression, Relative):
        return Relative(expression.source, (*expression.steps, step), between(expression.range, step.range))
    return Relative(expression, (step,), between(expression.range, step.range))


def _dot(stream: Stream, origin: Expression, expression: Expression) -> Expression:
    dot = stream.read()
    token = stream.peek()
    place = between(dot.range, token.range)
    if token.kind == tokens.IDENTIFIER:
        return _extended(expression, GetAttribute(stream.read().text, place))
    if token.kind == tokens.NUMBER:
        return _extended(expression, GetIndex(_legacy_index(stream, _LEGACY + " instead"), place))
    if token.kind == "*":
        return _attribute_splat(stream, origin, expression, dot)
    stream.tell("Invalid attribute name", "An attribute name is required after a dot.", token.range)
    stream.recovering = True
    return expression


def _legacy_index(stream: Stream, advice: str) -> Value:
    """Parse the number after a dot, a way to write an index."""
    token = stream.read()
    first, dot, second = token.text.partition(".")
    if dot:
        stream.tell("Invalid legacy index syntax", f"{advice}, like [{first}][{second}].", token.range)
        return ANY
    return number_value(stream, token)


def number_value(stream: Stream, token: Token) -> Value:
    """Return a number token's value."""
    found = numbers.parse(token.text)
    if found is None:
        stream.tell("Invalid number literal", "Failed to recognize the value of this number literal.", token.range)
        return unknown(NUMBER)
    return number(found)


def _symbol(place: Range) -> Symbol:
    return Symbol(f"*{place.start.line}:{place.start.column}", place)


def _attribute_splat(stream: Stream, origin: Expression, expression: Expression, dot: Token) -> Expression:
    star = stream.read()
    marker = between(dot.range, star.range)
    first, last = stream.peek().range, star.range
    steps: list[Step] = []
    while stream.peek().kind == ".":
        inner_dot = stream.read()
        token = stream.peek()
        place = between(inner_dot.range, token.range)
        if token.kind == tokens.NUMBER:
            steps.append(GetIndex(_legacy_index(stream, _LEGACY + " with a full splat expression [*] instead"), place))
        elif token.kind == tokens.IDENTIFIER:
            steps.append(GetAttribute(stream.read().text, place))
        else:
            _tell_bad_splat(stream, token, star)
            return expression
        last = token.range
    item = _symbol(marker)
    each = Relative(item, tuple(steps), between(first, last)) if steps else item
    return Splat(expression, each, item, between(origin.range, last), marker)


def _tell_bad_splat(stream: Stream, token: Token, star: Token) -> None:
    if token.kind == "*":
        detail = "A splat expression (*) cannot be used inside another attribute-only splat expression."
        stream.tell_unless_recovering("Nested splat expression not allowed", detail, token.range)
    else:
        detail = "An attribute name is required after a dot."
        stream.tell_unless_recovering("Invalid attribute name", detail, star.range)
    stream.recovering = True


def _bracket(stream: Stream, origin: Expression, expression: Expression) -> Expression:
    opening = stream.read()
    if stream.peek().kind == "*":
        return _full_splat(stream, origin, expression, opening)
    stream.push_newlines(False)
    mark = len(stream.problems)
    key = parse_expression(stream)
    if stream.failed_since(mark):
        closing = stream.recover("]")
    else:
        closing = stream.read()
        if closing.kind != "]" and not stream.recovering:
            detail = 'The index operator must end with a closing bracket ("]").'
            closing = stream.recover("]")  # HCL points to where it found its way again
            stream.tell("Missing close bracket on index", detail, closing.range)
    stream.pop_newlines()
    place = between(opening.range, closing.range)
    if isinstance(key, Literal):
        return _extended(expression, GetIndex(key.value, place))
    if isinstance(key, Template) and len(key.parts) == 1 and isinstance(key.parts[0], Literal):
        return _extended(expression, GetIndex(key.parts[0].value, place))
    return Element(expression, key, between(origin.range, place), opening.range, place)


def _full_splat(stream: Stream, origin: Expression, expression: Expression, opening: Token) -> Expression:
    stream.read()
    closing = stream.read()
    if closing.kind != "]" and not stream.recovering:
        detail = 'The star for a full splat operator must be immediately followed by a closing bracket ("]").'
        closing = stream.recover("]")
        stream.tell("Missing close bracket on splat index", detail, closing.range)
    marker = between(opening.range, closing.range)
    item = _symbol(marker)
    each = _steps(stream, item)
    return Splat(expression, each, item, between(origin.range, each.range), marker)


def _term(stream: Stream) -> Expression:
    token = stream.peek()
    match token.kind:
        case "(":
            return _parentheses(stream)
        case tokens.NUMBER:
            stream.read()
            return Literal(number_value(stream, token), token.range)
        case tokens.IDENTIFIER:
            stream.read()
            if stream.peek().kind == "(":
                return _call(stream, token)
            if token.text in _WORDS:
                return Literal(_WORDS[token.text], token.range)
            return Reference(Root(token.text, token.range), (), token.range)
        case tokens.OPEN_QUOTE | tokens.OPEN_HEREDOC:
            return parse_quoted(stream)
        case "-" | "!":
            stream.read()
            operand = _with_steps(stream)
            return Unary(token.kind, operand, between(token.range, operand.range), token.range)
        case "[":
            return parse_tuple(stream)
        case "{":
            return parse_object(stream)
        case tokens.END:
            detail = "Expected the start of an expression, but found the end of the file."
            stream.tell_unless_recovering("Missing expression", detail, token.range)
        case _:
            detail = "Expected the start of an expression, but found an invalid expression token."
            stream.tell_unless_recovering("Invalid expression", detail, token.range)
    stream.recovering = True
    return Literal(ANY, token.range)


def _parentheses(stream: Stream) -> Expression:
    opening = stream.read()
    stream.push_newlines(False)
    mark = len(stream.problems)
    expression = parse_expression(stream)
    if len(stream.problems) > mark:
        stream.recover(")")
        stream.pop_newlines()
        return expression
    closing = stream.peek()
    if closing.kind != ")":
        detail = "Expected a closing parenthesis to terminate the expression."
        stream.tell("Unbalanced parentheses", detail, closing.range)
        stream.recovering = True
    closing = stream.read()
    stream.pop_newlines()
    return Parentheses(expression, between(opening.range, closing.range))


def _call(stream: Stream, name: Token) -> Expression:
    """Parse a call from its opening parenthesis on."""
    opening = stream.read()
    stream.push_newlines(False)
    arguments, expand, closing = _arguments(stream, name.range, opening)
    stream.pop_newlines()
    return Call(name.text, tuple(arguments), expand, name.range, opening.range, closing)


def _arguments(stream: Stream, name: Range, opening: Token) -> tuple[list[Expression], bool, Range]:
    """Parse up to a call's closing parenthesis: (arguments, whether the last expands, the parenthesis)."""
    arguments: list[Expression] = []
    while True:
        if stream.peek().kind == ")":
            return arguments, False, stream.read().range
        mark = len(stream.problems)
        arguments.append(parse_expression(stream))
        if stream.failed_since(mark):
            return arguments, False, stream.recover(")").range
        separator = stream.read()
        if separator.kind == ")":
            return arguments, False, separator.range
        if separator.kind == "...":
            if stream.peek().kind == ")":
                return arguments, True, stream.read().range
            detail = "An expanded function argument (with ...) must be immediately followed by closing parentheses."
            stream.tell_unless_recovering("Missing closing parenthesis", detail, separator.range)
            return arguments, True, stream.recover(")").range
        if separator.kind != ",":
            _tell_no_separator(stream, separator, between(name, opening.range))
            return arguments, False, stream.recover(")").range


def _tell_no_separator(stream: Stream, separator: Token, call: Range) -> None:
    if separator.kind == tokens.END:
        detail = (
            "There is no closing parenthesis for this function call before the end of the file. This may be caused by incorrect "
            "parethesis nesting elsewhere in this file."
        )
        stream.tell("Unterminated function call", detail, call)
    else:
        detail = "A comma is required to separate each function argument from the next."
        stream.tell("Missing argument separator", detail, separator.range)
