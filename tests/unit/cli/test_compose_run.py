"""What `docker compose run` makes of a service: the volumes that its flags add to those of the file."""

from __future__ import annotations

from hyperbox.cli.compose_run import as_mounted
from hyperbox.compose.volumes import parse_volume


def mounted(*volumes: str) -> list[dict[str, object]]:
    rows = as_mounted([parse_volume(text) for text in volumes], {"data"})
    return [{key: row.get(key) for key in ("source", "target", "read_only")} for row in rows]


def test_the_last_volume_of_a_target_says_what_is_mounted_and_the_first_how() -> None:
    assert mounted("data:/v:ro", "/tmp:/v") == [{"source": "/tmp", "target": "/v", "read_only": True}]
    assert mounted("/tmp:/v", "data:/v:ro") == [{"source": "data", "target": "/v", "read_only": None}]


def test_a_volume_that_the_project_does_not_have_is_mounted_as_it_says_itself() -> None:
    assert mounted("data:/v", "other:/v:ro") == [{"source": "other", "target": "/v", "read_only": True}]


def test_volumes_of_different_targets_stay_in_order(monkeypatch: object) -> None:
    monkeypatch.chdir("/")  # type: ignore[attr-defined]
    assert [row["source"] for row in mounted("data:/v", "./x:/w", "/anonymous")] == ["data", "/x", None]
