"""Identity: names and folders to projects."""

from __future__ import annotations

from pathlib import Path

from hyperbox.project import identity


def folder(tmp_path: Path, *parts: str) -> str:
    path = tmp_path.joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return str(path)


def test_the_first_folder_has_the_plain_name_and_another_one_a_suffix_that_stays(tmp_path: Path) -> None:
    projects = str(tmp_path / "projects")
    first = identity.resolve(projects, "shop", folder(tmp_path, "main", "shop"), explicit=False)
    second = identity.resolve(projects, "shop", folder(tmp_path, "feature", "shop"), explicit=False)
    again = identity.resolve(projects, "shop", folder(tmp_path, "feature", "shop"), explicit=False)
    assert (first.id, second.id, again.id) == ("shop", "shop-feature", "shop-feature")
    assert first.number != second.number == again.number


def test_a_symbolic_link_leads_to_the_same_project(tmp_path: Path) -> None:
    projects = str(tmp_path / "projects")
    real = folder(tmp_path, "real")
    (tmp_path / "link").symlink_to(real)
    first = identity.resolve(projects, "app", real, explicit=False)
    assert identity.resolve(projects, "app", str(tmp_path / "link"), explicit=False).id == first.id


def test_a_name_given_on_purpose_means_that_project_from_any_folder(tmp_path: Path) -> None:
    projects = str(tmp_path / "projects")
    first = identity.resolve(projects, "shop", folder(tmp_path, "a"), explicit=False)
    same = identity.resolve(projects, "shop", folder(tmp_path, "b"), explicit=True)
    assert same.id == first.id
    assert identity.resolve(projects, "shop", folder(tmp_path, "b"), explicit=False).id == "shop-b"


def test_predicting_records_nothing(tmp_path: Path) -> None:
    projects = str(tmp_path / "projects")
    assert identity.predict(projects, "shop", folder(tmp_path, "a"), explicit=False) == "shop"
    assert identity.read_all(projects) == []


def test_a_removed_project_gives_its_name_and_number_back(tmp_path: Path) -> None:
    projects = str(tmp_path / "projects")
    first = identity.resolve(projects, "shop", folder(tmp_path, "a"), explicit=False)
    assert identity.forget(projects, "shop")
    second = identity.resolve(projects, "shop", folder(tmp_path, "b"), explicit=False)
    assert (second.id, second.number) == ("shop", first.number)
    assert not identity.forget(projects, "nothing")


def test_a_deleted_folder_is_seen_and_a_moved_one_adopted(tmp_path: Path) -> None:
    projects = str(tmp_path / "projects")
    place = tmp_path / "a"
    place.mkdir()
    identity.resolve(projects, "shop", str(place), explicit=False)
    place.rename(tmp_path / "b")
    found = identity.find(projects, "shop", "", explicit=True)
    assert found is not None
    assert not found.exists
    adopted = identity.adopt(projects, "shop", str(tmp_path / "b"))
    assert adopted is not None
    assert adopted.exists


def test_the_third_folder_of_one_parent_name_gets_a_number(tmp_path: Path) -> None:
    taken = {"shop", "shop-x", "shop-c", "shop-b", "shop-a"}
    assert identity.choose_id("shop", "/a/b/c/x/shop", taken) == "shop-x-2"
