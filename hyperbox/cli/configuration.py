"""`hyperbox config`: HyperBox's settings, shown with where they are from, changed, checked against their published schema."""

from __future__ import annotations

import json
import os
import tomllib

import click

from hyperbox import files
from hyperbox.cli import settings
from hyperbox.cli.settings_schema import keys_markdown, schema, with_value
from hyperbox.errors import HyperBoxError


@click.group(name="config", invoke_without_command=True, help="Look at HyperBox's settings and change them.")
@click.pass_context
def config(context: click.Context) -> None:
    """Show all settings where no command is given."""
    if context.invoked_subcommand is None:
        context.invoke(show)


def find_key(name: str) -> settings.Key:
    """Return a key of the table. Raises HyperBoxError."""
    for key in settings.KEYS:
        if key.name == name:
            return key
    raise HyperBoxError(f'unknown key "{name}"', hint="`hyperbox config keys` lists them")


@config.command(name="show", help="Print the settings, or those that are named, and where each is from.")
@click.argument("names", nargs=-1, metavar="[KEY]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(names: tuple[str, ...] = (), as_json: bool = False) -> None:
    """Print KEY = VALUE lines in TOML's spelling; a setting that has none is left out."""
    found = settings.read()
    chosen = [find_key(name).name for name in names] or list(found)
    if as_json:
        click.echo(
            json.dumps({name: {"value": found[name].value, "from": found[name].origin} for name in chosen}, indent=2)
        )
        return
    for name in chosen:
        if found[name].value is not None:
            click.echo(f"{name} = {settings.shown(found[name].value)}  # {found[name].origin}")


@config.command(name="get", help="Print the value of one setting.")
@click.argument("name", metavar="KEY")
def get(name: str) -> None:
    """Print a text bare, anything else as JSON; nothing where it is not set."""
    value = settings.read()[find_key(name).name].value
    if value is not None:
        click.echo(value if isinstance(value, str) else json.dumps(value))


def target(system: bool) -> str:
    """Return the file that is changed: the user's, or the system's."""
    found = settings.paths(os.environ)
    return found[0] if system else found[-1]


def change(path: str, name: str, value: object) -> None:
    """Write a value (None: none) into a file. Raises HyperBoxError; the file stays as it was then."""
    try:
        text = files.read_text(path)
    except FileNotFoundError:
        text = ""
    except (OSError, ValueError) as error:
        raise HyperBoxError(f"{path}: {error.strerror if isinstance(error, OSError) else error}") from None
    key = find_key(name)
    if key.kind == "io":
        raise HyperBoxError(f"{name} is a table: write it into {path} by hand")
    if value is not None:
        settings.checked(key, value, name)
    new = with_value(text, name, value)
    try:
        tomllib.loads(new)
    except tomllib.TOMLDecodeError as error:
        raise HyperBoxError(f"{path}: {error}", hint="mend it by hand") from None
    why = refusal({path: new})
    if why and not refusal({path: text}):  # one that is wrong already is mended key by key
        raise HyperBoxError(f"{name}: {why}")
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        files.write_atomic(os.path.realpath(path), new, mode=0o644, durable=True)
    except OSError as error:
        raise HyperBoxError(f"{path}: {error.strerror}") from None


def refusal(texts: dict[str, str]) -> str:
    """Return why the settings can't be read with these texts in the place of files, or ""."""
    try:
        settings.read(instead=texts)
    except HyperBoxError as error:
        return error.message
    return ""


@config.command(name="set", help="Set KEY in the user's file.")
@click.argument("name", metavar="KEY")
@click.argument("value")
@click.option("--system", is_flag=True, help="In the system's file.")
def set_value(name: str, value: str, system: bool) -> None:
    """Check the value first; comments and all other lines of the file stay."""
    change(target(system), name, settings.from_text(find_key(name), value))


@config.command(name="unset", help="Take KEY out of the user's file.")
@click.argument("name", metavar="KEY")
@click.option("--system", is_flag=True, help="Out of the system's file.")
def unset(name: str, system: bool) -> None:
    """Do nothing where it is not there."""
    if os.path.exists(target(system)):
        change(target(system), name, None)


@config.command(name="keys", help="Describe every key.")
@click.option("--markdown", is_flag=True, help="As a table in Markdown.")
def keys(markdown: bool) -> None:
    """Print name, default, environment variable and meaning."""
    if markdown:
        click.echo(keys_markdown(), nl=False)
        return
    for key in settings.KEYS:
        default = "" if key.default is None else f" (default {settings.shown(key.default)})"
        click.echo(f"{key.name}{default}\n    {key.help}" + (f"\n    {key.variable}" if key.variable else ""))


@config.command(name="schema", help="Print the JSON schema of config.toml.")
def show_schema() -> None:
    """Print what docs/config.schema.json holds."""
    click.echo(json.dumps(schema(), indent=2))


@config.command(name="check", help="Check files against the schema; without FILE those that are read.")
@click.argument("paths", nargs=-1, metavar="[FILE]...", type=click.Path(exists=True, dir_okay=False))
def check(paths: tuple[str, ...]) -> None:
    """Print each file that is right; tell the first mistake of the others and fail."""
    wrong = 0
    for path in paths or [each for each in settings.paths(os.environ) if os.path.exists(each)]:
        message = mistake(path)
        click.echo(f"{path}: {message}" if message else path, err=bool(message))
        wrong += bool(message)
    if wrong:
        raise SystemExit(1)


def mistake(path: str) -> str:
    """Return what is wrong with a file, or ""."""
    import jsonschema

    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return str(error)
    found = sorted(jsonschema.Draft202012Validator(schema()).iter_errors(document), key=lambda each: list(each.path))
    for each in found:
        return f"{'.'.join(map(str, each.path))}: {each.message}" if each.path else each.message
    return ""


@config.command(name="path", help="Print the files that are read, the later one above the earlier.")
def show_paths() -> None:
    """Print them whether they are there or not."""
    click.echo("".join(f"{path}\n" for path in settings.paths(os.environ)), nl=False)
