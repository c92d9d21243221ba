"""From a template's tokens to its trees, by the grammar of Go's text/template and with its error messages."""

from __future__ import annotations

from hyperbox.cli import templates_lexer as lexer
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
from hyperbox.go.text import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from hyperbox.cli.templates_lexer import Token

OPERANDS = frozenset(
    {
        lexer.BOOL,
        lexer.CHARACTER,
        lexer.DOT,
        lexer.FIELD,
        lexer.IDENTIFIER,
        lexer.NUMBER,
        lexer.NIL,
        lexer.RAW_STRING,
        lexer.STRING,
        lexer.VARIABLE,
        lexer.OPEN,
    }
)
MAX_DEPTH = 100


class ParseError(Exception):
    """The template is not one; the message is Go's, place included."""


class Template:
    """A parsed template: its name (docker: mostly ""), its text, and its named trees (the main one has its own name)."""

    __slots__ = ("name", "text", "trees")

    def __init__(self, name: str, text: str, trees: dict[str, list[Node]]) -> None:
        self.name = name
        self.text = text
        self.trees = trees


def parse(text: str, functions: Container[str], name: str = "") -> Template:
    """Parse a whole template. Raises ParseError "template: :1: …"."""
    parser = Parser(text, functions, name)
    parser.template()
    return Template(name, text, parser.trees)


def token_name(token: Token) -> str:
    """Return a token as Go words it in "unexpected …"."""
    kind, value = token[0], token[1]
    if kind in (lexer.EOF, lexer.ERROR):
        return "EOF" if kind == lexer.EOF else value
    if kind in lexer.KEYWORDS or kind in (lexer.DOT, lexer.NIL):
        return f"<{value}>"
    return quote(value[:10]) + "..." if len(value) > 10 else quote(value)


def is_empty(tree: list[Node]) -> bool:
    """Return whether a tree is nothing but white space, and so never replaces another."""
    return all(isinstance(node, Text) and not node.text.strip() for node in tree)


class Parser:
    """The state of one parse: where it is, which variables are known, how deep it is in ranges."""

    __slots__ = ("action_line", "depth", "functions", "index", "name", "ranges", "text", "tokens", "trees", "variables")

    def __init__(self, text: str, functions: Container[str], name: str) -> None:
        self.text = text
        self.name = name
        self.tokens = lexer.tokenize(text)
        self.functions = functions
        self.index = 0
        self.variables = ["$"]
        self.ranges = 0
        self.depth = 0
        self.action_line = 0
        self.trees: dict[str, list[Node]] = {}

    # --- tokens ---------------------------------------------------------------------------------------------------------------
    def peek(self) -> Token:
        return self.tokens[min(self.index, len(self.tokens) - 1)]

    def next(self) -> Token:
        token = self.peek()
        self.index += 1
        return token

    def peek_past_space(self) -> Token:
        while self.peek()[0] == lexer.SPACE:
            self.index += 1
        return self.peek()

    def next_past_space(self) -> Token:
        self.peek_past_space()
        return self.next()

    def error(self, message: str) -> ParseError:
        token = self.tokens[min(max(self.index - 1, 0), len(self.tokens) - 1)]
        return ParseError(f"template: {self.name}:{token[3]}: {message}")

    def unexpected(self, token: Token, context: str) -> ParseError:
        if token[0] == lexer.ERROR:
            extra = ""
            if self.action_line and self.action_line != token[3]:
                extra = f" in action started at {self.name}:{self.action_line}"
                if token[1].endswith(" action"):
                    extra = extra[len(" in action") :]
            return self.error(token[1] + extra)
        return self.error(f"unexpected {token_name(token)} in {context}")

    def expect(self, kind: str, context: str) -> Token:
        token = self.next_past_space()
        if token[0] != kind:
            raise self.unexpected(token, context)
        return token

    # --- lists and actions ----------------------------------------------------------------------------------------------------
    def template(self) -> None:
        """Parse the whole text: definitions at the top level, and the main tree."""
        tree: list[Node] = []
        while self.peek()[0] != lexer.EOF:
            if self.peek()[0] == lexer.LEFT:
                mark = self.index
                self.next()
                if self.next_past_space()[0] == "define":
                    self._define()
                    continue
                self.index = mark
            node = self._text_or_action()
            if isinstance(node, Jump) and node.word in ("end", "else"):
                raise self.error(f"unexpected {node}")
            tree.append(node)
        self._add(self.name, tree)

    def _add(self, name: str, tree: list[Node]) -> None:
        held = self.trees.get(name)
        if held is None or is_empty(held):
            self.trees[name] = tree
        elif not is_empty(tree):
            raise self.error(f"template: multiple definition of template {quote(name)}")

    def _define(self) -> None:
        context = "define clause"
        name = self._template_name(self.next_past_space(), context)
        self.expect(lexer.RIGHT, context)
        self._named_body(name, context)

    def _named_body(self, name: str, context: str) -> None:
        """Read a template's body, which knows no variable of what is around it, and its end."""
        held, self.variables, ranges, self.ranges = self.variables, ["$"], self.ranges, 0
        tree, end = self._list()
        self.variables, self.ranges = held, ranges
        if end.word != "end":
            raise self.error(f"unexpected {end} in {context}")
        self._add(name, tree)

    def _template_name(self, token: Token, context: str) -> str:
        if token[0] not in (lexer.STRING, lexer.RAW_STRING):
            raise self.unexpected(token, context)
        return self._unquote(token)

    def _list(self) -> tuple[list[Node], Jump]:
        """Return the nodes up to {{end}} or {{else}}, and which of them it was."""
        nodes: list[Node] = []
        while self.peek_past_space()[0] != lexer.EOF:
            node = self._text_or_action()
            if isinstance(node, Jump) and node.word in ("end", "else"):
                return nodes, node
            nodes.append(node)
        self.index += 1
        raise self.error("unexpected EOF")

    def _text_or_action(self) -> Node:
        token = self.next_past_space()
        if token[0] == lexer.TEXT:
            return Text(token[2], token[1])
        if token[0] == lexer.LEFT:
            self.action_line = token[3]
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise self.error("max nesting depth exceeded")
            node = self._action()
            self.depth -= 1
            self.action_line = 0
            return node
        raise self.unexpected(token, "input")

    def _action(self) -> Node:
        token = self.next_past_space()
        word = token[0]
        if word in ("if", "with", "range"):
            return self._branch(token)
        if word == "end":
            return Jump(self.expect(lexer.RIGHT, "end")[2], "end")
        if word == "else":
            following = self.peek_past_space()
            if following[0] not in ("if", "with"):
                self.expect(lexer.RIGHT, "else")
            return Jump(following[2], "else")
        if word in ("break", "continue"):
            following = self.next_past_space()
            if following[0] != lexer.RIGHT:
                raise self.unexpected(following, "{{" + word + "}}")
            if not self.ranges:
                raise self.error("{{" + word + "}} outside {{range}}")
            return Jump(token[2], word)
        if word == "template":
            return self._call(token)
        if word == "block":
            return self._block(token)
        self.index -= 1
        return Action(self.peek()[2], self._pipeline("command", lexer.RIGHT))

    def _branch(self, token: Token) -> Branch:
        word = token[0]
        mark = len(self.variables)
        pipe = self._pipeline(word, lexer.RIGHT)
        self.ranges += word == "range"
        body, end = self._list()
        self.ranges -= word == "range"
        otherwise: list[Node] | None = None
        if end.word == "else":
            if word in ("if", "with") and self.peek_past_space()[0] == word:
                self.depth += 1
                if self.depth > MAX_DEPTH:
                    raise self.error("max nesting depth exceeded")
                otherwise = [self._branch(self.next())]
                self.depth -= 1
            else:
                otherwise, end = self._list()
                if end.word != "end":
                    raise self.error(f"expected end; found {end}")
        del self.variables[mark:]
        return Branch(pipe.position, word, pipe, body, otherwise)

    def _call(self, token: Token) -> Call:
        context = "template clause"
        name_token = self.next_past_space()
        name = self._template_name(name_token, context)
        pipe = None
        if self.next_past_space()[0] != lexer.RIGHT:
            self.index -= 1
            pipe = self._pipeline(context, lexer.RIGHT)
        return Call(name_token[2], name, pipe)

    def _block(self, token: Token) -> Call:
        context = "block clause"
        name_token = self.next_past_space()
        name = self._template_name(name_token, context)
        pipe = self._pipeline(context, lexer.RIGHT)
        self._named_body(name, context)
        return Call(name_token[2], name, pipe)

    # --- pipelines ------------------------------------------------------------------------------------------------------------
    def _pipeline(self, context: str, end: str) -> Pipe:
        pipe = Pipe(self.peek_past_space()[2])
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error("max expression depth exceeded")
        self._declarations(pipe, context)
        while True:
            token = self.next_past_space()
            if token[0] == end:
                self._check(pipe, context)
                self.depth -= 1
                return pipe
            if token[0] not in OPERANDS:
                raise self.unexpected(token, context)
            self.index -= 1
            pipe.commands.append(self._command())

    def _declarations(self, pipe: Pipe, context: str) -> None:
        while self.peek_past_space()[0] == lexer.VARIABLE:
            mark = self.index
            variable = self.next()
            following = self.peek_past_space()
            if following[0] in (lexer.ASSIGN, lexer.DECLARE):
                pipe.assigns = following[0] == lexer.ASSIGN
                self.next_past_space()
                self._declare(pipe, variable)
                return
            if following[0] == lexer.CHAR and following[1] == ",":
                self.next_past_space()
                self._declare(pipe, variable)
                if context != "range" or len(pipe.declared) >= 2:
                    raise self.error(f"too many declarations in {context}")
                if self.peek_past_space()[0] not in (lexer.VARIABLE, lexer.RIGHT, lexer.CLOSE):
                    raise self.error("range can only initialize variables")
                continue
            self.index = mark
            return

    def _declare(self, pipe: Pipe, token: Token) -> None:
        pipe.declared.append(Variable(token[2], token[1].split(".")))
        self.variables.append(token[1])

    def _check(self, pipe: Pipe, context: str) -> None:
        if not pipe.commands:
            raise self.error(f"missing value for {context}")
        for stage, command in enumerate(pipe.commands[1:], 2):
            if isinstance(command.arguments[0], (Literal, Dot)):
                raise self.error(f"non executable command in pipeline stage {stage}")

    def _command(self) -> Command:
        command = Command(self.peek_past_space()[2])
        while True:
            self.peek_past_space()
            operand = self._operand()
            if operand is not None:
                command.arguments.append(operand)
            token = self.next()
            if token[0] == lexer.SPACE:
                continue
            if token[0] in (lexer.RIGHT, lexer.CLOSE):
                self.index -= 1
            elif token[0] != lexer.PIPE:
                raise self.unexpected(token, "operand")
            break
        if not command.arguments:
            raise self.error("empty command")
        return command

    def _operand(self) -> Node | None:
        node = self._term()
        if node is None or self.peek()[0] != lexer.FIELD:
            return node
        position = self.peek()[2]
        names = []
        while self.peek()[0] == lexer.FIELD:
            names.append(self.next()[1][1:])
        if isinstance(node, Field):
            return Field(position, node.names + names)
        if isinstance(node, Variable):
            return Variable(position, node.names + names)
        if isinstance(node, (Literal, Dot)):
            raise self.error(f"unexpected . after term {quote(str(node))}")
        return Chain(position, node, names)

    def _term(self) -> Node | None:
        token = self.next_past_space()
        kind, text, position = token[0], token[1], token[2]
        if kind == lexer.IDENTIFIER:
            if text not in self.functions:
                raise self.error(f"function {quote(text)} not defined")
            return Identifier(position, text)
        if kind == lexer.DOT:
            return Dot(position)
        if kind == lexer.NIL:
            return Literal(position, "nil", text, None)
        if kind == lexer.VARIABLE:
            if text not in self.variables:
                raise self.error(f"undefined variable {quote(text)}")
            return Variable(position, [text])
        if kind == lexer.FIELD:
            return Field(position, [text[1:]])
        if kind == lexer.BOOL:
            return Literal(position, "bool", text, text == "true")
        if kind in (lexer.NUMBER, lexer.CHARACTER):
            return self._number(token)
        if kind in (lexer.STRING, lexer.RAW_STRING):
            return Literal(position, "string", text, self._unquote(token))
        if kind == lexer.OPEN:
            return self._pipeline("parenthesized pipeline", lexer.CLOSE)
        self.index -= 1
        return None

    def _unquote(self, token: Token) -> str:
        from hyperbox.cli.templates_numbers import unquote

        value = unquote(token[1])
        if value is None:
            raise self.error("invalid syntax")
        return value

    def _number(self, token: Token) -> Literal:
        from hyperbox.cli.templates_numbers import number

        try:
            return Literal(token[2], "number", token[1], number(token[1]))
        except ValueError as error:
            raise self.error(str(error)) from None
