import subprocess
from pathlib import Path

import pytest

from hyperbox.kernel.inode_flags import spread_folders


def file_system(path: Path) -> str:
    found = subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def test_ext4_is_told_to_spread_the_folders_made_in_one(tmp_path: Path) -> None:
    if not file_system(tmp_path).startswith("ext"):
        pytest.skip("no ext4 here")
    (tmp_path / "staging").mkdir()
    for _ in range(2):
        spread_folders(str(tmp_path / "staging"))
    shown = subprocess.run(["lsattr", "-d", tmp_path / "staging"], capture_output=True, text=True, check=True)
    assert "T" in shown.stdout.split()[0]


def test_a_file_system_without_such_a_flag_is_left_alone() -> None:
    spread_folders("/proc")
