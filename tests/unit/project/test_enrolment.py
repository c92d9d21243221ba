"""A project's place on this machine in one step: identity, names and ports, among others and over again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hyperbox.project import enrolment, identity, ports
from hyperbox.project.enrolment import Enrolment, Wishes
from hyperbox.project.ports import Bounds, Request


def nobody(address: str, port: int, protocol: str) -> bool:
    return False


def wishes(policy: str = "auto", *, port: int = 8080) -> Wishes:
    bounds = Bounds(ephemeral=(32768, 60999))
    return Wishes(["container/db"], [Request("web/1/80/tcp/0/", 80, port)], policy, nobody, bounds)


def enrol(tmp_path: Path, folder: str, asked: Wishes, *, name: str = "shop", explicit: bool = False) -> Enrolment:
    place = tmp_path / folder
    place.mkdir(parents=True, exist_ok=True)
    return enrolment.enrol(str(tmp_path / "projects"), name, str(place), asked, explicit=explicit)


def port(found: Enrolment) -> int:
    (assignment,) = found.assignments.values()
    return assignment.port


def test_two_folders_differ_in_id_names_and_ports(tmp_path: Path) -> None:
    one, two = enrol(tmp_path, "one/shop", wishes()), enrol(tmp_path, "two/shop", wishes())
    assert (one.identity.id, one.names, port(one)) == ("shop", {"container/db": "db"}, 8080)
    assert (two.identity.id, two.names, port(two)) == ("shop-two", {"container/db": "db-two"}, 11080)
    assert one.identity.number != two.identity.number


def test_a_name_given_on_purpose_is_the_id_from_any_folder(tmp_path: Path) -> None:
    one = enrol(tmp_path, "one", wishes(), name="ci", explicit=True)
    again = enrol(tmp_path, "two", wishes(), name="ci", explicit=True)
    assert one.identity.id == again.identity.id == "ci"


def test_what_is_as_before_is_not_written_again(tmp_path: Path) -> None:
    enrol(tmp_path, "shop", wishes())
    path = tmp_path / "projects" / "shop.json"
    before = os.stat(path)
    assert port(enrol(tmp_path, "shop", wishes())) == 8080
    assert os.stat(path).st_ino == before.st_ino
    assert port(enrol(tmp_path, "shop", wishes(port=9090))) == 9090
    assert os.stat(path).st_ino != before.st_ino


def test_the_records_policy_is_above_the_one_that_is_asked_for(tmp_path: Path) -> None:
    enrol(tmp_path, "shop", wishes())
    identity.change(str(tmp_path / "projects"), "shop", "Policy", "range")
    assert port(enrol(tmp_path, "shop", wishes())) == 10080
    identity.change(str(tmp_path / "projects"), "shop", "Policy", "strict")
    assert port(enrol(tmp_path, "shop", wishes())) == 8080


def test_a_preview_says_the_same_and_records_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    projects = str(tmp_path / "projects")
    seen = enrolment.preview(projects, "shop", str(folder), wishes(), explicit=False)
    assert identity.read_all(projects) == []
    found = enrol(tmp_path, "shop", wishes())
    assert (seen.identity.id, seen.names, port(seen)) == (found.identity.id, found.names, port(found))


def test_released_names_and_ports_are_free_for_others(tmp_path: Path) -> None:
    enrol(tmp_path, "one/shop", wishes())
    ports.release(str(tmp_path / "projects"), "shop")
    two = enrol(tmp_path, "two/shop", wishes())
    assert (two.names, port(two)) == ({"container/db": "db"}, 8080)


def opened(projects: str, monkeypatch: pytest.MonkeyPatch, folder: str) -> int:
    """Return how many files one enrolment of a new project opens to read."""
    from hyperbox import files

    found: list[str] = []
    real = files.read_text
    with monkeypatch.context() as patch:
        patch.setattr(files, "read_text", lambda path: (found.append(path), real(path))[1])
        enrolment.enrol(projects, "app", folder, wishes(), explicit=False)
    return len(found)


def test_an_enrolment_opens_no_more_files_when_there_are_many_projects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    projects = str(tmp_path / "projects")
    counts = [opened(projects, monkeypatch, f"/srv/{number}/app") for number in range(80)]
    assert max(counts[40:]) <= identity.STALE + 4
    assert len(identity.read_all(projects)) == 80


def test_the_index_of_records_is_never_believed_against_them(tmp_path: Path) -> None:
    projects = str(tmp_path / "projects")
    for number in range(30):
        enrolment.enrol(projects, "app", f"/srv/{number}/app", wishes(), explicit=False)
    identity.read_all(projects)
    identity.change(projects, "app-3", "Policy", "strict")  # somebody who is killed before the index knows
    identity.forget(projects, "app-4")
    found = {record["Id"]: record for record in identity.read_all(projects)}
    assert found["app-3"]["Policy"] == "strict"
    assert "app-4" not in found
    for broken in ("", "{", "[]", '{"app.json": 1}', '{"app.json": [1, 2, 3, 4]}'):
        (tmp_path / "projects" / "index").write_text(broken)
        assert {record["Id"] for record in identity.read_all(projects)} == set(found)
