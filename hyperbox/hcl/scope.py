"""Where expressions are evaluated: names, functions, and how much may still be done."""

from __future__ import annotations

from hyperbox.hcl.values import LimitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hyperbox.hcl.functions import Function
    from hyperbox.hcl.values import Value

STEPS = 300_000  # a real definition needs some thousand


class Budget:
    """How many steps and parts of values a definition may still take: it is untrusted, and ends in bounded time and memory."""

    __slots__ = ("left",)

    def __init__(self, steps: int = STEPS) -> None:
        self.left = steps

    def charge(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise LimitError("evaluating it takes too many steps")


class Scope:
    """Names and functions, those of the parents included. None in place of either: none may be used here."""

    __slots__ = ("budget", "functions", "parent", "variables")

    def __init__(
        self,
        variables: dict[str, Value] | None,
        functions: Mapping[str, Function] | None,
        parent: Scope | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.variables = variables
        self.functions = functions
        self.parent = parent
        self.budget: Budget = budget or (parent.budget if parent is not None else Budget())

    def child(self, variables: dict[str, Value]) -> Scope:
        return Scope(variables, None, self)

    def chain(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def variable(self, name: str) -> Value | None:
        for scope in self.chain():
            if scope.variables is not None and name in scope.variables:
                return scope.variables[name]
        return None

    def function(self, name: str) -> Function | None:
        for scope in self.chain():
            if scope.functions is not None and name in scope.functions:
                return scope.functions[name]
        return None

    def has(self, of: Callable[[Scope], object]) -> bool:
        return any(of(scope) is not None for scope in self.chain())
