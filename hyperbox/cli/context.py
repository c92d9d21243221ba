"""`docker context`: ls, inspect, show, create, update, use, rm, export, import."""

from __future__ import annotations

import os
import sys

from hyperbox.cli import context_store as store
from hyperbox.cli.configuration_file import folder, load
from hyperbox.cli.output import go_json, truncate
from hyperbox.cli.output_list import Listing
from hyperbox.cli.output_list import show as show_list
from hyperbox.errors import HyperBoxError
from hyperbox.files import dumps
from hyperbox.go.text import FALSE, TRUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperbox.grammar.parse import Invocation

    Json = dict[str, object]

HEADERS = {
    "Name": "NAME",
    "Description": "DESCRIPTION",
    "DockerEndpoint": "DOCKER ENDPOINT",
    "Error": "ERROR",
    "Current": "",
}
ERROR_WIDTH = 45
BAD_ENDPOINT = "unable to create docker endpoint config: "
DEFAULT_DESCRIPTION = "Current DOCKER_HOST based configuration"
ENDPOINT_KEYS = ("from", "host", "ca", "cert", "key", "skip-tls-verify")
TLS_NAMES = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
IN_MEMORY = "<IN MEMORY>"


def _row(invocation: Invocation, name: str, current: str) -> Json:
    try:
        value = store.read(invocation, name)
    except HyperBoxError as error:
        return {
            "Name": name,
            "Current": name == current,
            "Description": "",
            "DockerEndpoint": "",
            "Error": error.message,
        }
    text = DEFAULT_DESCRIPTION if name == store.DEFAULT else store.description(value)
    return {
        "Name": name,
        "Current": name == current,
        "Description": text,
        "DockerEndpoint": store.host(value),
        "Error": "",
    }


def list_contexts(invocation: Invocation) -> int:
    """docker context ls"""
    current = store.current_name(invocation)
    known = sorted({store.DEFAULT, *store.names(invocation), current})
    quiet, template = bool(invocation.flags["quiet"]), str(invocation.flags["format"])
    is_table = not template or template.startswith("table")

    def name_of(row: Json) -> str:
        return f"{row['Name']} *" if template in ("", "table") and not quiet and row["Current"] else str(row["Name"])

    methods: dict[str, Callable[..., object]] = {key: (lambda row, key=key: row[key]) for key in HEADERS}
    methods["Name"] = name_of
    if is_table:
        methods["Error"] = lambda row: truncate(str(row["Error"]).replace("\n", " "), ERROR_WIDTH)
    listing = Listing(
        "*formatter.clientContextContext",
        methods,
        {key: text for key, text in HEADERS.items() if text},
        ("Name", "Description", "DockerEndpoint", "Error"),
        identity="Name",
        quiet_first=True,
    )
    rows = [_row(invocation, name, current) for name in known]
    show_list(listing, rows, template, quiet=quiet)
    if os.environ.get("DOCKER_HOST") and is_table and not quiet and current == store.DEFAULT:
        _warn_of_host(invocation, "Warning: DOCKER_HOST environment variable overrides the active context. ")
    return 0


def _warn_of_host(invocation: Invocation, text: str) -> None:
    if invocation.globals.get("context"):
        return
    sys.stdout.flush()
    sys.stderr.write(
        text + "To use a context, either set the global --context flag, or unset DOCKER_HOST environment variable.\n"
    )


def show(invocation: Invocation) -> int:
    """docker context show"""
    sys.stdout.write(store.current_name(invocation) + "\n")
    return 0


def inspect(invocation: Invocation) -> int:
    """docker context inspect"""
    from hyperbox.cli.inspect import Collector, Failed

    collector = Collector(str(invocation.flags["format"]))
    failures = []
    for name in invocation.arguments or [store.current_name(invocation)]:
        try:
            collector.add("context", _details(invocation, name))
        except HyperBoxError as error:
            failures.append(error.message)
        except Failed as error:
            failures.append(str(error))
    text = collector.text()
    if collector.found:
        words = [IN_MEMORY, *(store.description(value) for value in collector.found)]
        for word in words:  # what writes itself is escaped for HTML
            text = text.replace(f": {dumps(word)}", f": {go_json(word)}")
    sys.stdout.write(text)
    sys.stdout.flush()
    if failures:
        sys.stderr.write("\n".join(failures) + "\n")
    return 1 if failures else 0


def _details(invocation: Invocation, name: str) -> Json:
    value = store.read(invocation, name)
    tls = store.tls_folder(invocation, name)
    material: Json = {}
    if os.path.isdir(f"{tls}/docker"):
        material["docker"] = sorted(os.listdir(f"{tls}/docker"))
    in_memory = name == store.DEFAULT
    return {
        "Name": value.get("Name", name),
        "Metadata": value.get("Metadata") or {},
        "Endpoints": value.get("Endpoints") or {},
        "TLSMaterial": material,
        "Storage": {
            "MetadataPath": IN_MEMORY if in_memory else store.meta_folder(invocation, name),
            "TLSPath": IN_MEMORY if in_memory else tls,
        },
    }


def _endpoint(invocation: Invocation, given: object) -> tuple[Json, dict[str, str]]:
    """Return the docker endpoint that --docker describes, and its TLS files. Raises HyperBoxError."""
    options = {str(key): str(value) for key, value in given.items()} if isinstance(given, dict) else {}
    for key in options:
        if key not in ENDPOINT_KEYS:
            raise HyperBoxError(f"{BAD_ENDPOINT}unrecognized config key: {key}")
    if "from" in options:
        try:
            endpoints = store.read(invocation, options["from"]).get("Endpoints")
        except HyperBoxError as error:
            raise HyperBoxError(f"{BAD_ENDPOINT}{error.message}") from None
        docker = endpoints.get("docker") if isinstance(endpoints, dict) else None
        return (docker if isinstance(docker, dict) else {}), {}
    address = options.get("host", "")
    if address and "://" not in address:
        raise HyperBoxError(
            f"{BAD_ENDPOINT}unable to apply docker endpoint options: unable to parse docker host `{address}`"
        )
    asked = options.get("skip-tls-verify", "")
    if asked not in (*TRUE, *FALSE, ""):
        raise HyperBoxError(f'{BAD_ENDPOINT}skip-tls-verify: parsing "{asked}": invalid syntax')
    skip = asked in TRUE
    endpoint: Json = {"Host": address, "SkipTLSVerify": skip} if address else {"SkipTLSVerify": skip}
    files = {TLS_NAMES[key]: options[key] for key in TLS_NAMES if key in options}
    for path in files.values():
        if not os.path.exists(path):
            raise HyperBoxError(f"{BAD_ENDPOINT}open {path}: no such file or directory")
    return endpoint, files


def _write_tls(invocation: Invocation, name: str, files: dict[str, str]) -> None:
    from hyperbox.files import read_text, write_atomic

    if not files:
        return
    target = f"{store.tls_folder(invocation, name)}/docker"
    os.makedirs(target, mode=0o700, exist_ok=True)
    for file, source in files.items():
        write_atomic(f"{target}/{file}", read_text(source))


def create(invocation: Invocation) -> int:
    """docker context create NAME"""
    name = invocation.arguments[0]
    store.check_name(name)
    if store.exists(invocation, name):
        raise HyperBoxError(f'context "{name}" already exists')
    flags = invocation.flags
    origin = str(flags.get("from") or "")
    if origin and flags.get("docker"):
        raise HyperBoxError("cannot use --docker flag when --from is set")
    files: dict[str, str] = {}
    if origin or not flags.get("docker"):
        value = dict(store.read(invocation, origin or store.current_name(invocation)))
        if value.get("Name") == store.DEFAULT:
            value["Metadata"] = {"Description": DEFAULT_DESCRIPTION}
    else:
        endpoint, files = _endpoint(invocation, flags["docker"])
        value = {"Metadata": {}, "Endpoints": {"docker": endpoint}}
    value = {"Name": name, "Metadata": value.get("Metadata") or {}, "Endpoints": value.get("Endpoints") or {}}
    if flags["description"]:
        value["Metadata"] = {"Description": str(flags["description"])}
    _write_tls(invocation, name, files)
    store.write(invocation, value)
    sys.stdout.write(f"{name}\n")
    sys.stdout.flush()
    sys.stderr.write(f'Successfully created context "{name}"\n')
    return 0


def named(invocation: Invocation) -> str:
    """Return the context that a command is about. Raises HyperBoxError for an empty name."""
    name = invocation.arguments[0]
    if not name:
        raise HyperBoxError("context name cannot be empty")
    return name


def update(invocation: Invocation) -> int:
    """docker context update NAME"""
    name = named(invocation)
    if name == store.DEFAULT:
        raise HyperBoxError('"default" is a reserved context name')
    value = dict(store.read(invocation, name))
    if invocation.flags["description"]:
        value["Metadata"] = {"Description": str(invocation.flags["description"])}
    if invocation.flags.get("docker"):
        endpoint, files = _endpoint(invocation, invocation.flags["docker"])
        endpoints = value.get("Endpoints")
        value["Endpoints"] = {**(endpoints if isinstance(endpoints, dict) else {}), "docker": endpoint}
        _write_tls(invocation, name, files)
    store.write(invocation, value)
    sys.stdout.write(f"{name}\n")
    sys.stdout.flush()
    sys.stderr.write(f'Successfully updated context "{name}"\n')
    return 0


def _set_current(invocation: Invocation, name: str) -> None:
    from hyperbox.image.credentials import write_config

    value = load(invocation)
    if value.get("currentContext", "") == name:
        return
    value.pop("currentContext", None)
    if name:
        value["currentContext"] = name
    write_config(folder(invocation), value)


def use(invocation: Invocation) -> int:
    """docker context use NAME"""
    name = named(invocation)
    store.read(invocation, name)
    _set_current(invocation, "" if name == store.DEFAULT else name)
    sys.stdout.write(f"{name}\n")
    sys.stdout.flush()
    sys.stderr.write(f'Current context is now "{name}"\n')
    if name != store.DEFAULT and os.environ.get("DOCKER_HOST"):
        sys.stderr.write(
            f'Warning: DOCKER_HOST environment variable overrides the active context. To use "{name}", either set the global '
            "--context flag, or unset DOCKER_HOST environment variable.\n"
        )
    return 0


def remove(invocation: Invocation) -> int:
    """docker context rm NAME…"""
    failures = []
    current = store.current_name(invocation)
    force = bool(invocation.flags["force"])
    for name in invocation.arguments:
        if name == store.DEFAULT:
            failures.append('context "default" cannot be removed')
        elif not store.exists(invocation, name) and not force:
            failures.append(f'context "{name}" does not exist')
        elif name == current and not force:
            failures.append(f'context "{name}" is in use, set -f flag to force remove')
        else:
            if name == current and not os.environ.get("DOCKER_CONTEXT"):
                _set_current(invocation, "")
            store.delete(invocation, name)
            sys.stdout.write(f"{name}\n")
    sys.stdout.flush()
    if failures:
        sys.stderr.write("\n".join(failures) + "\n")
    return 1 if failures else 0


def export(invocation: Invocation) -> int:
    """docker context export NAME [FILE|-]"""
    import io
    import tarfile

    name = named(invocation)
    target = invocation.arguments[1] if len(invocation.arguments) > 1 else f"{name}.dockercontext"
    value = store.read(invocation, name)
    if name == store.DEFAULT:
        value = {**value, "Metadata": {"Description": DEFAULT_DESCRIPTION}}
    data = go_json(value).encode("utf-8", "surrogateescape")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo("meta.json")
        entry.size, entry.mode = len(data), 0o644
        archive.addfile(entry, io.BytesIO(data))
        entry = tarfile.TarInfo("tls")
        entry.type, entry.mode = tarfile.DIRTYPE, 0o700
        archive.addfile(entry)
        _add_tls(archive, store.tls_folder(invocation, name))
    if target == "-":
        if os.isatty(1):
            raise HyperBoxError("cowardly refusing to export to a terminal, specify a file path")
        sys.stdout.buffer.write(buffer.getvalue())
        return 0
    if os.path.exists(target):
        raise HyperBoxError(f"open {target}: file exists")
    from hyperbox.files import write_atomic

    try:
        write_atomic(target, buffer.getvalue())
    except OSError as error:
        raise HyperBoxError(f"open {target}: {(error.strerror or str(error)).lower()}") from None
    sys.stderr.write(f'Written file "{target}"\n')
    return 0


def _add_tls(archive: object, source: str) -> None:
    import tarfile

    assert isinstance(archive, tarfile.TarFile)
    for endpoint in sorted(os.listdir(source)) if os.path.isdir(source) else []:
        entry = tarfile.TarInfo(f"tls/{endpoint}")
        entry.type, entry.mode = tarfile.DIRTYPE, 0o700
        archive.addfile(entry)
        for name in sorted(os.listdir(f"{source}/{endpoint}")):
            archive.add(f"{source}/{endpoint}/{name}", f"tls/{endpoint}/{name}")


def import_context(invocation: Invocation) -> int:
    """docker context import NAME FILE|-"""
    import io

    name, source = invocation.arguments
    store.check_name(name)
    if store.exists(invocation, name):
        raise HyperBoxError(f'context "{name}" already exists')
    data = sys.stdin.buffer.read(MAX_IMPORT + 1) if source == "-" else _read(source)
    if len(data) > MAX_IMPORT:
        raise HyperBoxError("read exceeds the defined limit")
    files = _archive_files(io.BytesIO(data))
    from hyperbox.files import loads, write_atomic

    try:
        value = loads(files.pop("meta.json").decode())
    except KeyError:
        raise HyperBoxError("invalid context: no metadata found") from None
    except ValueError as error:
        raise HyperBoxError(f"invalid context: {error}") from None
    if not isinstance(value, dict):
        raise HyperBoxError("invalid context: no metadata found")
    for path, content in files.items():
        _, endpoint, file = path.split("/")
        target = f"{store.tls_folder(invocation, name)}/{endpoint}"
        os.makedirs(target, mode=0o700, exist_ok=True)
        write_atomic(f"{target}/{file}", content)
    store.write(invocation, {**value, "Name": name})
    sys.stdout.write(f"{name}\n")
    sys.stdout.flush()
    sys.stderr.write(f'Successfully imported context "{name}"\n')
    return 0


MAX_IMPORT = 10 << 20


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_IMPORT + 1)
    except FileNotFoundError:
        raise HyperBoxError(f"open {path}: no such file or directory") from None


def _archive_files(stream: object) -> dict[str, bytes]:
    """Return meta.json and tls/ENDPOINT/FILE of an exported context (tar or zip); anything else in it is refused."""
    import io
    import tarfile
    import zipfile

    assert isinstance(stream, io.BytesIO)
    files: dict[str, bytes] = {}
    entries: list[tuple[str, bytes]] = []
    try:
        if zipfile.is_zipfile(stream):
            with zipfile.ZipFile(stream) as zipped:
                for info in zipped.infolist():
                    if info.file_size > MAX_IMPORT:
                        raise HyperBoxError("read exceeds the defined limit")
                    if not info.is_dir():
                        entries.append((info.filename, zipped.read(info)))
        else:
            stream.seek(0)
            with tarfile.open(fileobj=stream, mode="r:") as archive:
                for member in archive:
                    content = archive.extractfile(member) if member.isreg() else None
                    if content is not None:
                        entries.append((member.name, content.read()))
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        reason = "unexpected EOF" if "truncated" in str(error) else f"invalid context: {error}"
        raise HyperBoxError(reason) from None
    for name, data in entries:
        parts = name.split("/")
        good = name == "meta.json" or (len(parts) == 3 and parts[0] == "tls" and not {"", ".", ".."} & set(parts))
        if not good or "\\" in name:
            raise HyperBoxError(f"unexpected context file: {name}")
        files[name] = data
    return files
