"""Identity: names and folders to projects."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
from pathlib import Path

import pytest

from hyperbox.compose.discover import normalize_name
from hyperbox.project import enrolment, identity
from hyperbox.project.ports import Bounds, Request


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


def recorded(projects: str, name: str, folder: Path) -> str:
    """Record the project of a folder and return its id."""
    return identity.resolve(projects, name, str(folder), explicit=False).id


def test_folders_whose_names_say_nothing_in_ascii_still_get_distinct_ids(tmp_path: Path) -> None:
    projects = str(tmp_path / "projects")
    ids = []
    for name in ("日本/app", "größe/app", "-_-/app", "a b/app", "App's $(x)/app", "x" * 200 + "/app", "日本/other/app"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        ids.append(recorded(projects, "app", folder))
    assert len(set(ids)) == len(ids)
    assert ids[0] == "app"
    for each in ids:
        assert normalize_name(each) == each, each
        assert len(each) < 40
    assert [recorded(projects, "app", tmp_path / "日本/app"), recorded(projects, "app", tmp_path / "größe/app")] == ids[
        :2
    ]


def test_folders_that_differ_in_case_alone_are_two_projects(tmp_path: Path) -> None:
    projects = str(tmp_path / "projects")
    ids = []
    for name in ("App", "app", "APP"):
        (tmp_path / name).mkdir()
        ids.append(recorded(projects, normalize_name(name), tmp_path / name))
    assert ids[0] == "app"
    assert len(set(ids)) == 3


def test_a_git_worktree_is_a_project_of_its_own_by_whichever_path(tmp_path: Path) -> None:
    projects, main, tree = str(tmp_path / "projects"), tmp_path / "app", tmp_path / "feature" / "app"
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@x", "-c", "init.defaultBranch=main"]
    subprocess.run([*git, "init", "-q", main], check=True)
    subprocess.run([*git, "-C", main, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    subprocess.run([*git, "-C", main, "worktree", "add", "-q", tree], check=True, capture_output=True)
    (tmp_path / "link").symlink_to(tree)
    assert recorded(projects, "app", main) == "app"
    assert recorded(projects, "app", tree) == "app-feature"
    assert recorded(projects, "app", tmp_path / "link") == "app-feature"
    assert recorded(projects, "app", tmp_path / "feature" / ".." / "feature" / "app") == "app-feature"


def enrol_one(projects: str, folder: str, answers: multiprocessing.Queue[tuple[str, int, int]]) -> None:
    wishes = enrolment.Wishes(
        ["container/db"],
        [Request("web/1/80/tcp/0/", 80, 8080)],
        "auto",
        lambda *_: False,
        Bounds(ephemeral=(32768, 60999)),
    )
    found = enrolment.enrol(projects, "app", folder, wishes, explicit=False)
    answers.put((found.identity.id, found.identity.number, found.assignments["web/1/80/tcp/0/"].port))


def test_the_same_name_from_thirty_folders_at_once(tmp_path: Path) -> None:
    answers: multiprocessing.Queue[tuple[str, int, int]] = multiprocessing.Queue()
    folders = [tmp_path / f"copy{number}" / "app" for number in range(30)]
    for folder in folders:
        folder.mkdir(parents=True)
    running = [
        multiprocessing.Process(target=enrol_one, args=(str(tmp_path / "projects"), str(folder), answers))
        for folder in folders
    ]
    for each in running:
        each.start()
    found = [answers.get(timeout=60) for _ in running]
    for each in running:
        each.join()
    for column in range(3):
        assert len({row[column] for row in found}) == 30
    assert sum(port == 8080 for _, _, port in found) == 1
    assert all(each == "app" or each.startswith("app-copy") for each, _, _ in found)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", "null", '"x"', '{"Id": "other"}', "\0" * 100, "DROP:Number", "DROP:Explicit", "DROP:Leases", "SET:Number:0",
     'SET:Leases:[["a", 1]]', 'SET:Ports:{"web": 1}', 'SET:Ports:[1]', "SET:Names:3", "SET:Folder:7"],
)  # fmt: skip
def test_a_file_that_is_no_record_stands_in_nobodys_way(tmp_path: Path, content: str) -> None:
    projects = str(tmp_path / "projects")
    recorded(projects, "sound", tmp_path)
    recorded(projects, "app", tmp_path)
    path = tmp_path / "projects" / "app.json"
    kind, _, rest = content.partition(":")
    if kind in ("DROP", "SET"):
        record = json.loads(path.read_text())
        key, _, value = rest.partition(":")
        record.pop(key)
        content = json.dumps({**record, key: json.loads(value)} if kind == "SET" else record)
    path.write_text(content)
    assert identity.broken(projects) == [str(path)]
    assert [record["Id"] for record in identity.read_all(projects)] == ["sound"]
    assert recorded(projects, "app", tmp_path) == "app"
    assert identity.broken(projects) == []
