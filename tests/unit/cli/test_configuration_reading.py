"""cli/configuration_reading.py: what is wrong with docker's config.json, in docker's words, and what counts all the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hyperbox.cli.configuration_reading import read
from hyperbox.image.accounts import decoded, encoded

ROOT = Path(__file__).resolve().parents[3]
RECORDED = json.loads((ROOT / "golden/docker/configuration.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: str(case["text"])[:40])
def test_what_is_wrong_is_told_in_dockers_words(case: dict[str, str]) -> None:
    assert read(case["text"])[1] == case["told"]


def test_what_has_a_wrong_type_is_left_out_and_the_rest_counts() -> None:
    text = '{"psFormat":"x","HttpHeaders":3,"auths":{"a":5,"b":{"username":[],"password":"p"}},"pruneFilters":["x",1],"other":[1]}'
    found, problem = read(text)
    assert found == {"psFormat": "x", "auths": {"b": {"password": "p"}}, "pruneFilters": ["x"], "other": [1]}
    assert problem.endswith("ConfigFile.HttpHeaders of type map[string]string")


def test_keys_are_known_in_any_case_and_more_after_the_object_is_passed_over() -> None:
    assert read('{"PSFORMAT": "x", "credsstore": "y"} more') == ({"psFormat": "x", "credsStore": "y"}, "")


def test_an_account_comes_back_as_it_was() -> None:
    for account in (("u", "p"), ("u", ""), ("é", "a:b"), ("u", "x" * 1000)):
        assert decoded(encoded(*account)) == account
    assert decoded("!") == decoded("YQ==") == ("", "")
