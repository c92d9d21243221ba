"""The one file of all modules' code: found by imports, and set aside wherever a source has changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hyperbox import bundle, bundle_making

ROOT = Path(__file__).resolve().parents[2]


def package(folder: Path) -> Path:
    """Return a package with the bundle's loader and two modules of its own."""
    place = folder / "hyperbox"
    (place / "room").mkdir(parents=True)
    (place / "__init__.py").write_text('"""Package."""\n')
    (place / "room" / "__init__.py").write_text('"""Room."""\n')
    (place / "room" / "thing.py").write_text("from __future__ import annotations\nVALUE = 'bundled'\n")
    for name in ("bundle.py", "light_os.py"):
        (place / name).write_text((ROOT / "hyperbox" / name).read_text())
    return place


def value(place: Path) -> str:
    """Return what a fresh interpreter imports: what it found, and by which loader."""
    return started(
        place,
        "import hyperbox.room.thing as thing, __future__ as future\n"
        "print(thing.VALUE, type(thing.__loader__).__name__, type(future.__loader__).__name__, thing.__file__)",
    )


def started(place: Path, program: str) -> str:
    """Return what a program prints in a fresh interpreter that was started as bin/hyperbox starts one."""
    script = (ROOT / "bin" / "hyperbox").read_text().partition("if sys.flags.no_site:")[0]
    program = f"{script}\npackages = {str(place.parent)!r}\nsys.path.append(packages)\nload(packages)\n{program}"
    done = subprocess.run([sys.executable, "-IS", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_modules_come_from_the_bundle(tmp_path: Path) -> None:
    place = package(tmp_path)
    bundle_making.write(str(place))
    assert value(place) == f"bundled Finder Finder {place}/room/thing.py"


def test_a_changed_source_is_what_is_imported(tmp_path: Path) -> None:
    place = package(tmp_path)
    bundle_making.write(str(place))
    (place / "room" / "thing.py").write_text("VALUE = 'changed'\n")
    assert value(place).startswith("changed SourceFileLoader Finder ")


def test_a_bundle_of_another_interpreter_is_left_alone(tmp_path: Path) -> None:
    place = package(tmp_path)
    bundle_making.write(str(place))
    path = place / bundle.NAME
    path.write_bytes(b"\0\0\0\0" + path.read_bytes()[4:])
    assert value(place).startswith("bundled SourceFileLoader ")


def test_groups_name_modules_that_are_there() -> None:
    """A name that is none would be left out without a word."""
    there = {name for name, _, _ in bundle_making.sources(str(ROOT / "hyperbox"))}
    for group, (before, entries) in bundle_making.GROUPS.items():
        assert set(before) <= set(bundle_making.GROUPS), group
        assert set(entries) <= there, (group, set(entries) - there)


def test_a_group_has_each_module_after_what_it_imports() -> None:
    texts = {name: Path(path).read_text() for name, _, path in bundle_making.sources(str(ROOT / "hyperbox"))}
    for group, (before, _) in bundle_making.GROUPS.items():
        there = {name for each in before for name in bundle_making.members(each, texts)}
        there |= set(bundle.LOADER)
        for name in bundle_making.members(group, texts):
            needs = {each for each in bundle_making.imported(texts[name]) if each in texts}
            assert needs <= there, (group, name, needs - there)
            there.add(name)


def test_a_group_is_loaded_at_once_but_for_changed_sources(tmp_path: Path) -> None:
    place = package(tmp_path)
    (place / "room" / "other.py").write_text("VALUE = 'bundled'\n")
    bundle_making.GROUPS["test"] = ((), ("hyperbox.room.thing", "hyperbox.room.other"))
    try:
        bundle_making.write(str(place))
    finally:
        del bundle_making.GROUPS["test"]
    (place / "room" / "other.py").write_text("VALUE = 'changed'\n")
    program = (
        "sys.modules['hyperbox.bundle'].preload('test')\n"
        "print(sorted(name for name in sys.modules if name.startswith('hyperbox')))\n"
        "import hyperbox, hyperbox.room.other as other, hyperbox.room.thing as thing\n"
        "print(other.VALUE, thing.VALUE, thing.__spec__.parent, hyperbox.room.thing is thing, hyperbox.__path__)"
    )
    names = ["hyperbox", "hyperbox.bundle", "hyperbox.light_os", "hyperbox.room", "hyperbox.room.thing"]
    assert started(place, program) == f"{names}\nchanged bundled hyperbox.room True ['{place}']"


def test_a_large_group_lies_in_parts(tmp_path: Path) -> None:
    place = package(tmp_path)
    names = []
    for number in range(12):
        text = "\n".join(f"VALUE_{number}_{line} = 'text of {number} {line}'" for line in range(500))
        (place / "room" / f"m{number}.py").write_text(text + "\n")
        names.append(f"hyperbox.room.m{number}")
    bundle_making.GROUPS["test"] = ((), tuple(names))
    try:
        bundle_making.write(str(place))
    finally:
        del bundle_making.GROUPS["test"]
    program = (
        "finder = sys.meta_path[0]\nparts = finder.groups['test']\nfinder.preload('test')\n"
        "print(len(parts) > 1, max(length for _, length in parts) < 131072, len([n for n in sys.modules if '.room.m' in n]))\n"
        "import hyperbox.room.m7 as last; print(last.VALUE_7_499)"
    )
    assert started(place, program) == "True True 12\ntext of 7 499"


def test_lean_code_does_what_the_module_does() -> None:
    text = '''"""Module."""
from __future__ import annotations
TYPE_CHECKING = False
if TYPE_CHECKING:
    from nowhere import Thing
number: Thing = 1
declared: Thing
class Class:
    """Class."""
    field: Thing = 2
    other: Thing
    def method(self, value: Thing = 3, *more: Thing, word: Thing = 4, **rest: Thing) -> Thing:
        """Method."""
        found: Thing
        found: Thing = value + word
        return found
    async def later(self, value: Thing) -> Thing:
        """Later."""
        return value
class Empty:
    """Empty."""
    only: Thing
def function(value: Thing) -> Thing:
    """Function."""
'''
    names: dict[str, Any] = {}
    exec(bundle_making.lean_code(text, "lean.py"), names)
    made = names["Class"]()
    assert (names["number"], made.field, made.method(), made.method(1, 2, word=3), names["function"](1)) == (
        1,
        2,
        7,
        4,
        None,
    )
    assert "declared" not in names
    assert not made.method.__annotations__
    assert not made.later.__annotations__
    assert made.method.__doc__ is None
    assert "nowhere" not in bundle_making.lean_code(text, "lean.py").co_names
