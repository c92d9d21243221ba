"""Which project a name and a folder mean.

A project is a name and a real folder. The first folder that uses a name has it as its id; the same name from another folder gets a
readable suffix of its own, which stays with that folder. A name given on purpose (`-p`, COMPOSE_PROJECT_NAME) is an id and means exactly
what it says, from any folder.

    DATA/projects/lock            held while a project is recorded, ports are assigned, or a project is removed
    DATA/projects/ID.json         {"Id", "Name", "Folder", "Number", "Created", "Explicit", "Leases", "Ports", "Policy", "Names", "Limit" …};
                                  "Number" is unique and never changes: the project's address is made from it; "Leases", "Ports" and
                                  "Policy" are `ports`'s, "Names" is `names`'s, "Subnets" `subnets`'s, "Limit" the budget of
                                  `hyperbox project limit`, "Declared" and "Services" what the files said last
    DATA/projects/index           what the records were lately, see `read_all`

`resolve(folder_of_projects, name, directory, explicit=…)` records the project; `find` and `predict` only look; `enrolment.enrol` records it
together with its names and ports. All take DATA/projects as a plain path. Records are written by rename under the lock, so a kill leaves
the old one or the new one.
"""

from __future__ import annotations

import os

from hyperbox import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, object]


class Identity:
    """A recorded project: its id (the name that everything of it carries), plain name, real folder, and number."""

    __slots__ = ("folder", "id", "name", "number")

    def __init__(self, identifier: str, name: str, folder: str, number: int) -> None:
        self.id = identifier
        self.name = name
        self.folder = folder
        self.number = number

    @property
    def exists(self) -> bool:
        """Whether its folder is still there: a moved or deleted one is told by `project ls`."""
        return os.path.isdir(self.folder)


def lock(projects: str) -> files.Lock:
    """Return the lock of all records."""
    os.makedirs(projects, 0o711, exist_ok=True)
    return files.Lock(f"{projects}/lock")


def read(projects: str, identifier: str) -> Json | None:
    """Return a project's record, or None; a file that is none (`broken`) is as good as not there."""
    if not identifier or "/" in identifier or identifier.startswith("."):
        return None
    try:
        record = files.read_json(f"{projects}/{identifier}.json")
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and _is_record(record, identifier) else None


def _is_record(record: Json, identifier: str) -> bool:
    number, leases, ports, names = (record.get(key) for key in ("Number", "Leases", "Ports", "Names"))
    return (
        record.get("Id") == identifier
        and all(isinstance(record.get(key), str) for key in ("Name", "Folder", "Created"))
        and isinstance(record.get("Explicit"), bool)
        and isinstance(number, int)
        and number > 0
        and isinstance(leases, list)
        and all(isinstance(each, list) and [type(part) for part in each] == [int, int] for each in leases)
        and isinstance(ports, dict)
        and all(isinstance(port, int) and key.count("/") >= 4 for key, port in ports.items())
        and isinstance(names, dict)
    )


def broken(projects: str) -> list[str]:
    """Return the paths of files that should be records and are none."""
    try:
        names = sorted(name for name in os.listdir(projects) if name.endswith(".json"))
    except FileNotFoundError:
        return []
    return [f"{projects}/{name}" for name in names if read(projects, name[:-5]) is None]


STALE = 8  # so many records may differ from the index before it is written anew


def read_all(projects: str) -> list[Json]:
    """Return the records of all projects, by id.

    Opening hundreds of files costs more than all the rest of an enrolment, so the index keeps {file: [inode, size, time of change, record]}:
    a record whose file is still that one is taken from there. It is written whenever it has fallen behind; one that is missing, broken or old
    costs time and nothing else.
    """
    try:
        with os.scandir(projects) as entries:
            found = {entry.name: _signature(entry) for entry in entries if entry.name.endswith(".json")}
    except FileNotFoundError:
        return []
    index = _read_index(projects)
    kept = {name: index[name] for name, signature in found.items() if name in index and index[name][:3] == signature}
    behind = len(index) - len(kept)
    for name, signature in found.items():
        if name not in kept and (record := read(projects, name[:-5])) is not None:
            kept[name] = [*signature, record]
            behind += 1
    if behind > STALE:
        try:
            files.write_json(f"{projects}/index", kept)
        except OSError:  # a full disk, or somebody who may only read: it is but an index
            pass
    return [row[3] for _, row in sorted(kept.items(), key=lambda each: each[0][:-5])]


def _signature(entry: os.DirEntry[str]) -> list[int]:
    """Return what tells one version of a record's file from the next; all zeros where it was removed meanwhile."""
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return [0, 0, 0]
    return [status.st_ino, status.st_size, status.st_mtime_ns]


def _read_index(projects: str) -> dict[str, list[Any]]:
    try:
        index = files.read_json(f"{projects}/index")
    except (OSError, ValueError):
        return {}
    rows = index.items() if isinstance(index, dict) else ()
    return {name: row for name, row in rows if isinstance(row, list) and len(row) == 4 and isinstance(row[3], dict)}


def write(projects: str, record: Json) -> None:
    """Replace a project's record; the caller holds the lock."""
    files.sweep_temporaries(projects)
    files.write_json(f"{projects}/{record['Id']}.json", record, durable=True)


def record_to_identity(record: Json) -> Identity:
    """Return what a record says of its project."""
    number = record["Number"]
    assert isinstance(number, int)
    return Identity(str(record["Id"]), str(record["Name"]), str(record["Folder"]), number)


def real_folder(directory: str) -> str:
    """Return a folder without symbolic links; a git worktree is a folder of its own and stays so."""
    return os.path.realpath(directory)


def slug(text: str) -> str:
    """Return text as a part of a project's name: lower case, digits, `-` and `_`."""
    lower = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "-" for letter in text.lower()
    )
    return lower.strip("-_")


def suffixes(name: str, folder: str) -> list[str]:
    """Return the suffixes to try for a folder, the most telling first: its own name, its parents' names."""
    found = []
    parts = [slug(part) for part in folder.split("/") if part]
    for part in reversed(parts[-4:]):
        if part and part != name and part not in found:
            found.append(part[:24].strip("-_"))
    return found or ["other"]


def choose_id(name: str, folder: str, taken: set[str]) -> str:
    """Return the id of a project that is new: its name where that is free, else with a suffix. Pure."""
    if name not in taken:
        return name
    telling = suffixes(name, folder)
    for suffix in telling:
        if f"{name}-{suffix}" not in taken:
            return f"{name}-{suffix}"
    count = 2
    while f"{name}-{telling[0]}-{count}" in taken:
        count += 1
    return f"{name}-{telling[0]}-{count}"


def means(record: Json, name: str, folder: str) -> bool:
    """Return whether a record is the project that a name and a real folder mean, the name not being given on purpose."""
    return record["Name"] == name and record["Folder"] == folder and not (record["Explicit"] and record["Id"] != name)


def find_record(records: list[Json], name: str, directory: str, *, explicit: bool) -> Json | None:
    """Return the record of the project that a name and a folder mean, or None. Pure but for resolving the folder's links."""
    if explicit:
        return next((record for record in records if record["Id"] == name), None)
    folder = real_folder(directory)
    return next((record for record in records if means(record, name, folder)), None)


def find(projects: str, name: str, directory: str, *, explicit: bool) -> Identity | None:
    """Return the project that a name and a folder mean, or None where it was never recorded."""
    record = read(projects, name)  # most projects have their plain name as id: the others need not be read
    if record is None or not (explicit or means(record, name, real_folder(directory))):
        record = None if explicit else find_record(read_all(projects), name, directory, explicit=False)
    return None if record is None else record_to_identity(record)


def predict(projects: str, name: str, directory: str, *, explicit: bool) -> str:
    """Return the id of the project that a name and a folder mean, or would get; records nothing."""
    found = find(projects, name, directory, explicit=explicit)
    return str(new_record(read_all(projects), name, directory, explicit=explicit)["Id"]) if found is None else found.id


def new_record(records: list[Json], name: str, directory: str, *, explicit: bool) -> Json:
    """Return the record of a project that is new among `records`; nothing is written."""
    import time

    folder = real_folder(directory)
    numbers = {record["Number"] for record in records}
    taken = {str(record["Id"]) for record in records}
    return {
        "Id": name if explicit else choose_id(name, folder, taken),
        "Name": name,
        "Folder": folder,
        "Number": next(number for number in range(1, len(numbers) + 2) if number not in numbers),
        "Created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "Explicit": explicit,
        "Leases": [],
        "Ports": {},
        "Policy": "",
        "Names": {},
        "Limit": {},
    }


def resolve(projects: str, name: str, directory: str, *, explicit: bool) -> Identity:
    """Return the project that a name and a folder mean, and record it where it is new. Atomic among all processes."""
    found = find(projects, name, directory, explicit=explicit)
    if found is not None:
        return found
    with lock(projects):
        records = read_all(projects)
        record = find_record(records, name, directory, explicit=explicit)
        if record is None:
            record = new_record(records, name, directory, explicit=explicit)
            write(projects, record)
        return record_to_identity(record)


def forget(projects: str, identifier: str) -> bool:
    """Remove a project's record, and with it its suffix, lease and address; returns whether there was one."""
    with lock(projects):
        if read(projects, identifier) is None:
            return False
        files.remove_tree(f"{projects}/{identifier}.json")
    return True


def adopt(projects: str, identifier: str, directory: str) -> Identity | None:
    """Tell a project that its folder has moved to `directory`; None where there is no such project."""
    with lock(projects):
        record = read(projects, identifier)
        if record is None:
            return None
        record["Folder"] = real_folder(directory)
        write(projects, record)
        return record_to_identity(record)


def change(projects: str, identifier: str, key: str, value: object) -> Json | None:
    """Set one field of a project's record and return the record; None where there is no such project."""
    with lock(projects):
        record = read(projects, identifier)
        if record is not None and record.get(key) != value:
            record[key] = value
            write(projects, record)
        return record
