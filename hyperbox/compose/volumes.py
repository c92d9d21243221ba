"""The short form of a service's volume: [SOURCE:]TARGET[:OPTIONS]."""

from __future__ import annotations

from hyperbox.errors import ComposeError

Json = dict[str, object]

_PROPAGATIONS = frozenset({"rprivate", "private", "rshared", "shared", "rslave", "slave"})
_LABELS = frozenset({"z", "Z"})


def parse_volume(spec: str) -> Json:
    """Return the long form. Raises ComposeError "invalid spec: …". `${…}` is kept whole, for files that are not interpolated."""
    if not spec:
        raise ComposeError("invalid empty volume spec")
    if len(spec.encode()) <= 2:
        return {"type": "volume", "target": spec}
    fields: Json = {}
    for section, last in _sections(spec):
        try:
            _put(fields, section, last)
        except ValueError as error:
            raise ComposeError(f"invalid spec: {spec}: {error}") from None
    source = fields.get("source", "")
    volume: Json = {"type": "bind" if is_path(str(source)) else "volume"}
    for key in ("source", "target", "read_only"):
        if fields.get(key):
            volume[key] = fields[key]
    if volume["type"] == "bind":
        bind = fields.get("bind")
        volume["bind"] = {**(bind if isinstance(bind, dict) else {}), "create_host_path": True}
        if "volume" in fields:
            volume["volume"] = fields["volume"]
    else:
        if "bind" in fields:
            volume["bind"] = fields["bind"]
        volume["volume"] = fields.get("volume", {})
    return volume


def _sections(spec: str) -> list[tuple[str, bool]]:
    """Split at colons, but not after a drive letter nor within `${…}`; with whether a section ends the specification.

    A character of value 0 ends it too, as in compose-go.
    """
    sections: list[tuple[str, bool]] = []
    section: list[str] = []
    nested = 0
    for index, character in enumerate(spec):
        if character == "$" and spec[index + 1 : index + 2] == "{":
            nested += 1
            section.append(character)
        elif character == "}" and nested:
            nested -= 1
            section.append(character)
        elif character not in ":\0" or nested or (len(section) == 1 and section[0].isalpha()):
            section.append(character)
        else:
            sections.append(("".join(section), character == "\0"))
            section = []
    sections.append(("".join(section), True))
    return sections


def _put(fields: Json, section: str, last: bool) -> None:
    if not section:
        raise ValueError("empty section between colons")
    if "source" not in fields and last:
        fields["target"] = section
    elif "source" not in fields:
        fields["source"] = section
    elif "target" not in fields:
        fields["target"] = section
    elif not last:
        raise ValueError("too many colons")
    else:
        _put_options(fields, section.split(","))


def _put_options(fields: Json, options: list[str]) -> None:
    bind: Json = {}
    for option in options:
        if option in ("ro", "rw"):
            fields["read_only"] = option == "ro"
        elif option == "nocopy":
            fields["volume"] = {"nocopy": True}
        elif option in _PROPAGATIONS:
            bind["propagation"] = option
        elif option in _LABELS:
            bind["selinux"] = option
    if bind:
        fields["bind"] = bind


def is_path(source: str) -> bool:
    """Return whether a volume's source is a path, and not the name of a volume."""
    if source[:1] in (".", "/", "~") and source:
        return True
    return source.startswith("\\\\") or (source[1:2] == ":" and source[0].isalpha())
