"""Runs a parsed template over a value, as Go's text/template does and with its error messages."""

from __future__ import annotations

from hyperbox.cli.templates_functions import CallError, fits
from hyperbox.cli.templates_methods import method
from hyperbox.cli.templates_nodes import (
    Action,
    Branch,
    Call,
    Chain,
    Command,
    Dot,
    Field,
    Identifier,
    Jump,
    Literal,
    Node,
    Pipe,
    Text,
    Variable,
)
from hyperbox.cli.templates_values import (
    MISSING,
    GoMap,
    JsonNumber,
    NilPointer,
    Pointer,
    Record,
    Struct,
    is_true,
    text_of,
    type_name,
)
from hyperbox.go.text import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hyperbox.cli.templates_parser import Template

    Functions = dict[str, tuple[Callable[..., object], tuple[str, ...]]]

MAX_DEPTH = 100  # of templates that call each other; Go allows 100000 on its growing stack
MAX_OUTPUT = 64 << 20


class ExecuteError(Exception):
    """A template fails on its data; the message is Go's, place included. `partial` is what it had written before."""

    def __init__(self, message: str, partial: str = "") -> None:
        super().__init__(message)
        self.partial = partial


class Break(Exception):
    """{{break}}"""


class Continue(Exception):
    """{{continue}}"""


class _NoFinal:
    """No value comes in from the left of the pipe."""


NO_FINAL = _NoFinal()


class Evaluator:
    """One execution: the output so far, the variables, and the node at hand (for messages)."""

    __slots__ = ("depth", "functions", "name", "node", "output", "size", "strict", "template", "variables")

    def __init__(self, template: Template, functions: Functions, *, strict: bool) -> None:
        self.template = template
        self.functions = functions
        self.strict = strict
        self.output: list[str] = []
        self.size = 0
        self.variables: list[tuple[str, object]] = []
        self.node: Node | None = None
        self.name = template.name
        self.depth = 0

    def run(self, data: object) -> str:
        """Return the output. Raises ExecuteError."""
        self.variables = [("$", data)]
        self._walk_list(data, self.template.trees[self.template.name])
        return "".join(self.output)

    def error(self, message: str) -> ExecuteError:
        if self.node is None:
            return ExecuteError(f"template: {self.name}: {message}")
        before = self.template.text[: self.node.position]
        line = 1 + before.count("\n")
        column = len(before[before.rfind("\n") + 1 :].encode("utf-8", "surrogateescape"))
        place = f"template: {self.template.name}:{line}:{column}: executing {quote(self.name)} at <{self.node}>"
        return ExecuteError(f"{place}: {message}", "".join(self.output))

    def write(self, text: str) -> None:
        self.size += len(text)
        if self.size > MAX_OUTPUT:
            raise self.error("output is too large")
        self.output.append(text)

    # --- statements -----------------------------------------------------------------------------------------------------------
    def _walk_list(self, dot: object, nodes: list[Node]) -> None:
        for node in nodes:
            self._walk(dot, node)

    def _walk(self, dot: object, node: Node) -> None:
        self.node = node
        if isinstance(node, Text):
            self.write(node.text)
        elif isinstance(node, Action):
            value = self._pipe(dot, node.pipe)
            if not node.pipe.declared:
                self.node = node
                self.write(text_of(value))
        elif isinstance(node, Branch):
            if node.word == "range":
                self._range(dot, node)
            else:
                self._if_or_with(dot, node)
        elif isinstance(node, Call):
            self._template(dot, node)
        elif isinstance(node, Jump):
            raise Break if node.word == "break" else Continue

    def _if_or_with(self, dot: object, node: Branch) -> None:
        mark = len(self.variables)
        value = self._pipe(dot, node.pipe)
        if is_true(value):
            self._walk_list(value if node.word == "with" else dot, node.body)
        elif node.otherwise is not None:
            self._walk_list(dot, node.otherwise)
        del self.variables[mark:]

    def _range(self, dot: object, node: Branch) -> None:
        self.node = node
        mark = len(self.variables)
        value = self._pipe(dot, node.pipe)
        inner = len(self.variables)
        empty = True
        for key, item in self._pairs(value, node):
            empty = False
            self._set_range_variables(node.pipe, inner, key, item)
            try:
                self._walk_list(item, node.body)
            except Continue:
                pass
            except Break:
                break
            finally:
                del self.variables[inner:]
        if empty and node.otherwise is not None:
            self._walk_list(dot, node.otherwise)
        del self.variables[mark:]

    def _pairs(self, value: object, node: Branch) -> Iterator[tuple[object, object]]:
        if isinstance(value, Pointer):
            value = value.value
        if isinstance(value, dict):
            yield from ((key, value[key]) for key in sorted(value))
        elif isinstance(value, (list, tuple)):
            yield from enumerate(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            if len(node.pipe.declared) > 1:
                raise self.error(f"can't use {value} to iterate over more than one variable")
            if value > MAX_OUTPUT:
                raise self.error(f"range can't iterate over {value}")
            yield from ((number, number) for number in range(value))
        elif value is not MISSING and value is not None:
            if isinstance(value, NilPointer):
                return
            raise self.error(f"range can't iterate over {text_of(value)}")

    def _set_range_variables(self, pipe: Pipe, inner: int, key: object, item: object) -> None:
        count = len(pipe.declared)
        if not count:
            return
        if pipe.assigns:
            self._assign(pipe.declared[0].names[0], key if count > 1 else item)
            if count > 1:
                self._assign(pipe.declared[1].names[0], item)
            return
        self.variables[inner - 1] = (self.variables[inner - 1][0], item)
        if count > 1:
            self.variables[inner - 2] = (self.variables[inner - 2][0], key)

    def _assign(self, name: str, value: object) -> None:
        for place in range(len(self.variables) - 1, -1, -1):
            if self.variables[place][0] == name:
                self.variables[place] = (name, value)
                return
        raise self.error(f"undefined variable: {name}")

    def _template(self, dot: object, node: Call) -> None:
        tree = self.template.trees.get(node.name)
        if tree is None:
            raise self.error(f"template {quote(node.name)} not defined")
        if self.depth == MAX_DEPTH:
            raise self.error(f"exceeded maximum template depth ({MAX_DEPTH})")
        value = MISSING if node.pipe is None else self._pipe(dot, node.pipe)
        held, name = self.variables, self.name
        self.variables, self.name = [("$", value)], node.name
        self.depth += 1
        self._walk_list(value, tree)
        self.depth -= 1
        self.variables, self.name = held, name

    # --- pipelines ------------------------------------------------------------------------------------------------------------
    def _pipe(self, dot: object, pipe: Pipe) -> object:
        self.node = pipe
        value: object = NO_FINAL
        for command in pipe.commands:
            value = self._command(dot, command, value)
            if value is None:
                value = MISSING
        for variable in pipe.declared:
            if pipe.assigns:
                self._assign(variable.names[0], value)
            else:
                self.variables.append((variable.names[0], value))
        return value

    def _command(self, dot: object, command: Command, final: object) -> object:
        arguments = command.arguments
        first = arguments[0]
        if isinstance(first, Field):
            self.node = first
            return self._fields(dot, dot, first, first.names, arguments, final)
        if isinstance(first, Chain):
            return self._chain(dot, first, arguments, final)
        if isinstance(first, Identifier):
            self.node = first
            return self._function(dot, first, command, final)
        if isinstance(first, Pipe):
            self._not_a_function(arguments, final)
            return self._pipe(dot, first)
        if isinstance(first, Variable):
            return self._variable(dot, first, arguments, final)
        self.node = first
        self._not_a_function(arguments, final)
        if isinstance(first, Dot):
            return dot
        assert isinstance(first, Literal)
        if first.kind == "nil":
            raise self.error("nil is not a command")
        return first.value

    def _not_a_function(self, arguments: list[Node], final: object) -> None:
        if len(arguments) > 1 or final is not NO_FINAL:
            raise self.error(f"can't give argument to non-function {arguments[0]}")

    def _chain(self, dot: object, chain: Chain, arguments: list[Node], final: object) -> object:
        self.node = chain
        value = self._argument(dot, chain.node, "any")
        return self._fields(dot, value, chain, chain.names, arguments, final)

    def _variable(self, dot: object, variable: Variable, arguments: list[Node], final: object) -> object:
        self.node = variable
        value: object = MISSING
        for name, held in reversed(self.variables):
            if name == variable.names[0]:
                value = held
                break
        else:
            raise self.error(f"undefined variable: {variable.names[0]}")
        if len(variable.names) == 1:
            self._not_a_function(arguments, final)
            return value
        return self._fields(dot, value, variable, variable.names[1:], arguments, final)

    def _fields(
        self, dot: object, receiver: object, node: Node, names: list[str], arguments: list[Node], final: object
    ) -> object:
        """Evaluate .A.B.C, the last one with the arguments."""
        static = ""
        for name in names[:-1]:
            value = self._field(dot, receiver, static, node, name, [], NO_FINAL)
            static = "interface {}" if type_name(receiver) == "map[string]interface {}" else ""
            receiver = value
        return self._field(dot, receiver, static, node, names[-1], arguments, final)

    def _field(
        self,
        dot: object,
        receiver: object,
        static: str,
        node: Node,
        name: str,
        arguments: list[Node],
        final: object,
    ) -> object:
        """Return the field, map entry or method `name` of `receiver`. `static` is its declared type where that is an interface."""
        if receiver is MISSING:
            if self.strict:
                raise self.error(f"nil data; no entry for key {quote(name)}")
            return MISSING
        kind = static or type_name(receiver)
        if receiver is None:
            raise self.error(f"nil pointer evaluating interface {{}}.{name}")
        if isinstance(receiver, Record):
            return self._method(dot, receiver, node, name, arguments, final)
        found = method(receiver, name)
        if found is not None:
            function, wanted = found
            return function(receiver, *self._arguments(dot, name, wanted, arguments[1:], final))
        has_arguments = len(arguments) > 1 or final is not NO_FINAL
        if isinstance(receiver, Struct):
            field = receiver.field(name)
            if field is not None:
                if has_arguments:
                    raise self.error(f"{name} has arguments but cannot be invoked as function")
                return field
        elif isinstance(receiver, dict) and not (isinstance(receiver, GoMap) and receiver.key != "string"):
            if has_arguments:
                raise self.error(f"{name} is not a method but has arguments")
            if name not in receiver:
                if self.strict:
                    raise self.error(f"map has no entry for key {quote(name)}")
                return MISSING
            value: object = receiver[name]
            return value
        elif isinstance(receiver, NilPointer) and (not receiver.fields or name in receiver.fields):
            raise self.error(f"nil pointer evaluating {kind}.{name}")
        raise self.error(f"can't evaluate field {name} in type {kind}")

    def _method(
        self, dot: object, receiver: Record, node: Node, name: str, arguments: list[Node], final: object
    ) -> object:
        found = receiver.methods.get(name)
        wanted: tuple[str, ...] = ()
        if found is None:
            found = receiver.calls.get(name)
            wanted = ("string",)
        if found is None:
            raise self.error(f"can't evaluate field {name} in type {receiver.type}")
        values = self._arguments(dot, name, wanted, arguments[1:], final)
        return found(receiver.item, *values)

    # --- functions ------------------------------------------------------------------------------------------------------------
    def _function(self, dot: object, node: Identifier, command: Command, final: object) -> object:
        function, wanted = self.functions[node.name]
        arguments = command.arguments[1:]
        if node.name in ("and", "or"):
            return self._short_circuit(dot, node.name, arguments, final)
        values = self._arguments(dot, node.name, wanted, arguments, final)
        if node.name == "call":
            values = [str(arguments[0]) if arguments else "<final>", *values]
        try:
            return function(*values)
        except CallError as error:
            self.node = command
            raise self.error(f"error calling {node.name}: {error}") from None

    def _count(self, name: str, wanted: tuple[str, ...], count: int) -> None:
        variadic = bool(wanted) and wanted[-1].endswith("...")
        if variadic and count < len(wanted) - 1:
            raise self.error(f"wrong number of args for {name}: want at least {len(wanted) - 1} got {count}")
        if not variadic and count != len(wanted):
            raise self.error(f"wrong number of args for {name}: want {len(wanted)} got {count}")

    def _short_circuit(self, dot: object, name: str, arguments: list[Node], final: object) -> object:
        self._count(name, ("any", "any..."), len(arguments) + (final is not NO_FINAL))
        value: object = MISSING
        for argument in arguments:
            value = self._argument(dot, argument, "any")
            if is_true(value) == (name == "or"):
                return value
        return value if final is NO_FINAL else final

    def _arguments(
        self, dot: object, name: str, wanted: tuple[str, ...], arguments: list[Node], final: object
    ) -> list[object]:
        self._count(name, wanted, len(arguments) + (final is not NO_FINAL))
        values = []
        for place, argument in enumerate(arguments):
            kind = wanted[min(place, len(wanted) - 1)].removesuffix("...")
            values.append(self._argument(dot, argument, kind))
        if final is not NO_FINAL:
            kind = wanted[min(len(arguments), len(wanted) - 1)].removesuffix("...")
            values.append(self._validated(final, kind))
        return values

    def _validated(self, value: object, wanted: str) -> object:
        """Return `value` where a parameter of that type takes it."""
        if wanted == "any" or fits(value, wanted):
            return MISSING if value is None else value
        if value is None:
            raise self.error(f"wrong type for value; expected {wanted}; got interface {{}}")
        if value is MISSING:
            if wanted == "[]string":
                return []
            raise self.error(f"invalid value; expected {wanted}")
        raise self.error(f"wrong type for value; expected {wanted}; got {type_name(value)}")

    def _argument(self, dot: object, node: Node, wanted: str) -> object:
        self.node = node
        if isinstance(node, Dot):
            return self._validated(dot, wanted)
        if isinstance(node, Literal) and node.kind == "nil":
            if wanted in ("any", "[]string"):
                return [] if wanted == "[]string" else None
            raise self.error(f"cannot assign nil to {wanted}")
        if isinstance(node, Field):
            return self._validated(self._fields(dot, dot, node, node.names, [node], NO_FINAL), wanted)
        if isinstance(node, Variable):
            return self._validated(self._variable(dot, node, [], NO_FINAL), wanted)
        if isinstance(node, Pipe):
            return self._validated(self._pipe(dot, node), wanted)
        if isinstance(node, Identifier):
            command = Command(node.position)
            command.arguments = [node]
            return self._validated(self._function(dot, node, command, NO_FINAL), wanted)
        if isinstance(node, Chain):
            return self._validated(self._chain(dot, node, [], NO_FINAL), wanted)
        assert isinstance(node, Literal)
        if wanted == "any":
            return node.value
        if wanted == "string" and node.kind != "string":
            raise self.error(f"expected string; found {node}")
        if wanted == "int":
            if node.kind == "number" and isinstance(node.value, float) and node.value.is_integer():
                return int(node.value)
            if node.kind != "number" or not isinstance(node.value, int):
                raise self.error(f"expected integer; found {node}")
        if wanted == "[]string":
            raise self.error(f"can't handle assignment of {node} to argument of type {wanted}")
        return node.value


__all__ = ["Evaluator", "ExecuteError", "JsonNumber"]
