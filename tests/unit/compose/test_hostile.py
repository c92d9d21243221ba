"""Compose files made to hurt: each is refused clearly or accepted, within seconds of processor time and 200 MB."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

# one on a machine that does nothing else
SECONDS = 2
MEMORY = 200_000_000
SERVICE = "services:\n  a:\n    image: x\n"
DEEP = 30_000


def _doubling(levels: int, one: str, join: str) -> str:
    lines = ["x-0: &a0 " + one]
    lines += [f"x-{level}: &a{level} " + join.format(before=f"*a{level - 1}") for level in range(1, levels)]
    return "\n".join(lines) + "\n" + SERVICE


def _chain(count: int, end: str) -> str:
    lines = [f"  s{index}: {{extends: {{service: s{index + 1}}}}}" for index in range(count)]
    return "services:\n" + "\n".join(lines) + f"\n  s{count}: {end}\n"


# name: (files, or the text of compose.yaml; part of the message, "" where it is accepted)
HOSTILE: dict[str, tuple[dict[str, str | bytes] | str | bytes, str]] = {
    "aliases of lists": (_doubling(40, "[x]", "[{before}, {before}]"), "excessive aliasing"),
    "aliases of mappings": (_doubling(40, "{k: v}", "{{a: {before}, b: {before}}}"), "excessive aliasing"),
    "merge keys of aliases": (
        _doubling(40, "{k: v}", "{{<<: [{before}, {before}], k{before[2]}: 1}}"),
        "excessive aliasing",
    ),
    "many aliases of a long list": (
        "x-a: &a [" + "y," * 5000 + "]\nx-b: [" + "*a," * 5000 + "]\n" + SERVICE,
        "excessive aliasing",
    ),
    "many aliases of a long text": (
        "x-a: &a " + "y" * 1_000_000 + "\nx-b: [" + "*a," * 3000 + "]\n" + SERVICE,
        "excessive aliasing",
    ),
    "alias of itself": ("x-a: &a [*a]\n" + SERVICE, "cycle"),
    "merge of itself": ("services:\n  a: &a\n    image: x\n    <<: *a\n", "cycle"),
    "a second document that ends early": (SERVICE + "---\nname: p\n\t", "compose.yaml: yaml: line 5: found a tab"),
    "a second document with an unknown alias": (SERVICE + "---\nservices:\n*a", "compose.yaml: yaml: line 6"),
    "aliases of each other": ("x-a: &a {b: &b {c: *a, d: *b}}\n" + SERVICE, "cycle"),
    "deep lists": ("x-a: " + "[" * DEEP + "]" * DEEP + "\n" + SERVICE, "depth"),
    "deep mappings": ("x-a: " + "{a: " * DEEP + "1" + "}" * DEEP + "\n" + SERVICE, "depth"),
    "deep lists never closed": ("[" * 500_000, "depth"),
    "deep block lists": ("x-a:\n  " + "- " * DEEP + "1\n" + SERVICE, "depth"),
    "deep keys": ("? " * DEEP + "1\n", "depth"),
    "many nodes": ("x-a: [" + "1," * 450_000 + "]\n" + SERVICE, "nodes"),
    "many documents": ("---\n" + "a: 1\n---\n" * 20_000, "not allowed"),
    "nested variables": (SERVICE + "    hostname: '" + "${A:-" * DEEP + "}" * DEEP + "'\n", "invalid interpolation"),
    "open variables": (SERVICE + "    hostname: '" + "${A:-" * DEEP + "'\n", "invalid interpolation"),
    "one brace for many variables": (SERVICE + "    hostname: '" + "${A:-{" * 20_000 + "}'\n", "invalid interpolation"),
    "dollars": (SERVICE + "    hostname: '" + "$" * 200_000 + "'\n", ""),
    "variables that double": (
        {
            ".env": "".join(f"A{i + 1}=${{A{i}}}${{A{i}}}\n" for i in range(60)),
            "compose.yaml": SERVICE.replace("x", "${A60}x"),
        },
        "",
    ),
    "extends itself": ("services:\n  a: {extends: {service: a}}\n", "ircular"),
    "a circle of extends": ("services:\n  a: {extends: b}\n  b: {extends: c}\n  c: {extends: a}\n", "ircular"),
    "a circle of extends over files": (
        {
            "compose.yaml": "services:\n  a: {extends: {file: b.yaml, service: b}}\n",
            "b.yaml": "services:\n  b: {extends: {file: compose.yaml, service: a}}\n",
        },
        "ircular",
    ),
    "a long chain of extends": (_chain(3000, "{image: x}"), "more than 100 services"),
    "includes itself": ("include: [compose.yaml]\n" + SERVICE, "cycle"),
    "a circle of includes": (
        {"compose.yaml": "include: [b.yaml]\n" + SERVICE, "b.yaml": "include: [compose.yaml]\n"},
        "cycle",
    ),
    "includes that double": (
        {"compose.yaml": "include: [i0.yaml]\n" + SERVICE}
        | {f"i{i}.yaml": f"include: [i{i + 1}.yaml, ./i{i + 1}.yaml]\n" for i in range(30)}
        | {"i30.yaml": SERVICE},
        "nclu",
    ),
    "a circle of dependencies": (
        "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}\n",
        "cycle",
    ),
    "a long chain of dependencies": (
        "services:\n"
        + "".join(f"  s{i}: {{image: x, depends_on: [s{i + 1}]}}\n" for i in range(2000))
        + "  s2000: {image: x}\n",
        "",
    ),
    "huge integer": (SERVICE + "    scale: " + "9" * 100_000 + "\n", "out of range"),
    "huge hexadecimal": (SERVICE + "    scale: 0x" + "f" * 100_000 + "\n", "invalid syntax"),
    "huge exponent": (SERVICE + "    mem_limit: 1e999999999\n", "out of range"),
    "huge float": (SERVICE + "    cpus: 1e400\n", "out of range"),
    "no number": (SERVICE + "    cpus: .nan\n", ""),
    "huge size": (SERVICE + "    mem_limit: " + "9" * 5000 + "g\n", "out of range"),
    "huge duration": (SERVICE + "    stop_grace_period: " + "9" * 5000 + "h\n", "stop_grace_period"),
    "wrong range of ports": (SERVICE + "    ports: ['1-99999999999:1-99999999999']\n", "Invalid containerPort"),
    "many ranges of ports": (
        SERVICE + "    ports: [" + ",".join(f"'127.0.0.{i}:1-65535:1-65535'" for i in range(1, 101)) + "]\n",
        "more than 131072 ports",
    ),
    "a year beyond": ("x-a: 99999-99-99T99:99:99Z\n" + SERVICE, ""),
    "duplicate keys": (SERVICE + "    image: y\n", "already"),
    "many duplicate keys": ("x-a: {" + "k: 1, " * 50_000 + "}\n" + SERVICE, "already"),
    "keys that are numbers": ("services:\n  1: {image: x}\n", "non-string key"),
    "keys that are lists": ("services:\n  ? [a]\n  : {image: x}\n", "invalid map key"),
    "keys that are null": ("services:\n  ~: {image: x}\n", "non-string key"),
    "keys that are aliases": ("x-a: &a [1]\nservices:\n  *a : {image: x}\n", "invalid map key"),
    "utf-8 mark": (b"\xef\xbb\xbf" + SERVICE.encode(), ""),
    "utf-16 little": (SERVICE.encode("utf-16"), ""),
    "utf-16 big": (b"\xfe\xff" + SERVICE.encode("utf-16-be"), ""),
    "utf-16 cut": (SERVICE.encode("utf-16")[:-1], "incomplete UTF-16"),
    "utf-16 without a mark": (SERVICE.encode("utf-16-le"), "control characters"),
    "utf-32": (SERVICE.encode("utf-32"), "control characters"),
    "latin-1": ("x-a: é\n".encode("latin-1") + SERVICE.encode(), "UTF-8"),
    "lone surrogates": (b"x-a: \xed\xa0\x80\n" + SERVICE.encode(), "invalid Unicode"),
    "escaped surrogates": ('x-a: "\\ud800"\n' + SERVICE, "invalid Unicode"),
    "nul": (b"x-a: \x00\n" + SERVICE.encode(), "control characters"),
    "escaped nul": (SERVICE + '    hostname: "a\\0b"\n', ""),
    "a mark in the middle": ("x-a: a\ufeffb\n" + SERVICE, ""),
    "nothing but marks": ("\ufeff" * 1000, "cannot unmarshal"),
    "megabyte of tag": ("x-a: !<" + "t" * 1_000_000 + "> 1\n" + SERVICE, ""),
    "python tag": ("x-a: !!python/object/apply:os.system [id]\n" + SERVICE, ""),
    "binary": ("x-a: !!binary " + "=" * 100_000 + "\n" + SERVICE, "invalid base64"),
    "resets of everything": ("services: !reset\n  a: !reset {image: !reset x}\n", "empty compose file"),
    "a long line": ("x-a: '" + "y" * 5_000_000 + "'\n" + SERVICE, ""),
    "spaces": (" " * 5_000_000 + "\n" + SERVICE, ""),
    "newlines": ("\n" * 2_000_000 + SERVICE, ""),
    "a folder": ({"compose.yaml/x": ""}, "is a directory"),
}


def _limits() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_end_soon_and_clearly(name: str, tmp_path: Path) -> None:
    given, message = HOSTILE[name]
    for path, content in (given if isinstance(given, dict) else {"compose.yaml": given}).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    finished = subprocess.run(
        [sys.executable, "-m", "hyperbox", "compose", "config", "-q"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        preexec_fn=_limits,
        check=False,
    )
    told = finished.stderr.decode()
    assert (finished.returncode, message in told) == (1 if message else 0, True), told[-2000:]
    assert "Traceback" not in told
    assert "internal error" not in told
    assert "out of memory" not in told
