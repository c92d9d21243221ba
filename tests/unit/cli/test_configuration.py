"""`hyperbox config` against files and values that are wrong: each is told by its name, and the file stays as it was."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from hyperbox.cli import configuration, settings
from hyperbox.errors import HyperBoxError


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that is changed."""
    monkeypatch.setenv("HYPERBOX_CONFIG", str(tmp_path / "c.toml"))
    for key in settings.KEYS:
        monkeypatch.delenv(key.variable or "-", raising=False)
    return tmp_path / "c.toml"


def set_text(path: Path, name: str, text: str) -> None:
    configuration.change(str(path), name, settings.from_text(configuration.find_key(name), text))


@pytest.mark.parametrize(
    "value", ['a"b', "a\nx = 1\n[evil]", "a\\b", "größe\u2028", "tab\there", "'''", '"""', "a\x7fb"]
)
def test_any_text_comes_back_as_it_was_set_and_nothing_else_is_in_the_file(path: Path, value: str) -> None:
    set_text(path, "hosts.file", value)
    assert settings.read()["hosts.file"].value == value
    set_text(path, "hosts.file", value)
    assert tomllib.loads(path.read_text()) == {"hosts": {"file": value}}
    configuration.change(str(path), "hosts.file", None)
    assert tomllib.loads(path.read_text()) == {"hosts": {}}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ports.last", "9000", r"ports.last: ports.first \(10000\) is above ports.last \(9000\)"),
        ("networks.size", "12", r"networks.size: networks.size \(12\) is larger than networks.pool"),
        ("ports.policy", "loose", 'ports.policy: "loose" is not one of auto, range, strict'),
        ("ports.first", "abc", 'ports.first: "abc" is not a whole number from 1 to 65535'),
        ("ports.first", "99999999999999999999", "is not a whole number from 1 to 65535"),
        ("budget.cpus", "nan", "is not a number from 0.01 to 4096"),
        ("budget.memory", "12q", '"12q" is not a size'),
        ("budget.memory", "-1", '"-1" is not a size'),
        ("hosts.write", "maybe", '"maybe" is not true or false'),
        ("networks.pool", "10.89.0.1/16", "is not an IPv4 network"),
        ("budget.io", "x", "budget.io is a table: write it into"),
        ("a.b", "1", 'unknown key "a.b"'),
        ("", "1", 'unknown key ""'),
    ],
)
def test_a_value_that_cannot_hold_is_refused_and_the_file_stays(
    path: Path, name: str, value: str, message: str
) -> None:
    path.write_text("# mine\n[ports]\npolicy = 'range'\n")
    before = path.read_text()
    with pytest.raises(HyperBoxError, match=message):
        set_text(path, name, value)
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x = [1\n", "Unclosed array"),
        (b"\xff\xfe", "codec can't decode"),
        (b"ports = 3\n", 'unknown key "ports"'),
        (b"[ports]\nfirst = 99999999999999999999999\n", "is not a whole number"),
        (b"[ports]\nfirst = 20000\nlast = 10000\n", "is above ports.last"),
        (b"[[ports]]\nfirst = 1\n", 'unknown key "ports"'),
        (b"a" * 100, "Expected '='"),
    ],
)
def test_a_wrong_file_is_told_by_its_name(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(HyperBoxError, match=message) as caught:
        settings.read()
    assert str(path) in caught.value.message or "ports.last" in caught.value.message
    assert configuration.mistake(str(path)) or "above" in message


def test_a_wrong_file_can_be_mended_key_by_key(path: Path) -> None:
    path.write_text("[ports]\nfirst = 70000\npolicy = 'loose'\n")
    configuration.change(str(path), "ports.policy", "range")
    set_text(path, "ports.first", "12000")
    assert settings.read()["ports.first"].value == 12000


def test_what_is_no_file_is_told_without_a_traceback(path: Path, tmp_path: Path) -> None:
    path.mkdir()
    for action in (settings.read, lambda: set_text(path, "ports.policy", "range")):
        with pytest.raises(HyperBoxError, match="Is a directory"):
            action()
    path.rmdir()
    path.symlink_to(tmp_path / "nowhere" / "c.toml")
    with pytest.raises(HyperBoxError, match="No such file or directory"):
        set_text(path, "ports.policy", "range")
