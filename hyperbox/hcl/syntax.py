"""The syntax tree: expressions, attributes and blocks. The nodes are no named tuples: mypy takes minutes over those that hold each other."""

from __future__ import annotations

from dataclasses import dataclass

from hyperbox.hcl.positions import Range, between

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.hcl.values import Value


class Node:
    """A part of the tree."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Node):
    value: Value
    range: Range


@dataclass(frozen=True, slots=True, eq=False)
class Root(Node):
    """The name with which a reference begins."""

    name: str
    range: Range


@dataclass(frozen=True, slots=True, eq=False)
class GetAttribute(Node):
    name: str
    range: Range


@dataclass(frozen=True, slots=True, eq=False)
class GetIndex(Node):
    key: Value
    range: Range


Step = GetAttribute | GetIndex


@dataclass(frozen=True, slots=True, eq=False)
class Reference(Node):
    """A name and the steps from there."""

    root: Root
    steps: tuple[Step, ...]
    range: Range


@dataclass(frozen=True, slots=True, eq=False)
class Relative(Node):
    """Steps from what an expression gives."""

    source: Expression
    steps: tuple[Step, ...]
    range: Range


@dataclass(frozen=True, slots=True, eq=False)
class Call(Node):
    name: str
    arguments: tuple[Expression, ...]
    expand: bool
    name_range: Range
    open_range: Range
    close_range: Range

    @property
    def range(self) -> Range:
        return between(self.name_range, self.close_range)


@dataclass(frozen=True, slots=True, eq=False)
class Conditional(Node):
    condition: Expression
    true: Expression
    false: Expression
    range: Range


@dataclass(frozen=True, slots=True, eq=False)
class Element(Node):
    """One element of a collection, by a key that is computed."""

    collection: Expression
    key: Expression
    range: Range
    open_range: Range
    bracket_range: Range


@dataclass(frozen=True, slots=True, eq=False)
class Tuple(Node):
    items: tuple[Expression, ...]
    range: Range
    open_range: Range


@dataclass(frozen=True, slots=True, eq=False)
class Key(Node):
    """The key of an object's item: a bare name stands for itself, unless in parentheses."""

    wrapped: Expression
    forced: bool

    @property
    def range(self) -> Range:
        return self.wrapped.range


@dataclass(frozen=True, slots=True, eq=False)
class Object(Node):
    items: tuple[tuple[Key, Expression], ...]
    range: Range
    open_range: Range


@dataclass(frozen=True, slots=True, eq=False)
class For(Node):
    key_name: str
    value_name: str
    collection: Expression
    key: Expression | None
    value: Expression
    condition: Expression | None
    group: bool
    range: Range
    open_range: Range


@dataclass(frozen=True, slots=True, eq=False)
class Splat(Node):
    source: Expression
    each: Expression
    item: Symbol
    range: Range
    marker_range: Range


@dataclass(frozen=True, slots=True, eq=False)
class Symbol(Node):
    """The item at which a splat is; its name can't be written in a source."""

    name: str
    range: Range


@dataclass(frozen=True, slots=True, eq=False)
class Binary(Node):
    left: Expression
    operator: str
    right: Expression
    range: Range


@dataclass(frozen=True, slots=True, eq=False)
class Unary(Node):
    operator: str
    operand: Expression
    range: Range
    symbol_range: Range


@dataclass(frozen=True, slots=True, eq=False)
class Parentheses(Node):
    wrapped: Expression
    range: Range


@dataclass(frozen=True, slots=True, eq=False)
class Template(Node):
    parts: tuple[Expression, ...]
    range: Range


@dataclass(frozen=True, slots=True, eq=False)
class Wrap(Node):
    """A template that is one interpolation and nothing else: its value is that of the expression, whatever its type."""

    wrapped: Expression
    range: Range


@dataclass(frozen=True, slots=True, eq=False)
class Join(Node):
    """The texts of a `for` directive, one after the other."""

    items: For

    @property
    def range(self) -> Range:
        return self.items.range


@dataclass(frozen=True, slots=True, eq=False)
class JsonText(Node):
    """A string of a JSON file: a template where it is evaluated within a scope. `template` is None where it is no valid one."""

    text: str
    template: Expression | None
    problems: tuple[object, ...]
    range: Range


@dataclass(frozen=True, slots=True, eq=False)
class JsonArray(Node):
    items: tuple[Expression, ...]
    range: Range
    open_range: Range


@dataclass(frozen=True, slots=True, eq=False)
class JsonObject(Node):
    """An object of a JSON file: (name, value) pairs in their order."""

    items: tuple[tuple[JsonText, Expression], ...]
    range: Range
    open_range: Range
    close_range: Range


Expression = (
    Literal
    | Reference
    | Relative
    | Call
    | Conditional
    | Element
    | Tuple
    | Key
    | Object
    | For
    | Splat
    | Symbol
    | Binary
    | Unary
    | Parentheses
    | Template
    | Wrap
    | Join
    | JsonText
    | JsonArray
    | JsonObject
)


@dataclass(frozen=True, slots=True, eq=False)
class Attribute(Node):
    name: str
    expression: Expression
    range: Range
    name_range: Range


class Block:
    """A block; two of the same text are two blocks."""

    __slots__ = ("body", "definition_range", "label_ranges", "labels", "open_range", "type", "type_range")

    def __init__(
        self,
        type: str,
        labels: tuple[str, ...],
        body: object,
        *,
        type_range: Range,
        label_ranges: tuple[Range, ...],
        open_range: Range,
        definition_range: Range,
    ) -> None:
        self.type = type
        self.labels = labels
        self.body = body
        self.type_range = type_range
        self.label_ranges = label_ranges
        self.open_range = open_range
        self.definition_range = definition_range


def start_range(expression: Expression) -> Range:
    """Return the range that messages about a whole expression point to."""
    while True:
        match expression:
            case Call():
                return between(expression.name_range, expression.open_range)
            case Conditional():
                expression = expression.condition
            case Element() | Tuple() | Object() | For() | JsonArray() | JsonObject():
                return expression.open_range
            case Key() | Parentheses():
                expression = expression.wrapped
            case Splat():
                return expression.marker_range
            case Binary():
                expression = expression.left
            case Unary():
                return expression.symbol_range
            case Template():
                expression = expression.parts[0]
            case Join():
                expression = expression.items
            case _:
                return expression.range


def keyword(expression: Expression) -> str:
    """Return the bare name that an expression is, else ""."""
    match expression:
        case Reference() if not expression.steps:
            return expression.root.name
        case Literal():
            data = expression.value.data
            return (
                {None: "null", True: "true", False: "false"}.get(data, "")
                if data is None or data is True or data is False
                else ""
            )
        case Key() if not expression.forced:
            return keyword(expression.wrapped)
        case JsonText() if expression.text.replace("-", "_").isidentifier():
            return expression.text
        case _:
            return ""


def children(expression: Expression) -> tuple[Expression, ...]:
    """Return the expressions within one that are evaluated in the same scope."""
    match expression:
        case Relative() | Splat():
            return (expression.source, expression.each) if isinstance(expression, Splat) else (expression.source,)
        case Call():
            return expression.arguments
        case Conditional():
            return (expression.condition, expression.true, expression.false)
        case Element():
            return (expression.collection, expression.key)
        case Tuple() | JsonArray():
            return expression.items
        case Object() | JsonObject():
            return tuple(part for item in expression.items for part in item)
        case Key():
            return () if keyword(expression) else (expression.wrapped,)
        case Binary():
            return (expression.left, expression.right)
        case Unary():
            return (expression.operand,)
        case Parentheses() | Wrap():
            return (expression.wrapped,)
        case Template():
            return expression.parts
        case Join():
            return (expression.items,)
        case JsonText():
            return (expression.template,) if expression.template is not None else ()
        case _:
            return ()


def references(expression: Expression) -> list[Reference]:
    """Return the references in an expression to names that it does not define itself, in the order of the text."""
    found: list[Reference] = []
    pending: list[tuple[Expression, frozenset[str]]] = [(expression, frozenset())]
    while pending:
        each, local = pending.pop()
        if isinstance(each, Reference):
            if each.root.name not in local:
                found.append(each)
        elif isinstance(each, For):
            inner = local | {each.key_name, each.value_name}
            rest = [part for part in (each.key, each.value, each.condition) if part is not None]
            pending += [(part, inner) for part in reversed(rest)]
            pending.append((each.collection, local))
        else:
            pending += [(part, local) for part in reversed(children(each))]
    return found


def calls(expression: Expression) -> list[str]:
    """Return the names of the functions that an expression calls."""
    found: list[str] = []
    pending: list[Expression] = [expression]
    while pending:
        each = pending.pop()
        if isinstance(each, Call) and each.name not in found:
            found.append(each.name)
        if isinstance(each, For):
            parts = (each.collection, each.key, each.value, each.condition)
            pending += [part for part in reversed(parts) if part is not None]
        else:
            pending += reversed(children(each))
    return found
