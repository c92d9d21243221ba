import json
import os
from pathlib import Path

import pytest

from hyperbox.engine.recovery import finish_removal, forget_making
from hyperbox.engine.state import Roots, claim_name, new_state
from hyperbox.errors import Conflict


def test_what_a_dead_maker_left_is_forgotten_with_its_name(tmp_path: Path) -> None:
    roots = Roots(str(tmp_path), str(tmp_path / "run"), "group")
    roots.prepare()
    entry = "a" * 64 + "-1-1"
    os.mkdir(f"{roots.data}/making/{entry}")
    claim_name(roots, "web", "a" * 64)
    forget_making(roots, entry)
    assert os.listdir(f"{roots.data}/making") == []
    assert os.listdir(f"{roots.data}/names") == []


def test_a_container_whose_maker_finished_it_and_ended_keeps_its_name(tmp_path: Path) -> None:
    roots = Roots(str(tmp_path), str(tmp_path / "run"), "group")
    roots.prepare()
    os.mkdir(f"{roots.data}/containers/{'a' * 64}")
    claim_name(roots, "web", "a" * 64)
    forget_making(roots, "a" * 64 + "-1-1")  # listed in making/ a moment ago
    assert os.listdir(f"{roots.data}/names") == ["web"]


def test_a_removal_that_was_told_of_is_not_told_of_again(tmp_path: Path) -> None:
    roots = Roots(str(tmp_path), str(tmp_path / "run"), "group")
    roots.prepare()
    folder = tmp_path / "removing" / ("a" * 64)
    folder.mkdir()
    (folder / "lock").touch()
    # the state goes first: another process is at the last files
    (folder / "container.json").write_text('{"Id": "%s", "Name": "/web", "Config": {}, "HostConfig": {}}' % ("a" * 64))
    finish_removal(roots, "a" * 64)
    assert not folder.exists()
    assert not os.path.exists(f"{roots.run}/events")


def test_a_name_that_a_killed_rename_has_left_behind_is_free(tmp_path: Path) -> None:
    roots = Roots(str(tmp_path), str(tmp_path / "run"), "group")
    roots.prepare()
    folder = Path(roots.container("a" * 64))
    folder.mkdir()
    (folder / "lock").touch()
    record = {"Id": "a" * 64, "Name": "new", "Config": {}, "HostConfig": {}}
    (folder / "container.json").write_text(json.dumps(record))
    (folder / "state.json").write_text(json.dumps({**new_state(), "Status": "exited"}))
    for name in ("old", "new"):
        claim_name(roots, name, "a" * 64)
    claim_name(roots, "old", "b" * 64)
    with pytest.raises(Conflict):
        claim_name(roots, "new", "b" * 64)
    assert os.readlink(f"{roots.data}/names/old") == "b" * 64
