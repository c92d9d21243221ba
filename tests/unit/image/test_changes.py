"""Instructions of --change on a configuration of their own, as import has them; what commit makes of them is in the scenarios."""

from __future__ import annotations

import pytest

from hyperbox.errors import InvalidParameter
from hyperbox.image.changes import apply_changes

# what docker says to `commit --change` of a container with A=one and B=
REFUSED = """\
ENV x=${A | failed to process "${A": unsupported modifier (\ufffd) in substitution
ENV x=${} | failed to process "${}": syntax error: bad substitution
ENV x=${C?no} | failed to process "${C?no}": C: no
ENV x=${C:?} | failed to process "${C:?}": C: is not allowed to be unset
ENV x="${A | failed to process "\\"${A": unsupported modifier (\ufffd) in substitution
ENV x='a | failed to process "'a": unexpected end of statement while looking for matching single-quote
ENV x=${A:=q} | failed to process "${A:=q}": unsupported modifier (:=) in substitution
EXPOSE 80 ${A | failed to process "${A": unsupported modifier (\ufffd) in substitution
VOLUME ["${A"] | failed to process "${A": unsupported modifier (\ufffd) in substitution
"""
EXPANDED = """\
${A?no} | one
${A#o} | ne
${A%e}z | onz
${A/n/m} | ome
$1$@ |
\\$A | $A
"\\$A \\x \\\\" | $A \\x \\
${C:-${A}x} | onex
${A:+${A}x} | onex
$$A | A
${A:-"x y"} | one
b\\ | b
$Ü |
$A$ | one$
"""
KNOWN = ["A=one", "B="]


@pytest.mark.parametrize("line", REFUSED.splitlines())
def test_what_cant_be_expanded_is_told_in_dockers_words(line: str) -> None:
    change, _, words = line.partition(" | ")
    with pytest.raises(InvalidParameter) as refused:
        apply_changes({"Env": KNOWN}, [change])
    assert refused.value.message == words


@pytest.mark.parametrize("line", EXPANDED.splitlines())
def test_variables_are_put_in_as_in_a_dockerfile(line: str) -> None:
    text, _, value = line.partition(" |")
    assert apply_changes({"Env": KNOWN}, [f"LABEL a={text}"])["Labels"] == {"a": value.strip()}


def test_instructions_follow_one_another() -> None:
    config = apply_changes({}, ["ENV A=1", "env B=$A", "WORKDIR /x", "WORKDIR y", "EXPOSE 80-81/UDP", "CMD a b"])
    assert config == {
        "Env": ["A=1", "B=1"],
        "WorkingDir": "/x/y",
        "ExposedPorts": {"80/udp": {}, "81/udp": {}},
        "Cmd": ["/bin/sh", "-c", "a b"],
    }


def test_an_entrypoint_takes_away_a_command_that_was_there_before() -> None:
    assert apply_changes({"Cmd": ["x"]}, ["ENTRYPOINT e"])["Cmd"] is None
    assert apply_changes({"Cmd": ["x"]}, ['CMD ["y"]', "ENTRYPOINT e"])["Cmd"] == ["y"]


@pytest.mark.parametrize("change", ['VOLUME [""]', "HEALTHCHECK --retries=x CMD a", "EXPOSE 5-1", "", "RUN x", "USER"])
def test_what_is_wrong_is_refused(change: str) -> None:
    with pytest.raises(InvalidParameter):
        apply_changes({}, [change])
