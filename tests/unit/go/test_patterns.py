"""go/patterns.py: Go's path.Match, by the examples of its documentation and what `docker images` does with them."""

from __future__ import annotations

import pytest

from hyperbox.go.patterns import compiled


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("busybox", "busybox", True),
        ("b?sybox", "busybox", True),
        ("busy", "busybox", False),
        ("*", "a/b", False),
        ("*/*", "a/b", True),
        ("**/b", "a/x/b", False),
        ("b[a-z]sybox", "busybox", True),
        ("b[^a]sybox", "busybox", True),
        ("b[^u]sybox", "busybox", False),
        (r"b\usybox", "busybox", True),
        (r"[\-]", "-", True),
        ("[b-a]", "a", False),
        ("a.c", "abc", False),
    ],
)
def test_a_pattern_fits_whole_names(pattern: str, name: str, fits: bool) -> None:
    assert (compiled(pattern).match(name) is not None) == fits


@pytest.mark.parametrize("pattern", ["[", "[a", "[]a]", "[-]", "[x-]", "[-x]", "\\", "a["])
def test_a_broken_pattern_is_told(pattern: str) -> None:
    with pytest.raises(ValueError, match="syntax error in pattern"):
        compiled(pattern)
