"""Evaluating HCL and JSON definitions: variables and functions by need, then targets and groups, which may refer to each other."""

from __future__ import annotations

import re
from typing import NamedTuple

from hyperbox.bake.blocks import Blocks
from hyperbox.bake.errors import BakeError, File
from hyperbox.bake.functions import user_function
from hyperbox.bake.merged import AnyBody, body_of, only_attributes, take
from hyperbox.bake.model import Group, Target
from hyperbox.bake.variables import (
    Listed,
    ResolveError,
    Variable,
    listed,
    overridden,
    validate,
    variable_of,
    with_default,
)
from hyperbox.go.text import quote
from hyperbox.hcl.body import Schema
from hyperbox.hcl.evaluate import evaluate
from hyperbox.hcl.json_source import parse_json
from hyperbox.hcl.parser import parse_config
from hyperbox.hcl.positions import Diagnostic, Diagnostics, Range
from hyperbox.hcl.scope import Scope
from hyperbox.hcl.standard import standard_functions
from hyperbox.hcl.syntax import Attribute, Block, Expression, calls, references
from hyperbox.hcl.values import LimitError, Value, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

_BLOCKS = Schema({}, {"group": ("name",), "target": ("name",)})
_DEFINITIONS = Schema({}, {"variable": ("name",), "function": ("name",)})
_NAME = re.compile(r"[a-zA-Z0-9_-]+\Z")


class Config(NamedTuple):
    """What definitions come to: groups and targets in their order, and the variables."""

    groups: list[Group]
    targets: list[Target]
    variables: list[Listed]


def parse_file(file: File) -> AnyBody:
    """Return the body of a file in HCL or JSON. Raises Diagnostics."""
    text = file.data.decode(errors="surrogateescape")
    name = file.name
    if name.endswith(".json"):
        return parse_json(text, name)
    if name.endswith(".hcl"):
        return parse_config(text, name)
    try:
        return parse_config(text, f"{name}.hcl")
    except Diagnostics:
        try:
            return parse_json(text, f"{name}.json")
        except Diagnostics:
            pass
        raise


def evaluate_files(
    bodies: Sequence[AnyBody], lookup: Callable[[str], str | None], builtin: Mapping[str, str], before: Config
) -> Config:
    """Return what bodies define, added to what compose files defined before. Raises BakeError."""
    try:
        return Definition(list(bodies), lookup, builtin).config(before)
    except Diagnostics as error:
        raise BakeError(str(error), error.problems[0].subject) from None
    except LimitError as error:
        raise BakeError(f"HyperBox does not evaluate these definitions: {error}") from None
    except RecursionError:
        raise BakeError("HyperBox does not evaluate these definitions: they are nested too deeply") from None


def check_name(name: str) -> None:
    """Raise ResolveError where a target can't have a name."""
    if not _NAME.match(name):
        raise ResolveError('only "[a-zA-Z0-9_-]+" are allowed')


class Definition:
    """One evaluation: names are resolved when something refers to them, so their order in the files has no meaning."""

    def __init__(self, bodies: list[AnyBody], lookup: Callable[[str], str | None], builtin: Mapping[str, str]) -> None:
        self.lookup = lookup
        self.builtin = builtin
        self.scope = Scope({}, standard_functions())
        self.resolving: set[tuple[int, str]] = set()
        problems: list[Diagnostic] = []
        reserved = {"group", "target", *builtin}
        definitions, rest = take(bodies, _DEFINITIONS, problems)
        variables = [block for block in definitions.blocks if block.type == "variable"]
        found = [variable_of(block, problems) for block in variables]
        self.variables = {each.name: each for each in found if each.name not in reserved}
        functions = [block for block in definitions.blocks if block.type == "function"]
        self.functions = {block.labels[0]: block for block in functions if block.labels[0] not in reserved}
        self.function_attributes = {
            name: _function_attributes(block, problems) for name, block in self.functions.items()
        }
        _check(problems)
        content, rest = take(rest, _BLOCKS, problems)
        _check(problems)
        attributes = only_attributes(rest, problems)
        _check(problems)
        self.attributes = {
            name: each for name, each in attributes.items() if name not in reserved and name != "function"
        }
        self.blocks = Blocks(self, content.blocks)

    def config(self, before: Config) -> Config:
        """Evaluate everything."""
        for name, value in self.builtin.items():
            self.names[name] = string(value)
        variables = [self._variable(each) for each in self.variables.values()]
        problems: list[Diagnostic] = []
        for each in self.variables.values():
            validate(each, self.scope, problems)
        _check(problems)
        for name, block in self.functions.items():
            self._function(name, block)
        self.blocks.name_all()
        groups, targets, renamed = self.blocks.evaluate_all(before.groups, before.targets)
        for name, attribute in self.attributes.items():
            try:
                self.resolve_name(self.scope, name)
            except ResolveError as error:
                raise _wrapped("Invalid attribute", error, attribute.range) from None
        for old, new in renamed.items():
            groups.append(Group(old, list(dict.fromkeys(new))))
        return Config(groups, targets, variables)

    @property
    def names(self) -> dict[str, Value]:
        assert self.scope.variables is not None
        return self.scope.variables

    def _variable(self, variable: Variable) -> Listed:
        try:
            self.resolve_name(self.scope, variable.name)
        except ResolveError as error:
            raise _wrapped("Invalid value", error, variable.place) from None
        value = self.scope.variable(variable.name)
        assert value is not None
        return listed(variable, value)

    def _function(self, name: str, block: Block) -> None:
        try:
            self.resolve_function(self.scope, name)
        except ResolveError as error:
            parameters = self.function_attributes[name].get("params")
            place = parameters.range if parameters is not None else block.label_ranges[0]
            raise _wrapped("Invalid function", error, place) from None

    def resolve_all(
        self, scope: Scope, expression: Expression, local: Collection[str] = (), *, allow_missing: bool
    ) -> None:
        """Resolve the names and functions of an expression. Raises Diagnostics."""
        for function in calls(expression):
            self._resolve(self.resolve_function, scope, function, expression, allow_missing)
        for reference in references(expression):
            name = reference.root.name
            if self.blocks.known(name) and name not in local:
                try:
                    self.blocks.resolve_reference(reference)
                except ResolveError as error:
                    raise _wrapped("Invalid expression", error, expression.range) from None
            elif name not in local:
                self._resolve(self.resolve_name, scope, name, expression, allow_missing)

    def _resolve(
        self,
        resolve: Callable[[Scope, str], None],
        scope: Scope,
        name: str,
        expression: Expression,
        allow_missing: bool,
    ) -> None:
        try:
            resolve(scope, name)
        except ResolveError as error:
            if not (allow_missing and error.undefined):
                raise _wrapped("Invalid expression", error, expression.range) from None

    def _enter(self, scope: Scope, kind: str, name: str) -> None:
        key = (id(scope), f"{kind} {name}")
        if key in self.resolving:
            raise ResolveError(f"{kind} cycle not allowed for {name}")
        self.resolving.add(key)

    def resolve_function(self, scope: Scope, name: str) -> None:
        """Make a function that the files define known. Raises ResolveError or Diagnostics."""
        if scope.function(name) is not None:
            return
        if name not in self.functions:
            raise ResolveError(f"function {quote(name)} does not exist: undefined", undefined=True)
        self._enter(scope, "function", name)
        for part in ("result", "params"):
            if part not in self.function_attributes[name]:
                raise ResolveError(f"empty {part} not allowed for {name}")
        made = user_function(name, self.function_attributes[name], self.scope)
        self.resolve_all(self.scope, made.result, made.parameters, allow_missing=False)
        functions = self.scope.functions
        assert isinstance(functions, dict)
        functions[name] = made.function

    def resolve_name(self, scope: Scope, name: str) -> None:
        """Give a variable or an attribute at the top its value. Raises ResolveError or Diagnostics."""
        if scope.variable(name) is not None:
            return
        self._enter(scope, "variable", name)
        variable = self.variables.get(name)
        attribute = self.attributes.get(name)
        if attribute is None and variable is None:
            raise ResolveError(f"variable {quote(name)} does not exist: undefined", undefined=True)
        if attribute is not None:
            value = self._evaluated(scope, attribute)
        else:
            assert variable is not None
            default = self._evaluated(self.scope, variable.default) if variable.default is not None else None
            value = with_default(variable, default)
        if variable is not None:
            value = overridden(variable, value, self.lookup)
        self.names[name] = value

    def _evaluated(self, scope: Scope, attribute: Attribute) -> Value:
        self.resolve_all(scope, attribute.expression, allow_missing=True)
        problems: list[Diagnostic] = []
        value = evaluate(attribute.expression, scope, problems)
        _check(problems)
        return value


_FUNCTION = Schema({"params": False, "variadic_params": False, "result": False})


def _function_attributes(block: Block, problems: list[Diagnostic]) -> dict[str, Attribute]:
    return body_of(block).take_all(_FUNCTION, problems).attributes


def _check(problems: list[Diagnostic]) -> None:
    if problems:
        raise Diagnostics(problems)


def _wrapped(summary: str, error: ResolveError, place: Range) -> Diagnostics:
    return Diagnostics([Diagnostic(summary, str(error), place)])
