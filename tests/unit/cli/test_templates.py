"""cli/templates*: no template raises anything else than the two errors, whatever it holds and whatever it runs on."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperbox.cli import templates
from hyperbox.cli.templates_printf import sprintf
from hyperbox.cli.templates_types import STRUCTS, typed
from hyperbox.cli.templates_values import Duration, Record

PIECES = st.sampled_from(
    [
        "{{", "}}", "{{-", "-}}", " ", "\n", ".", ".A", ".B.C", "$", "$x", ":=", "=", "|", "(", ")", ",", "if", "else", "end",
        "range", "with", "define", "template", "block", "break", "continue", "nil", "true", "1", "-3", "1.5", "0x1F", "1e9", "'a'",
        '"s"', "`r`", '"%d %s %v"', "printf", "print", "println", "index", "slice", "len", "eq", "lt", "and", "or", "not", "call",
        "html", "js", "urlquery", "json", "split", "join", "upper", "title", "pad", "truncate", "/*", "*/", "é", "\x00", "\\", '"',
        "ID", ".ID", ".Names", ".State", ".Config.Env", "text",
    ]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ABC"), inner, max_size=3),
    max_leaves=8,
)


def attempt(text: str, value: object, *, strict: bool = False) -> None:
    try:
        templates.execute(templates.parse(text), value, strict=strict)
    except (templates.ParseError, templates.ExecuteError):
        pass


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=14), VALUES, st.booleans())
def test_any_sequence_of_tokens_is_run_or_refused(pieces: list[str], value: object, strict: bool) -> None:
    attempt("{{" + " ".join(pieces) + "}}", value, strict=strict)
    attempt("".join(pieces), value)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(
        ["printf", "index", "slice", "eq", "lt", "and", "join", "split", "pad", "truncate", "json", "len", "html"]
    ),
    st.lists(st.sampled_from([".", ".A", ".B", "1", "-1", '"x"', "nil", "1.5", "'c'", "true", "(len .A)"]), max_size=4),
    VALUES,
)
def test_any_function_takes_any_arguments_or_refuses_them(name: str, arguments: list[str], value: object) -> None:
    attempt("{{" + " ".join([name, *arguments]) + "}}", value)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(STRUCTS)), VALUES)
def test_any_json_passes_as_a_typed_record(name: str, value: object) -> None:
    attempt("{{.}}{{json .}}{{.ID}}{{range .Mounts}}{{.}}{{end}}", typed(name, value))


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="%dsvqxXeEfgGtTbcoOUp+-# 0123456789.*[]a", max_size=12), st.lists(VALUES, max_size=3))
def test_any_format_is_printed(text: str, operands: list[object]) -> None:
    assert isinstance(sprintf(text, operands), str)


def test_a_deep_template_is_refused_and_does_not_overflow_the_stack() -> None:
    with pytest.raises(templates.ParseError):
        templates.parse("{{" + "(" * 5000 + "1" + ")" * 5000 + "}}")
    with pytest.raises(templates.ParseError):
        templates.parse("{{if 1}}" * 5000 + "{{end}}" * 5000)
    with pytest.raises(templates.ExecuteError, match="exceeded maximum template depth"):
        templates.render('{{define "a"}}{{template "a"}}{{end}}{{template "a"}}', None)


def test_output_is_bounded() -> None:
    with pytest.raises(templates.ExecuteError, match="too large"):
        templates.render("{{range 60000000}}{{$}}{{end}}", "x" * 100000)


def test_a_record_calls_its_methods_with_their_arguments() -> None:
    record = Record("*T", {"a": "1"}, {"Name": lambda _item: "n"}, {"Label": lambda item, key: item.get(key, "")})
    assert templates.render('{{.Name}} {{.Label "a"}} {{"a" | .Label}}', record) == "n 1 1"


def test_durations_print_themselves() -> None:
    assert str(Duration(90_000_000_000).text()) == "1m30s"
    assert Duration(250_000_000).text() == "250ms"
    assert Duration(3_723_500_000_000).text() == "1h2m3.5s"
    assert Duration(0).text() == "0s"
