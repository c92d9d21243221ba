"""The published schema and documentation of the settings, and changing a file by its keys."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from hyperbox.cli import settings
from hyperbox.cli.settings_schema import keys_markdown, schema, with_value
from hyperbox.errors import HyperBoxError

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_the_published_schema_is_the_tables() -> None:
    """Otherwise: hyperbox config schema >docs/config.schema.json"""
    assert json.loads((DOCS / "config.schema.json").read_text()) == schema()
    jsonschema.Draft202012Validator.check_schema(schema())


def test_every_key_is_documented() -> None:
    """Otherwise: hyperbox config keys --markdown, into docs/projects.md"""
    assert keys_markdown() in (DOCS / "projects.md").read_text()


DOCUMENTS = [
    ("", True),
    ('[ports]\npolicy = "range"\nfirst = 1\n', True),
    ('[ports]\npolicy = "loose"\n', False),
    ("[ports]\nfirst = 0\n", False),
    ("[ports]\nfirst = 1.5\n", False),
    ("[ports]\nother = 1\n", False),
    ("[other]\n", True),
    ("other = 1\n", False),
    ('[budget]\nmemory = "512m"\ncpus = 2\n', True),
    ('[budget]\nmemory = "much"\n', False),
    ('[budget.io."/dev/vda"]\nrbps = "10m"\n', True),
    ("[budget.io.vda]\nrbps = 1\n", False),
    ("[hosts]\nwrite = false\n", True),
    ('[hosts]\nwrite = "no"\n', False),
    ('[networks]\npool = "10.0.0.0/8"\nsize = 20\n', True),
    ('[networks]\npool = "nowhere"\n', False),
]


@pytest.mark.parametrize(("text", "right"), DOCUMENTS)
def test_the_schema_and_the_reader_are_of_one_mind(tmp_path: Path, text: str, right: bool) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    if text != "[other]\n":  # an empty table has no key that the reader could meet
        assert jsonschema.Draft202012Validator(schema()).is_valid(tomllib.loads(text)) is right
    try:
        settings.read({"HYPERBOX_CONFIG": str(path)})
    except HyperBoxError:
        assert not right
    else:
        assert right


def test_a_key_is_set_changed_and_taken_out_and_the_rest_stays() -> None:
    text = "# mine\n[hosts]  # names\nwrite = true # yes\n\n[budget.io]\n"
    one = with_value(text, "ports.policy", "range")
    two = with_value(one, "hosts.file", '/etc/h"o')
    three = with_value(two, "hosts.write", False)
    assert tomllib.loads(three) == {
        "hosts": {"write": False, "file": '/etc/h"o'},
        "budget": {"io": {}},
        "ports": {"policy": "range"},
    }
    assert three.startswith("# mine\n[hosts]  # names\n")
    assert with_value(with_value(one, "ports.policy", None), "ports.size", None).replace("\n[ports]\n", "") == text
