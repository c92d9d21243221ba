"""The stream of tokens from which the parsers read, and how they find their way again after something wrong."""

from __future__ import annotations

from hyperbox.hcl import tokens
from hyperbox.hcl.positions import Diagnostic, Range
from hyperbox.hcl.tokens import Token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

OPPOSITE = {
    "{": "}",
    "[": "]",
    "(": ")",
    tokens.OPEN_QUOTE: tokens.CLOSE_QUOTE,
    tokens.OPEN_HEREDOC: tokens.CLOSE_HEREDOC,
    tokens.INTERPOLATION: tokens.SEQUENCE_END,
}
_OPENER = {closer: opener for opener, closer in OPPOSITE.items()}
_SEQUENCES = (tokens.INTERPOLATION, tokens.CONTROL)


class Stream:
    """Tokens from which a parser reads. Once it had to recover, messages that would only follow from that are kept back."""

    __slots__ = ("_newlines", "_next", "_tokens", "problems", "recovering")

    def __init__(self, source: Sequence[Token]) -> None:
        self._tokens = source
        self._next = 0
        self._newlines = [True]
        self.recovering = False
        self.problems: list[Diagnostic] = []

    def peek(self) -> Token:
        return self._following()[0]

    def read(self) -> Token:
        token, self._next = self._following()
        return token

    def _following(self) -> tuple[Token, int]:
        index = self._next
        while index < len(self._tokens):
            token = self._tokens[index]
            index += 1
            if token.kind == tokens.COMMENT:
                if self._newlines[-1] and token.text.endswith("\n"):
                    return Token(tokens.NEWLINE, "\n", token.range), index
            elif token.kind != tokens.NEWLINE or self._newlines[-1]:
                return token, index
        return self._tokens[-1], len(self._tokens)

    @property
    def last_range(self) -> Range:
        """The range of the token read last."""
        return self._tokens[self._next - 1].range if self._next else self.peek().range

    def push_newlines(self, include: bool) -> None:
        """From here on, newlines are tokens or are passed over."""
        self._newlines.append(include)

    def pop_newlines(self) -> None:
        self._newlines.pop()

    def tell(self, summary: str, detail: str, subject: Range) -> None:
        self.problems.append(Diagnostic(summary, detail, subject))

    def tell_unless_recovering(self, summary: str, detail: str, subject: Range) -> None:
        if not self.recovering:
            self.tell(summary, detail, subject)

    def failed_since(self, mark: int) -> bool:
        """Return whether the parser is recovering and something was told since there were `mark` problems."""
        return self.recovering and len(self.problems) > mark

    def at_word(self, word: str) -> bool:
        token = self.peek()
        return token.kind == tokens.IDENTIFIER and token.text == word

    def for_names(self, summary: str, wants: tuple[str, str, str]) -> tuple[str, str] | None:
        """Read up to `in`: (name of the key or "", name of the value), None where it is not so.

        `wants` tells what is missing: the first name, the one after a comma, the word.
        """
        if self.peek().kind != tokens.IDENTIFIER:
            self.tell_unless_recovering(summary, wants[0], self.peek().range)
            return None
        key, value = "", self.read().text
        if self.peek().kind == ",":
            self.read()
            if self.peek().kind != tokens.IDENTIFIER:
                self.tell_unless_recovering(summary, wants[1], self.peek().range)
                return None
            key, value = value, self.read().text
        if not self.at_word("in"):
            self.tell_unless_recovering(summary, wants[2], self.peek().range)
            return None
        self.read()
        return key, value

    def recover(self, end: str) -> Token:
        """Read up to the token of a kind that closes what is open, and return it."""
        self.recovering = True
        start = _OPENER.get(end)
        depth = 0
        while True:
            token = self.read()
            kind = token.kind
            if end == tokens.SEQUENCE_END and kind == tokens.CONTROL:
                kind = tokens.INTERPOLATION
            if kind == start:
                depth += 1
            elif kind == end:
                if depth < 1:
                    return token
                depth -= 1
            if kind == tokens.END:
                return token

    def recover_after_item(self) -> None:
        """Read up to the newline that ends an item of a body."""
        self.recovering = True
        opened: list[str] = []
        while True:
            token = self.read()
            kind = token.kind
            if kind == tokens.END or (kind == tokens.NEWLINE and not opened):
                return
            if kind in OPPOSITE or kind == tokens.CONTROL:
                opened.append(kind)
            elif kind in _OPENER:
                wanted = _SEQUENCES if kind == tokens.SEQUENCE_END else (_OPENER[kind],)
                while opened and opened[-1] not in wanted:
                    opened.pop()
                if opened:
                    opened.pop()
