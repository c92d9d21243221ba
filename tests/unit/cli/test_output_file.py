"""Files that commands write where the user says: nothing but a file is replaced."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from hyperbox import files
from hyperbox.cli.build_outputs import clear_image_id, write_image_id
from hyperbox.cli.copy import write_chunks
from hyperbox.cli.output_file import check_target, remove_old
from hyperbox.errors import HyperBoxError


def refusal(path: Path) -> str:
    with pytest.raises(HyperBoxError) as caught:
        write_chunks(iter([b"x"]), str(path), "save image")
    return caught.value.message


def test_only_files_are_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "file").write_text("before")
    assert refusal(tmp_path / "pipe") == "failed to save image: cannot write to a named pipe (FIFO)"
    assert refusal(tmp_path / "link") == "failed to save image: cannot write to a symbolic link directly"
    assert refusal(tmp_path) == "failed to save image: cannot write to a directory"
    assert (
        refusal(tmp_path / "no/x")
        == f"failed to save image: invalid output path: stat {tmp_path}/no: no such file or directory"
    )
    assert (
        refusal(tmp_path / "file/x")
        == f"failed to save image: invalid output path: stat {tmp_path}/file: not a directory"
    )
    with pytest.raises(HyperBoxError, match=r"^cannot write to a character device file$"):
        check_target("/dev/null", "")
    write_chunks(iter([b"x"]), str(tmp_path / "file"), "save image")
    assert (tmp_path / "file").read_text() == "x"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    assert sorted(os.listdir(tmp_path)) == ["file", "link", "pipe"]


def test_a_device_is_not_removed_for_the_file_of_an_image_s_id(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    clear_image_id(str(tmp_path / "pipe"))
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    (tmp_path / "id").write_text("old")
    clear_image_id(str(tmp_path / "id"))
    clear_image_id(str(tmp_path / "id"))
    write_image_id(str(tmp_path / "id"), "sha256:1")
    assert (tmp_path / "id").read_text() == "sha256:1"
    (tmp_path / "folder").mkdir()
    files.write_atomic(str(tmp_path / "folder/x"), "")
    with pytest.raises(HyperBoxError, match=r"^ERROR: removing image ID file: remove .*/folder: directory not empty$"):
        clear_image_id(str(tmp_path / "folder"))
    remove_old(str(tmp_path / "nothing"))
