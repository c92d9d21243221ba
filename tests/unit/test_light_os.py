"""The module that stands in for `os` on hot paths, each time in a fresh interpreter that has not loaded `os` yet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hyperbox import light_os

SOURCE = Path(light_os.__file__)


def started(program: str, **variables: str) -> str:
    """Return what a program prints after `light_os.install`."""
    begin = (
        f"import sys, _io\ncode = _io.open_code({str(SOURCE)!r}).read()\nlight = type(sys)('light')\n"
        "exec(code, light.__dict__)\nlight.install()\nimport os\n"
    )
    done = subprocess.run(
        [sys.executable, "-IS", "-c", begin + program], env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_hot_names_load_nothing_more() -> None:
    program = (
        "os.open, os.environ, os.path.join, os.makedirs, os.fsencode, os.O_CLOEXEC, os._exit\n"
        "print(type(os).__name__, '_collections_abc' in sys.modules)"
    )
    assert started(program) == "LightOs False"


@pytest.mark.parametrize("name", ["walk", "PathLike", "getenv", "environb", "__file__"])
def test_any_other_name_makes_it_whole(name: str) -> None:
    program = (
        f"light, value = os, os.{name}\nimport os as whole\n"
        f"print(whole is not light, whole.{name} == value, light.environ is whole.environ, type(whole).__name__)"
    )
    assert started(program) == "True True True module"


def test_a_name_that_os_has_not_is_an_attribute_error() -> None:
    assert started("print(hasattr(os, 'no_such_name'), hasattr(os, 'neither'))") == "False False"


def test_it_has_no_public_name_that_os_has_not() -> None:
    program = (
        "names = {name for name in vars(os) if not name.startswith('_')}\nvalues = dict(vars(os))\nos.walk\nimport os as whole\n"
        "print(names - set(vars(whole)), [name for name in names if not callable(values[name]) and name != 'environ'"
        " and values[name] != getattr(whole, name)])"
    )
    assert started(program) == "set() []"


def test_the_environment_is_read_and_changed() -> None:
    program = (
        "held = os.environ\nprint(held['A'], held.get('NO'), 'A' in held, sorted(held) == sorted(dict(held)))\n"
        "held['A'] = 'two'; held.pop('B')\n"
        "import os as whole\nprint(held['A'], whole.environ['A'], 'B' in held, 'B' in whole.environ)\n"
        "print(whole.system('exit ${#A}') >> 8)"
    )
    assert started(program, A="one", B="x") == "one None True True\ntwo two False False\n3"


def test_paths_and_folders_are_as_with_os(tmp_path: Path) -> None:
    program = f"""
print(os.fsencode("\\udcff/x"), ascii(os.fsdecode(b"\\xff")), os.fsencode(b"y"))
os.makedirs({str(tmp_path)!r} + "/a/b/c", 0o700)
os.makedirs({str(tmp_path)!r} + "/a/b/c", exist_ok=True)
for path in ("/a/b/c", "/file/x", "/file"):
    try:
        os.makedirs({str(tmp_path)!r} + path, exist_ok=path == "/file")
    except OSError as error:
        print(type(error).__name__)
print(type(os).__name__)
"""
    (tmp_path / "file").touch()
    assert (
        started(program) == "b'\\xff/x' '\\udcff' b'y'\nFileExistsError\nNotADirectoryError\nFileExistsError\nLightOs"
    )
    assert (tmp_path / "a/b/c").stat().st_mode & 0o777 == 0o700


def test_it_stays_away_where_os_is_there_already() -> None:
    before = sys.modules["os"]
    light_os.install()
    assert sys.modules["os"] is before
