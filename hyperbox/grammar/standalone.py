"""The spelling `docker-compose`: its words as those of `docker`, as the stand-alone docker-compose rewrites them."""

from __future__ import annotations

from hyperbox.errors import UsageError

# docker's own flags, which docker-compose takes before its command; they go in front of the word "compose"
WITHOUT_VALUE = frozenset({"--debug", "-D", "--tls", "--tlsverify"})
WITH_VALUE = ("--tlscacert", "--tlscert", "--tlskey", "--host", "-H", "--context", "--log-level")
REPLACED = {"--verbose": "--debug", "-h": "--help", "--version": "version", "-v": "version"}


def rewrite(words: list[str]) -> list[str]:
    """Return the words for `docker`. Raises UsageError (exit code 1) where a connection flag lacks its value."""
    root: list[str] = []
    command = ["compose"]
    index = 0
    while index < len(words):
        word = words[index]
        if word and word[0] != "-":
            command.extend(words[index:])
            break
        index += 1
        word = REPLACED.get(word, word)
        name, equals, value = word.partition("=")
        if word in WITHOUT_VALUE:
            root.append(word)
        elif word in WITH_VALUE:
            if index >= len(words):
                raise UsageError(f"flag needs an argument: '{word}'", exit_code=1)
            root.extend((word, words[index]))
            index += 1
        elif equals and name in WITH_VALUE:
            root.extend((name, value))
        else:
            command.append(word)
    return root + command
