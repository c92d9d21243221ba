"""Evaluating `for` expressions and splats."""

from __future__ import annotations

from hyperbox.go.text import quote
from hyperbox.hcl.convert import ConversionError, convert
from hyperbox.hcl.positions import Diagnostic
from hyperbox.hcl.scope import Scope
from hyperbox.hcl.syntax import For, Splat
from hyperbox.hcl.types import BOOL, DYNAMIC, STRING, friendly
from hyperbox.hcl.values import (
    ANY,
    Value,
    elements,
    iterable,
    list_value,
    object_value,
    tuple_value,
    unknown,
)

Problems = list[Diagnostic]


def evaluate_for(expression: For, scope: Scope | None, problems: Problems) -> Value:
    """Return the tuple or the object that a `for` expression makes."""
    from hyperbox.hcl.evaluate import evaluate

    collection = evaluate(expression.collection, scope, problems)
    place = expression.collection.range
    if collection.null:
        detail = "A null value cannot be used as the collection in a 'for' expression."
        problems.append(Diagnostic("Iteration over null value", detail, place))
        return ANY
    if collection.type == DYNAMIC:
        return ANY
    if not iterable(collection):
        name = friendly(collection.type)
        detail = f"A value of type {name} cannot be used as the collection in a 'for' expression."
        problems.append(Diagnostic("Iteration over non-iterable value", detail, place))
        return ANY
    if not collection.known or scope is None:
        return ANY
    if expression.condition is not None and not _condition_fits(expression, scope, problems):
        return ANY
    return _Loop(expression, problems).run(collection, scope)


def _names(expression: For, key: Value, value: Value) -> dict[str, Value]:
    names = {expression.key_name: key} if expression.key_name else {}
    names[expression.value_name] = value
    return names


def _condition_fits(expression: For, scope: Scope, problems: Problems) -> bool:
    """Return whether the condition can be true or false, as far as that shows before any value is there."""
    from hyperbox.hcl.evaluate import evaluate

    assert expression.condition is not None
    mark = len(problems)
    place = expression.condition.range
    result = evaluate(expression.condition, scope.child(_names(expression, ANY, ANY)), problems)
    if result.null:
        detail = "The value of the 'if' clause must not be null."
        problems.append(Diagnostic("Condition is null", detail, place))
        return False
    try:
        convert(result, BOOL)
    except ConversionError as error:
        detail = f"The 'if' clause value is invalid: {error}."
        problems.append(Diagnostic("Invalid 'for' condition", detail, place))
        return False
    return len(problems) == mark


class _Loop:
    """One run of a `for` expression. `known` turns false with the first thing that keeps its result from being known."""

    def __init__(self, expression: For, problems: Problems) -> None:
        self.expression = expression
        self.problems = problems
        self.known = True

    def run(self, collection: Value, scope: Scope) -> Value:
        from hyperbox.hcl.evaluate import evaluate

        items: list[Value] = []
        groups: dict[str, list[Value]] = {}
        for key, value in elements(collection):
            inner = scope.child(_names(self.expression, key, value))
            if not self.included(inner):
                continue
            if self.expression.key is None:
                items.append(evaluate(self.expression.value, inner, self.problems))
                continue
            name = self.name(inner)
            if name is None:
                self.known = False
                continue
            made = evaluate(self.expression.value, inner, self.problems)
            if name in groups and not self.expression.group:
                self.tell_duplicate(name)
            else:
                groups.setdefault(name, []).append(made)
        if not self.known:
            return ANY
        if self.expression.key is None:
            return tuple_value(items)
        if self.expression.group:
            return object_value({name: tuple_value(group) for name, group in groups.items()})
        return object_value({name: group[0] for name, group in groups.items()})

    def tell(self, summary: str, detail: str, *, key: bool) -> None:
        """Tell what is wrong with the key or the condition, once."""
        if self.known:
            part = self.expression.key if key else self.expression.condition
            assert part is not None
            self.problems.append(Diagnostic(summary, detail, part.range))
        self.known = False

    def included(self, scope: Scope) -> bool:
        from hyperbox.hcl.evaluate import evaluate

        if self.expression.condition is None:
            return True
        summary = "Invalid 'for' condition"
        result = evaluate(self.expression.condition, scope, self.problems)
        if result.null:
            self.tell(summary, "The value of the 'if' clause must not be null.", key=False)
            return False
        try:
            include = convert(result, BOOL)
        except ConversionError as error:
            self.tell(summary, f"The 'if' clause value is invalid: {error}.", key=False)
            return False
        if not include.known:
            self.known = False
            return False
        return bool(include.data)

    def name(self, scope: Scope) -> str | None:
        from hyperbox.hcl.evaluate import evaluate

        assert self.expression.key is not None
        summary = "Invalid object key"
        key = evaluate(self.expression.key, scope, self.problems)
        if key.null:
            self.tell(summary, "Key expression in 'for' expression must not produce a null value.", key=True)
            return None
        try:
            return convert(key, STRING).text if key.known else None
        except ConversionError as error:
            self.tell(summary, f"The key expression produced an invalid result: {error}.", key=True)
            return None

    def tell_duplicate(self, name: str) -> None:
        assert self.expression.key is not None
        detail = (
            f"Two different items produced the key {quote(name)} in this 'for' expression. If duplicates are expected, use the "
            "ellipsis (...) after the value expression to enable grouping by key."
        )
        self.problems.append(Diagnostic("Duplicate object key", detail, self.expression.key.range))


def evaluate_splat(expression: Splat, scope: Scope | None, problems: Problems) -> Value:
    """Return what the steps behind a splat give for each element."""
    from hyperbox.hcl.evaluate import evaluate

    mark = len(problems)
    source = evaluate(expression.source, scope, problems)
    if len(problems) > mark:
        return ANY
    sequence = source.type.kind in ("tuple", "list", "set")
    if source.null:
        if not sequence:
            return tuple_value(())
        detail = "Splat expressions (with the * symbol) cannot be applied to null sequences."
        problems.append(Diagnostic("Splat of null value", detail, expression.source.range))
        return ANY
    if source.type == DYNAMIC or not source.known:
        return ANY
    items = source.items if sequence else (source,)
    outer = scope if scope is not None else Scope({}, {})
    made = []
    mark = len(problems)
    for item in items:
        made.append(evaluate(expression.each, outer.child({expression.item.name: item}), problems))
    if len(problems) > mark:
        return ANY
    if source.type.collection:
        if made:
            return list_value(made)
        inner = outer.child({expression.item.name: unknown(source.type.inner)})
        return list_value((), evaluate(expression.each, inner, problems).type)
    return tuple_value(made)
