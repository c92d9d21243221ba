"""engine/network_list.py: what the filters of networks take."""

from __future__ import annotations

import pytest

from hyperbox.engine.network_list import network_list
from hyperbox.engine.state import Roots
from hyperbox.errors import InvalidParameter


@pytest.mark.parametrize("value", ["T", "t", "True", "TRUE", "f", "F", "yes", ""])
def test_a_boolean_filter_takes_four_words_as_with_docker(value: str) -> None:
    with pytest.raises(InvalidParameter) as told:
        network_list(Roots("/nonexistent", "/nonexistent", "none"), {"dangling": [value]})
    words = 'invalid value for filter \'dangling\', must be "true" (or "1"), or "false" (or "0")'
    assert told.value.message == words
