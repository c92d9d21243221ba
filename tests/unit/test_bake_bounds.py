"""Definitions are untrusted: whatever they say, evaluating them ends in bounded time and memory, with an error of one sentence or a result."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hyperbox.bake.definition import Config, evaluate_files, parse_file
from hyperbox.bake.errors import BakeError, File
from hyperbox.hcl.positions import Diagnostics
from hyperbox.hcl.standard import standard_functions

EMPTY = Config([], [], [])


@pytest.fixture(autouse=True)
def deep() -> Iterator[None]:
    """Allow the recursion that the command allows."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(8000)
    yield
    sys.setrecursionlimit(before)


def evaluated(text: str, name: str = "docker-bake.hcl") -> Config | str:
    """Return what a definition comes to, or the message that says why it can't be."""
    try:
        body = parse_file(File(name, text.encode(errors="surrogatepass")))
        return evaluate_files([body], {}.get, {}, Config([], [], []))
    except Diagnostics as error:
        return str(error)
    except BakeError as error:
        return error.message


def target(expression: str) -> str:
    return f'target "default" {{\n  args = {{\n    v = {expression}\n  }}\n}}\n'


DOUBLED = "".join(f"a{n + 1} = [a{n}, a{n}]\n" for n in range(60))
LONGER = "".join(f'a{n + 1} = "${{a{n}}}${{a{n}}}"\n' for n in range(60))
SQUARED = "".join(f"a{n + 1} = a{n} * a{n}\n" for n in range(60))
LONG_NUMBER = 'parseint(join("", [for i in range(N): "zzz"]), 36)'
HOSTILE = {
    "a number too long for Python": target(LONG_NUMBER.replace("N", "950")),
    "parts of a long number": target(
        f"""format("%d %v %g", {", ".join(["P", "P / 3", "P"])})""".replace("P", LONG_NUMBER.replace("N", "900"))
    ),
    "parentheses": target("(" * 20000 + "1" + ")" * 20000),
    "brackets": target("[" * 20000),
    "braces": target("{a=" * 20000),
    "templates": target('"${' * 20000),
    "blocks": 'target "a" {\n' * 20000,
    "a long sum": target("+".join(["1"] * 20000)),
    "signs": target("-" * 20000 + "1"),
    "conditions": target("true ? 1 : " * 20000 + "1"),
    "steps": target("a" + ".a" * 20000),
    "indices": target("a" + "[0]" * 20000),
    "calls": target("upper(" * 20000 + '"a"' + ")" * 20000),
    "doubled lists": "a0 = [1]\n" + DOUBLED + target("jsonencode(a60)"),
    "doubled texts": 'a0 = "xxxxxxxx"\n' + LONGER + target("a60"),
    "squared numbers": "a0 = 1e300\n" + SQUARED + target("a60"),
    "a large exponent": target("1e999999999"),
    "a small exponent": target("1e-999999999"),
    "many digits": target("9" * 100000),
    "powers": target("pow(10, 308) * pow(10, 308) * pow(10, 308)"),
    "nested loops": target("length([for a in range(1000): [for b in range(1000): [for c in range(1000): 1]]])"),
    "products": target("length(setproduct(range(1000), range(1000), range(1000)))"),
    "wide formats": target('format("%1000000000d", 1)'),
    "precise formats": target('format("%.1000000000f", 1)'),
    "indents": target('indent(1000000000, "a\\nb")'),
    "replacements": target(
        'replace(join("", [for i in range(1000): "aaaa"]), "a", join("", [for i in range(1000): "bbbbbbbb"]))'
    ),
    "a large matrix": (
        'target "t" {\n  name = "t-${a}-${b}-${c}"\n  matrix = { a = range(1000), b = range(1000), c = range(1000) }\n}\n'
    ),
    "a cost": target('bcrypt("x", 31)'),
    "a cycle of functions": (
        'function "f" {\n  params = [a]\n  result = g(a)\n}\nfunction "g" {\n  params = [a]\n  result = f(a)\n}\n'
    ),
    "a chain of functions": "".join(
        f'function "f{n + 1}" {{\n  params = [a]\n  result = [f{n}(a), f{n}(a)]\n}}\n' for n in range(60)
    )
    + 'function "f0" {\n  params = [a]\n  result = a\n}\n'
    + target("jsonencode(f60(1))"),
    "a chain of variables": "".join(f"a{n + 1} = a{n}\n" for n in range(20000)) + "a0 = 1\n" + target("a20000"),
    "a cycle of targets": 'target "a" {\n  tags = target.b.tags\n}\ntarget "b" {\n  tags = target.a.tags\n}\n',
    "deep JSON text": target('jsondecode("' + "[" * 20000 + '")'),
    "a nul": target('"\0"'),
    "half a character": target('"\ud800"'),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_definition_ends_soon_and_small(name: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    evaluated(HOSTILE[name])
    assert time.process_time() - begun < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20  # KiB


@pytest.mark.parametrize(
    "source", ["[" * 20000, '{"target":' * 20000, '{"target":{"a":{"args":{"x":"' + "${" * 20000 + '"}}}}']
)
def test_hostile_json_ends_soon(source: str) -> None:
    assert isinstance(evaluated(source, "docker-bake.json"), str)


NAMES = "target group variable function default args tags matrix name inherits a b x true false null for in if else endif endfor"
MARKS = """ "a" "${ } %{ ~} <<EOT <<-EOT EOT \n { } [ ] ( ) , . * / % + - = == != < > <= >= ! && || ? : => ... 1 0 2.5 -1 1e3 # // /* */ " """
WORDS = [*sorted(set(standard_functions()) - {"bcrypt", "timestamp", "uuidv4"}), *NAMES.split(), *MARKS.split(" ")]
LITERALS = [
    "null",
    "true",
    "-1",
    "0",
    "1",
    "2.5",
    '""',
    '"a"',
    '"1"',
    '"%s"',
    '"(a)"',
    "[]",
    "[1]",
    '["a", "b"]',
    "[null]",
    "{}",
    "{a = 1}",
    '{a = "b"}',
    "nope",
]
ATTRIBUTES = [
    "tags",
    "args",
    "labels",
    "contexts",
    "secret",
    "ssh",
    "output",
    "attest",
    "cache-from",
    "cache-to",
    "platforms",
    "pull",
    "matrix",
    "description",
    "context",
]


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(WORDS), max_size=40), st.booleans())
def test_any_words_end_in_a_result_or_a_message(words: list[str], within: bool) -> None:
    text = " ".join(words)
    evaluated(target(text) if within else text)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=60), st.sampled_from(["docker-bake.hcl", "docker-bake.json"]))
def test_any_text_ends_in_a_result_or_a_message(text: str, name: str) -> None:
    evaluated(text, name)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(set(standard_functions()) - {"bcrypt"})), st.lists(st.sampled_from(LITERALS), max_size=4))
def test_any_call_ends_in_a_result_or_a_message(name: str, arguments: list[str]) -> None:
    evaluated(target(f"jsonencode({name}({', '.join(arguments)}))"))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(ATTRIBUTES),
    st.recursive(
        st.sampled_from(LITERALS),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
            st.lists(inner, max_size=2).map(
                lambda items: "{" + ", ".join(f"k{n} = {item}" for n, item in enumerate(items)) + "}"
            ),
        ),
        max_leaves=6,
    ),
)
def test_any_value_of_an_attribute_ends_in_a_result_or_a_message(name: str, value: str) -> None:
    evaluated(f'target "default" {{\n  {name} = {value}\n}}\n')
