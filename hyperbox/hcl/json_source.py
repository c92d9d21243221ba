"""The JSON form of HCL: objects are bodies and blocks, strings are templates."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from hyperbox.go.text import quote
from hyperbox.hcl import numbers, tokens
from hyperbox.hcl.json_body import JsonBody
from hyperbox.hcl.parser import parse_template
from hyperbox.hcl.parser_expressions import parse_expression
from hyperbox.hcl.positions import Diagnostic, Diagnostics, Position, Range, after, between, did_you_mean
from hyperbox.hcl.stream import Stream
from hyperbox.hcl.syntax import Expression, JsonArray, JsonObject, JsonText, Literal
from hyperbox.hcl.values import FALSE, NULL, TRUE, number

_TOKENS = re.compile(
    r"(?P<space>[ \t\r\n]+)|(?P<string>\"(?:[^\"\\\n]|\\.)*\"?)|(?P<number>-?[0-9][0-9.eE+-]*)"
    r"|(?P<keyword>[^\W\d]\w*)|(?P<mark>[{}\[\],:=])|(?P<other>.)",
    re.DOTALL,
)
_START = "A JSON value must start with a brace, a bracket, a number, a string, or a keyword."
_WORDS = {"true": TRUE, "false": FALSE, "null": NULL}


class _Token(NamedTuple):
    kind: str
    text: str
    range: Range


def parse_json(source: str, file: str) -> JsonBody:
    """Return the body that a JSON file is. Raises Diagnostics."""
    reader = _Reader(_scan(source, file))
    try:
        node = reader.value()
    except RecursionError:
        start = Position(1, 1)
        raise Diagnostics(
            [Diagnostic("Too deep", "This file is nested too deeply.", Range(file, start, start))]
        ) from None
    following = reader.peek()
    if following.kind != "end":
        detail = "Extra characters appear after the JSON value."
        raise Diagnostics([Diagnostic("Extraneous data after value", detail, following.range)])
    if not isinstance(node, JsonObject | JsonArray):
        detail = "The root value in a JSON-based configuration must be either a JSON object or a JSON array of objects."
        raise Diagnostics([Diagnostic("Root value must be object", detail, node.range)])
    return JsonBody(node)


def expression_of(text: JsonText) -> Expression | None:
    """Return the expression that a string's text is, such as a type; None where it is none."""
    scanned = tokens.scan(text.text, text.range.file)
    stream = Stream(scanned)
    expression = parse_expression(stream)
    complete = not stream.problems and stream.peek().kind == tokens.END and not tokens.invalid_tokens(scanned)
    return expression if complete else None


def _scan(source: str, file: str) -> list[_Token]:
    found = []
    position = Position(1, 1)
    for match in _TOKENS.finditer(source):
        kind, text = str(match.lastgroup), match.group()
        end = after(position, text)
        if kind != "space":
            found.append(_Token(text if kind == "mark" else kind, text, Range(file, position, end)))
        position = end
    return [*found, _Token("end", "", Range(file, position, position))]


class _Reader:
    """Where the parser is."""

    def __init__(self, source: list[_Token]) -> None:
        self.tokens = source
        self.place = 0

    def peek(self) -> _Token:
        return self.tokens[self.place]

    def read(self) -> _Token:
        token = self.tokens[self.place]
        self.place = min(self.place + 1, len(self.tokens) - 1)
        return token

    def fail(self, summary: str, detail: str, place: Range) -> Diagnostics:
        return Diagnostics([Diagnostic(summary, detail, place)])

    def value(self) -> Expression:
        token = self.peek()
        if token.kind == "{":
            return self.object()
        if token.kind == "[":
            return self.array()
        if token.kind == "string":
            return self.string()
        if token.kind == "number":
            return self.number()
        if token.kind == "keyword":
            return self.keyword()
        summary = {"}": "Missing JSON value", "]": "Missing array element value", "end": "Missing value"}.get(
            token.kind
        )
        detail = "The JSON data ends prematurely." if token.kind == "end" else _START
        raise self.fail(summary or "Invalid start of value", detail, token.range)

    def string(self) -> JsonText:
        token = self.read()
        try:
            text = json.loads(token.text)
        except ValueError:
            raise self.fail(
                "Invalid JSON string", "There is a syntax error in the given JSON string.", token.range
            ) from None
        start = token.range.start
        template, problems = parse_template(text, token.range.file, Position(start.line, start.column + 1))
        return JsonText(text, None if problems else template, tuple(problems), token.range)

    def number(self) -> Expression:
        token = self.read()
        found = numbers.parse(token.text)
        if found is None or not re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", token.text, re.ASCII):
            raise self.fail("Invalid JSON number", "There is a syntax error in the given JSON number.", token.range)
        return Literal(number(found), token.range)

    def keyword(self) -> Expression:
        token = self.read()
        if token.text in _WORDS:
            return Literal(_WORDS[token.text], token.range)
        if token.text in ("undefined", "NaN", "Infinity"):
            detail = f"The JavaScript identifier {quote(token.text)} cannot be used in JSON."
        else:
            detail = f"{quote(token.text)} is not a valid JSON keyword.{did_you_mean(token.text, _WORDS)}"
        raise self.fail("Invalid JSON keyword", detail, token.range)

    def object(self) -> JsonObject:
        opening = self.read()
        items: list[tuple[JsonText, Expression]] = []
        while self.peek().kind != "}":
            items.append((self.name(), self.value()))
            following = self.peek()
            if following.kind == ",":
                self.read()
                if self.peek().kind == "}":
                    detail = "JSON does not permit a trailing comma after the final property in an object."
                    raise self.fail("Trailing comma in object", detail, following.range)
            elif following.kind == "end":
                raise self.fail("Unclosed object", "No closing brace was found for this JSON object.", opening.range)
            elif following.kind == "]":
                detail = "A JSON object must be closed with a brace, not a bracket."
                raise self.fail("Mismatched braces", detail, following.range)
            elif following.kind != "}":
                detail = "A comma must appear between each property definition in an object."
                raise self.fail("Missing attribute seperator comma", detail, following.range)
        closing = self.read()
        return JsonObject(tuple(items), between(opening.range, closing.range), opening.range, closing.range)

    def name(self) -> JsonText:
        """Read a property's name and the colon behind it."""
        key = self.value()
        if not isinstance(key, JsonText):
            detail = "A JSON object property name must be a string"
            raise self.fail("Invalid object property name", detail, getattr(key, "open_range", key.range))
        colon = self.read()
        if colon.kind == ":":
            return key
        summary = "Missing property value colon"
        if colon.kind in ("}", ","):
            summary = "Missing object value"
            detail = "A JSON object attribute must have a value, introduced by a colon."
        elif colon.kind == "=":
            detail = "JSON uses a colon as its name/value delimiter, not an equals sign."
        else:
            detail = "A colon must appear between an object property's name and its value."
        raise self.fail(summary, detail, colon.range)

    def array(self) -> JsonArray:
        opening = self.read()
        items: list[Expression] = []
        while self.peek().kind != "]":
            items.append(self.value())
            following = self.peek()
            if following.kind == ",":
                self.read()
                if self.peek().kind == "]":
                    detail = "JSON does not permit a trailing comma after the final value in an array."
                    raise self.fail("Trailing comma in array", detail, following.range)
            elif following.kind != "]":
                raise self.bad_array(opening, following)
        closing = self.read()
        return JsonArray(tuple(items), between(opening.range, closing.range), opening.range)

    def bad_array(self, opening: _Token, token: _Token) -> Diagnostics:
        if token.kind == ":":
            return self.fail(
                "Invalid array value", "A colon is not used to introduce values in a JSON array.", token.range
            )
        if token.kind == "end":
            return self.fail("Unclosed object", "No closing bracket was found for this JSON array.", opening.range)
        if token.kind == "}":
            detail = "A JSON array must be closed with a bracket, not a brace."
            return self.fail("Mismatched brackets", detail, token.range)
        detail = "A comma must appear between each value in an array."
        return self.fail("Missing attribute seperator comma", detail, token.range)
