"""The completion scripts of completions/, and the copy in the package that `docker completion SHELL` prints."""

from __future__ import annotations

from pathlib import Path

import jinja2

TEMPLATES = Path(__file__).resolve().parent / "templates"
PROGRAMS = ("docker", "docker-compose", "hyperbox")
# shell -> where its script lies below completions/
SHELLS = {"bash": "docker.bash", "zsh": "_docker", "fish": "docker.fish", "powershell": "docker.ps1"}


def completion_scripts() -> dict[str, str]:
    """Return path -> content of every completion script."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, comment_start_string="<#", comment_end_string="#>"
    )
    found = {}
    for shell, name in SHELLS.items():
        template = environment.from_string((TEMPLATES / shell).read_text())
        script = template.render(programs=PROGRAMS).rstrip() + "\n"
        found[f"completions/{name}"] = script
        found[f"hyperbox/grammar/completions/{shell}"] = script
    return found
