"""The tree of a parsed template. Each node has its place in the text and prints itself as Go does in error messages."""

from __future__ import annotations


class Node:
    """A node; `position` is its offset in the template's text."""

    __slots__ = ("position",)

    def __init__(self, position: int) -> None:
        self.position = position


class Text(Node):
    """Text between actions."""

    __slots__ = ("text",)

    def __init__(self, position: int, text: str) -> None:
        super().__init__(position)
        self.text = text

    def __str__(self) -> str:
        return self.text


class Literal(Node):
    """A constant: `kind` is bool, nil, string or number; `text` as written, `value` what it is."""

    __slots__ = ("kind", "text", "value")

    def __init__(self, position: int, kind: str, text: str, value: object) -> None:
        super().__init__(position)
        self.kind = kind
        self.text = text
        self.value = value

    def __str__(self) -> str:
        return self.text


class Dot(Node):
    """The cursor."""

    __slots__ = ()

    def __str__(self) -> str:
        return "."


class Field(Node):
    """.A.B"""

    __slots__ = ("names",)

    def __init__(self, position: int, names: list[str]) -> None:
        super().__init__(position)
        self.names = names

    def __str__(self) -> str:
        return "." + ".".join(self.names)


class Variable(Node):
    """$x.A.B; names[0] is "$x"."""

    __slots__ = ("names",)

    def __init__(self, position: int, names: list[str]) -> None:
        super().__init__(position)
        self.names = names

    def __str__(self) -> str:
        return ".".join(self.names)


class Identifier(Node):
    """The name of a function."""

    __slots__ = ("name",)

    def __init__(self, position: int, name: str) -> None:
        super().__init__(position)
        self.name = name

    def __str__(self) -> str:
        return self.name


class Chain(Node):
    """(pipeline).A.B"""

    __slots__ = ("names", "node")

    def __init__(self, position: int, node: Node, names: list[str]) -> None:
        super().__init__(position)
        self.node = node
        self.names = names

    def __str__(self) -> str:
        inner = f"({self.node})" if isinstance(self.node, Pipe) else str(self.node)
        return inner + "".join(f".{name}" for name in self.names)


class Command(Node):
    """One stage of a pipeline: an operand with its arguments."""

    __slots__ = ("arguments",)

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.arguments: list[Node] = []

    def __str__(self) -> str:
        return " ".join(f"({argument})" if isinstance(argument, Pipe) else str(argument) for argument in self.arguments)


class Pipe(Node):
    """Declarations and commands."""

    __slots__ = ("assigns", "commands", "declared")

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.assigns = False
        self.declared: list[Variable] = []
        self.commands: list[Command] = []

    def __str__(self) -> str:
        text = " | ".join(str(command) for command in self.commands)
        if self.declared:
            return ", ".join(str(one) for one in self.declared) + (" = " if self.assigns else " := ") + text
        return text


class Action(Node):
    """{{pipeline}}"""

    __slots__ = ("pipe",)

    def __init__(self, position: int, pipe: Pipe) -> None:
        super().__init__(position)
        self.pipe = pipe

    def __str__(self) -> str:
        return "{{" + str(self.pipe) + "}}"


class Branch(Node):
    """if, with or range: `word`, with its pipeline, its list and its else list (None: no else)."""

    __slots__ = ("body", "otherwise", "pipe", "word")

    def __init__(self, position: int, word: str, pipe: Pipe, body: list[Node], otherwise: list[Node] | None) -> None:
        super().__init__(position)
        self.word = word
        self.pipe = pipe
        self.body = body
        self.otherwise = otherwise

    def __str__(self) -> str:
        text = "{{" + f"{self.word} {self.pipe}" + "}}" + "".join(str(node) for node in self.body)
        if self.otherwise is not None:
            text += "{{else}}" + "".join(str(node) for node in self.otherwise)
        return text + "{{end}}"


class Jump(Node):
    """{{break}}, {{continue}}; for the parser also {{end}} and {{else}}."""

    __slots__ = ("word",)

    def __init__(self, position: int, word: str) -> None:
        super().__init__(position)
        self.word = word

    def __str__(self) -> str:
        return "{{" + self.word + "}}"


class Call(Node):
    """{{template "name" pipeline}}"""

    __slots__ = ("name", "pipe")

    def __init__(self, position: int, name: str, pipe: Pipe | None) -> None:
        super().__init__(position)
        self.name = name
        self.pipe = pipe

    def __str__(self) -> str:
        from hyperbox.go.text import quote

        return "{{template " + quote(self.name) + (f" {self.pipe}" if self.pipe is not None else "") + "}}"
