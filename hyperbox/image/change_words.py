"""Words of the Dockerfile instructions that `--change` gives: split at blanks outside of quotes, quotes taken off, variables put in.

https://docs.docker.com/reference/dockerfile/#environment-replacement
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


def split(text: str) -> list[str]:
    """Return the words of a text, with their quotes."""
    words, current, quote, position = [], "", "", 0
    while position < len(text):
        character = text[position]
        if character == "\\" and quote != "'" and position + 1 < len(text):
            current += text[position : position + 2]
            position += 2
            continue
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        if character.isspace() and not quote:
            words += [current] if current else []
            current = ""
        else:
            current += character
        position += 1
    return [*words, current] if current else words


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Return a text without its quotes, with the values of the variables in it."""
    output, quote, position = "", "", 0
    while position < len(text):
        character = text[position]
        following = text[position + 1 : position + 2]
        if quote == "'":
            quote = "" if character == "'" else quote
            output += character if quote else ""
        elif character == "\\" and following:
            # within quotes only these are escaped
            output += following if not quote or following in '"$\\' else character + following
            position += 1
        elif character == '"' or (character == "'" and not quote):
            quote = "" if quote else character
        elif character == "$":
            value, position = _variable(text, position + 1, variables)
            output += value
            continue
        else:
            output += character
        position += 1
    return output


def _variable(text: str, start: int, variables: Mapping[str, str]) -> tuple[str, int]:
    """Return the value of the variable whose name begins there, and where the text goes on."""
    if text[start : start + 1] == "{":
        end = text.find("}", start)
        end = len(text) if end < 0 else end
        name = text[start + 1 : end]
        for mark in (":-", ":+", "-", "+"):
            head, found, word = name.partition(mark)
            if found and head and NAME.issuperset(head):
                is_set = bool(variables.get(head)) if mark[0] == ":" else head in variables
                if mark[-1] == "-":
                    return variables[head] if is_set else expand(word, variables), end + 1
                return expand(word, variables) if is_set else "", end + 1
        return variables.get(name, ""), end + 1
    end = start
    while text[end : end + 1] and text[end] in NAME:
        end += 1
    return (variables.get(text[start:end], ""), end) if end > start else ("$", start)
