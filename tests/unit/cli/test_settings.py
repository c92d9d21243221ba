"""Settings: files under one another, the environment above them, and errors that name what is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hyperbox.cli import settings
from hyperbox.errors import HyperBoxError


def environment(tmp_path: Path, system: str = "", user: str = "", **variables: str) -> dict[str, str]:
    for folder, text in (("system", system), ("user", user)):
        (tmp_path / folder / "hyperbox").mkdir(parents=True)
        (tmp_path / folder / "hyperbox" / "config.toml").write_text(text)
    return {"XDG_CONFIG_DIRS": f"{tmp_path}/system", "XDG_CONFIG_HOME": f"{tmp_path}/user", **variables}


def source(found: dict[str, settings.Source], name: str) -> tuple[object, str]:
    return found[name].value, found[name].origin


def test_without_files_the_defaults_hold() -> None:
    found = settings.read({"XDG_CONFIG_DIRS": "/nowhere", "XDG_CONFIG_HOME": "/nowhere"})
    assert {name: source.value for name, source in found.items()} == {key.name: key.default for key in settings.KEYS}


def test_the_users_file_is_above_the_systems_and_the_environment_above_both(tmp_path: Path) -> None:
    found = settings.read(
        environment(
            tmp_path,
            '[ports]\npolicy = "range"\nfirst = 20000\nsize = 100\n[budget]\nmemory = "1.5g"\n',
            "[ports]\nfirst = 21000\n[hosts]\nwrite = false\n",
            HYPERBOX_PORTS_SIZE="50",
            HYPERBOX_BUDGET_CPUS="1.5",
        )
    )
    assert source(found, "ports.policy") == ("range", f"{tmp_path}/system/hyperbox/config.toml")
    assert source(found, "ports.first") == (21000, f"{tmp_path}/user/hyperbox/config.toml")
    assert source(found, "ports.size") == (50, "HYPERBOX_PORTS_SIZE")
    assert (found["hosts.write"].value, found["budget.memory"].value) == (False, 3 << 29)
    assert found["budget.cpus"].value == 1.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[ports]\npolicy = "loose"\n', 'ports.policy: "loose" is not one of auto, range, strict'),
        ("[ports]\nfirst = 70000\n", "ports.first: 70000 is not a whole number from 1 to 65535"),
        ("[ports]\nfirst = true\n", "ports.first: true is not a whole number"),
        ("[ports]\nfrist = 1\n", 'unknown key "ports.frist"'),
        ("policy = 1\n", 'unknown key "policy"'),
        ("[hosts]\nwrite = 1\n", "hosts.write: 1 is not true or false"),
        ('[budget]\nmemory = "much"\n', 'budget.memory: "much" is not a size'),
        ('[networks]\npool = "10.89.0.1/16"\n', 'networks.pool: "10.89.0.1/16" is not an IPv4 network'),
        ('[budget.io]\nsda = {rbps = 1}\n', 'budget.io: "sda" is not a device'),
        ('[budget.io."8:0"]\nspeed = 1\n', 'budget.io."8:0": unknown key "speed"'),
        ("[ports\n", "config.toml: "),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_with_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(HyperBoxError) as raised:
        settings.read(environment(tmp_path, user=text))
    assert f"{tmp_path}/user/hyperbox/config.toml" in raised.value.message
    assert message in raised.value.message


def test_a_wrong_variable_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(HyperBoxError, match='HYPERBOX_PORTS_FIRST: "x" is not a whole number'):
        settings.read(environment(tmp_path, HYPERBOX_PORTS_FIRST="x"))


def test_the_files_are_where_platformdirs_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("the paths are platformdirs' own there")
    import platformdirs

    for name in ("XDG_CONFIG_DIRS", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    folders = [platformdirs.site_config_dir("hyperbox"), platformdirs.user_config_dir("hyperbox")]
    assert settings.paths({"HOME": "/home/somebody"}) == [f"{folder}/config.toml" for folder in folders]


def test_a_budget_of_a_compose_file_has_the_same_forms() -> None:
    found = settings.budget({"cpus": "0.5", "memory": "512m", "io": {"/dev/vda": {"rbps": "10m"}}}, "x-hyperbox")
    assert found == {"cpus": 0.5, "memory": 512 << 20, "io": {"/dev/vda": {"rbps": 10 << 20}}}
    with pytest.raises(HyperBoxError, match='x-hyperbox: unknown key "memroy"'):
        settings.budget({"memroy": 1}, "x-hyperbox")
