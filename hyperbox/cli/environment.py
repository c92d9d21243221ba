"""`hyperbox env`: the project's address and ports as variables, for a shell, a program or an env file."""

from __future__ import annotations

import json
import shlex

import click

from hyperbox.cli import project_view
from hyperbox.cli.compose_project import load_project, settled
from hyperbox.grammar.parse import Invocation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

HELP = """Print HYPERBOX_PROJECT, HYPERBOX_HOST, HYPERBOX_ADDRESS and HYPERBOX_PORT_<SERVICE>_<PORT> of the project in this folder.

The ports are the project's from then on, whether it is up or not:  eval "$(hyperbox env)"  (fish: hyperbox env | source)
"""


def shell_lines(found: Mapping[str, str]) -> str:
    """Return lines for `eval` in a POSIX shell or fish, which makes one line of them: hence the semicolons. Pure."""
    return "".join(f"export {name}={shlex.quote(value)};\n" for name, value in found.items())


def dotenv_lines(found: Mapping[str, str]) -> str:
    """Return lines for an env file. Pure."""
    return "".join(f"{name}={value}\n" for name, value in found.items())


@click.command(name="env", help=HELP)
@click.option("--shell", "form", flag_value="shell", default=True, help="Lines for a POSIX shell (the default).")
@click.option("--json", "form", flag_value="json", help="One JSON object.")
@click.option("--dotenv", "form", flag_value="dotenv", help="Lines for an env file.")
@click.option("--file", "-f", multiple=True, metavar="FILE", help="Compose files, as for `compose`.")
@click.option("--project-name", "-p", default="", metavar="NAME", help="The project's name, as for `compose`.")
@click.option("--project-directory", default="", metavar="FOLDER", help="The project's folder, as for `compose`.")
@click.option("--env-file", multiple=True, metavar="FILE", help="Env files, as for `compose`.")
@click.option("--profile", multiple=True, metavar="NAME", help="Profiles, as for `compose`.")
def env(
    form: str,
    file: tuple[str, ...],
    project_name: str,
    project_directory: str,
    env_file: tuple[str, ...],
    profile: tuple[str, ...],
) -> None:
    """Settle the project's ports where they are not yet, and print the variables."""
    invocation = Invocation("hyperbox", "hyperbox env", "env", ())
    invocation.globals = {
        "file": list(file),
        "project-name": project_name,
        "project-directory": project_directory,
        "env-file": list(env_file),
        "profile": list(profile),
    }
    place = settled(load_project(invocation), invocation)
    found = project_view.variables(project_view.required(place.identity.id))
    if form == "json":
        click.echo(json.dumps(found, indent=2))
    else:
        click.echo(shell_lines(found) if form == "shell" else dotenv_lines(found), nl=False)
