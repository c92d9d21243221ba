"""The spelling `docker-compose`: its arguments rewritten to those of `docker compose`."""

from __future__ import annotations

# flags of the old program that belong to docker itself and take a value
WITH_VALUE = frozenset({"-H", "--host", "--context", "-l", "--log-level", "--tlscacert", "--tlscert", "--tlskey"})
WITHOUT_VALUE = frozenset({"--tls", "--tlsverify", "-D"})
REPLACED = {"--verbose": "--debug", "-h": "--help", "--version": "version", "-v": "version"}


def rewrite(words: list[str]) -> list[str]:
    """Return the words for `docker compose`; docker's own connection flags are dropped, the engine is chosen by the environment."""
    out: list[str] = []
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if word == "--" or not word.startswith("-"):
            return [*out, word, *words[index:]]
        if word in WITHOUT_VALUE or (word.partition("=")[0] in WITH_VALUE and "=" in word):
            continue
        if word in WITH_VALUE:
            index += 1
            continue
        word = REPLACED.get(word, word)
        if word == "--debug":
            continue
        out.append(word)
        if word in (
            "-f",
            "--file",
            "-p",
            "--project-name",
            "--profile",
            "--env-file",
            "--project-directory",
            "--ansi",
            "--progress",
        ) and index < len(words):
            out.append(words[index])
            index += 1
    return out
