"""A project as YAML and as JSON, the bytes that docker compose shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from hyperbox.compose import go, kinds
from hyperbox.compose.fields import PROJECT, SERVICE, Field, Struct
from hyperbox.compose.json_text import to_json
from hyperbox.compose.model import EXTENSIONS, Json, Project
from hyperbox.compose.tree import Rules
from hyperbox.compose.unique import KEYS, KeyOf

Form = Literal["yaml", "json"]
SortKey = Callable[[str], object]


def project_to_yaml(project: Project) -> str:
    """Return `docker compose config`'s text, before `$` is doubled."""
    from hyperbox.compose.yaml_text import to_yaml

    return to_yaml(_shape(_plain(project, "yaml"), PROJECT, "yaml"))


def project_to_json(project: Project) -> str:
    """Return `docker compose config --format json`'s text, before `$` is doubled."""
    shaped = _shape(_plain(project, "json"), PROJECT, "json")
    shaped.pop("models", None)
    shaped.update((key, _sorted(_without_empty_lists(value), str)) for key, value in project.extensions.items())
    return to_json({key: shaped[key] for key in sorted(shaped)}, indent="  ")


def service_to_json(service: Json) -> str:
    """Return the compact JSON of one service, as its hash is made of."""
    return to_json(_shape(service, SERVICE, "json"))


def part_to_json(part: Json, struct: Struct) -> str:
    """Return the compact JSON of one part."""
    return to_json(_shape(part, struct, "json"))


def _order(form: Form) -> SortKey:
    """Return the order of a mapping's keys; `up` hashes by JSON alone and is spared the module of YAML."""
    if form == "json":
        return str
    from hyperbox.compose.yaml_text import natural_key

    return natural_key


def _plain(project: Project, form: Form) -> Json:
    result: Json = {"name": project.name or None, "services": project.services, "networks": project.networks}
    result |= {"volumes": project.volumes, "models": project.models}
    result["secrets"] = {key: _without_content(secret) for key, secret in project.secrets.items()}
    result["configs"] = {
        key: _without_content(config) if config.get("environment") else config
        for key, config in project.configs.items()
    }
    if form == "yaml" and project.extensions:
        result[EXTENSIONS] = project.extensions
    return result


def _without_content(part: Json) -> Json:
    """What came from the environment is not shown."""
    return {key: value for key, value in part.items() if key != "content"}


def _shape(part: Json, struct: Struct, form: Form) -> Json:
    """Return what one format shows of a canonical part, in order."""
    yaml = form == "yaml"
    result: Json = {}
    for field in struct.fields:
        key = field.key if yaml else field.json_key or field.key
        value = part.get(field.key)
        if value is None:
            if field.always[not yaml]:
                result[key] = _zero(field, form)
        elif field.part is not None:
            result_value = _shape_parts(value, field, form)
            if result_value or field.nullable or field.always[not yaml]:
                result[key] = result_value
        elif field.kind is not None:
            show = field.kind.to_yaml if yaml else field.kind.to_json
            shown = show(value) if show else value
            result[key] = _by_key(shown, _order(form)) if field.kind.sort else shown
    extensions = part.get(EXTENSIONS)
    if yaml and isinstance(extensions, dict):
        result.update(_sorted_mapping(extensions, _order(form)))
    return result


def _shape_parts(value: object, field: Field, form: Form) -> object:
    struct = field.part
    assert struct is not None
    if field.key == "env_file":
        return _env_files(value, form)
    if isinstance(value, list):
        return [_shape(item, struct, form) for item in value]
    assert isinstance(value, dict)
    if field.shape == "map":
        key_of = _order(form)
        return {
            key: None if value[key] is None else _shape(value[key], struct, form)
            for key in sorted(value, key=key_of)  # type: ignore[arg-type]
        }
    return _shape(value, struct, form)


def _env_files(value: object, form: Form) -> object:
    """A required file is shown by its path alone."""
    shown: list[object] = []
    for entry in value if isinstance(value, list) else ():
        if entry.get("required"):
            shown.append(entry.get("path", ""))
        elif form == "yaml":
            shown.append({"path": entry.get("path", ""), "required": False})
        else:
            shown.append(
                {"path": entry.get("path", ""), "required": False, **{k: entry[k] for k in ("format",) if k in entry}}
            )
    return shown


def _zero(field: Field, form: Form) -> object:
    """Return the zero value of an attribute that is always shown."""
    if field.part is not None:
        return {} if field.shape == "map" else _shape({}, field.part, form)
    assert field.kind is not None
    zeros: dict[int, object] = {
        id(kinds.TEXT): "",
        id(kinds.BOOLEAN): False,
        id(kinds.INTEGER): 0,
        id(kinds.UNSIGNED16): 0,
        id(kinds.BYTES): "0",
    }
    return zeros.get(id(field.kind))


def _by_key(value: object, key_of: SortKey) -> object:
    """Return a mapping sorted at its own level."""
    assert isinstance(value, dict)
    return {key: value[key] for key in sorted(value, key=key_of)}  # type: ignore[arg-type]


def _sorted(value: object, key_of: SortKey) -> object:
    """Return plain data with its mappings sorted."""
    if isinstance(value, dict):
        return _sorted_mapping(value, key_of)
    if isinstance(value, list):
        return [_sorted(item, key_of) for item in value]
    return value


def _sorted_mapping(value: Json, key_of: SortKey) -> Json:
    return {key: _sorted(value[key], key_of) for key in sorted(value, key=key_of)}  # type: ignore[arg-type]


def model_to_yaml(model: Json) -> str:
    """Return the YAML of a document that is not decoded (`--no-interpolate`)."""
    from hyperbox.compose.yaml_text import to_yaml

    return to_yaml(_sorted_mapping(model, _order("yaml")))


def model_to_json(model: Json) -> str:
    """Return the JSON of a document that is not decoded."""
    return to_json(_sorted(_without_empty_lists(model, KEYS), str), indent="  ")


def _without_empty_lists(value: object, unique: Rules[KeyOf] | None = None) -> object:
    """Return plain data with null for lists that are empty (nil slices in Go), but for those that went through unicity."""
    if isinstance(value, dict):
        return {key: _without_empty_lists(item, unique.below(key) if unique else None) for key, item in value.items()}
    if isinstance(value, list):
        if not value and (unique is None or unique.rule is None or isinstance(value, go.Nil)):
            return None
        return [_without_empty_lists(item, unique.below("[]") if unique else None) for item in value]
    return value
