"""Templates that are none are refused in the words that docker has for each (golden/docker/templates)."""

from __future__ import annotations

import pytest

from hyperbox.cli import templates
from tests.compat import record_templates


@pytest.mark.parametrize(("template", "told"), record_templates.recorded())
def test_a_template_that_is_none_is_told_in_docker_s_words(template: str, told: str) -> None:
    with pytest.raises(templates.ParseError) as refused:
        templates.parse(template)
    assert f"template parsing error: {refused.value}\n" == told


def test_a_complex_number_is_one_token() -> None:
    assert templates.execute(templates.parse("{{1+2i}} {{2i}} {{1e+2i}}"), {}) == "(1+2i) (0+2i) (0+100i)"
