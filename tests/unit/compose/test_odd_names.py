"""What a project is called before its files are read, and which variables of ours it sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperbox.compose.discover import given_name
from hyperbox.compose.load import load
from hyperbox.compose.model import LoadOptions

OWN = {"HYPERBOX_ADDRESS": "127.89.0.2", "HYPERBOX_PROJECT": "app"}


def options(folder: Path, **given: object) -> LoadOptions:
    plain = LoadOptions(working_dir=str(folder), own_variables=lambda name, folder, mentioned: OWN)
    return plain._replace(**given)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("services: {web: {image: x}}\n", False),
        ("services: {base: {image: x}, web: {extends: {service: base}}}\n", False),
        ("include: [part.yaml]\nservices: {web: {image: x}}\n", False),
        ("include: [naming.yaml]\nservices: {web: {image: x}}\n", True),
        ("services: {web: {image: x, environment: [HYPERBOX_ADDRESS]}}\n", True),
    ],
)
def test_own_variables_are_seen_only_where_a_file_names_one(tmp_path: Path, text: str, shown: bool) -> None:
    (tmp_path / "compose.yaml").write_text(text)
    (tmp_path / "part.yaml").write_text("services: {part: {image: x}}\n")
    (tmp_path / "naming.yaml").write_text('services: {part: {image: x, environment: {A: "$HYPERBOX_ADDRESS"}}}\n')
    project = load(options(tmp_path, environment={"HYPERBOX_GIVEN": "1"}))
    assert (project.environment.get("HYPERBOX_ADDRESS") == "127.89.0.2") is shown
    assert ("HYPERBOX_PROJECT" in project.environment) is shown
    assert project.environment["HYPERBOX_GIVEN"] == "1"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "from-dotenv"),
        ({"env_files": ("other.env",)}, "from-other"),
        ({"environment": {"COMPOSE_PROJECT_NAME": "from-environment"}}, "from-environment"),
        ({"environment": {"COMPOSE_DISABLE_ENV_FILE": "1"}}, ""),
        ({"project_name": "from-flag", "environment": {"COMPOSE_PROJECT_NAME": "x"}}, "from-flag"),
    ],
)
def test_a_name_is_given_by_the_flag_the_environment_or_an_env_file(
    tmp_path: Path, given: dict[str, object], name: str
) -> None:
    (tmp_path / "compose.yaml").write_text("name: from-file\nservices: [broken\n")
    (tmp_path / ".env").write_text("COMPOSE_PROJECT_NAME=from-dotenv\n")
    (tmp_path / "other.env").write_text("COMPOSE_PROJECT_NAME=from-other\n")
    assert given_name(options(tmp_path, **given)) == name
