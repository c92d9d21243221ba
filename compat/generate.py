#!/usr/bin/env python3
"""Makes the generated files from compat/*.json: `python -m compat.generate` writes them, `--check` tells whether they are up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from compat.completions import completion_scripts
from compat.help_tables import help_source
from compat.manual import manual_pages
from compat.states import readme_with_states, states_page
from compat.tables import tables_source

ROOT = Path(__file__).resolve().parents[1]


def generated() -> dict[str, str]:
    """Return every generated file: path from the repository's top -> content."""
    return {
        "hyperbox/grammar/tables.py": tables_source("docker"),
        "hyperbox/grammar/tables_compose.py": tables_source("compose"),
        "hyperbox/grammar/tables_help.py": help_source(),
        **completion_scripts(),
        "docs/compat.md": states_page(),
        "README.md": readme_with_states((ROOT / "README.md").read_text()),
        **manual_pages(),
    }


def outdated() -> list[str]:
    """Return the generated files that differ from what the sources give."""
    found = []
    for path, content in generated().items():
        file = ROOT / path
        if not file.exists() or file.read_text() != content:
            found.append(path)
    return found


def main(arguments: list[str]) -> int:
    """Write or check; returns the exit code."""
    stale = outdated()
    if arguments == ["--check"]:
        for path in stale:
            print(f"{path} is out of date; run python -m compat.generate", file=sys.stderr)
        return 1 if stale else 0
    contents = generated()
    for path in stale:
        file = ROOT / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(contents[path])
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
