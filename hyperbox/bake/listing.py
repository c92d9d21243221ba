"""What --list shows: targets and groups, or variables, as a table (rows of fields between tabs) or for JSON."""

from __future__ import annotations

from hyperbox.bake.definition import Config
from hyperbox.bake.model import Group, Target


def _entries(config: Config) -> list[Target | Group]:
    entries: list[Target | Group] = [*config.targets, *config.groups]
    return [each for each in sorted(entries, key=lambda each: each.name) if not each.name.startswith("_")]


def _description(entry: Target | Group) -> str:
    if isinstance(entry, Target):
        return entry.text("description") or ""
    names = ", ".join(sorted(entry.targets))
    return f"{entry.description} ({names})" if entry.description and names else entry.description or names


def table_of_targets(config: Config) -> str:
    rows = [("TARGET", "DESCRIPTION"), *((each.name, _description(each)) for each in _entries(config))]
    return "".join("\t".join(row) + "\n" for row in rows)


def targets_json(config: Config) -> object:
    found: list[dict[str, object]] = []
    for each in _entries(config):
        row: dict[str, object] = {"name": each.name}
        if description := _description(each):
            row["description"] = description
        if isinstance(each, Group):
            row["group"] = True
        found.append(row)
    return found or None


def table_of_variables(config: Config) -> str:
    rows = [("VARIABLE", "TYPE", "VALUE", "DESCRIPTION")]
    for each in sorted(config.variables):
        rows.append((each.name, each.type, "<null>" if each.value is None else each.value, each.description))
    return "".join("\t".join(row) + "\n" for row in rows)


def variables_json(config: Config) -> object:
    found: list[dict[str, object]] = []
    for each in sorted(config.variables, key=lambda each: each.name):
        row: dict[str, object] = {"name": each.name}
        row |= {"description": each.description} if each.description else {}
        row |= {"type": each.type} if each.type else {}
        row |= {} if each.value is None else {"value": each.value}
        found.append(row)
    return found
