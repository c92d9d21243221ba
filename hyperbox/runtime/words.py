"""What a runtime says when it fails, in the Docker Engine's words and with docker's exit code. Pure."""

from __future__ import annotations

from hyperbox.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

CREATE = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: "
)
START = f"{CREATE}unable to start container process: error during container init: "
EXEC = "OCI runtime exec failed: exec failed: unable to start container process: "
NOT_FOUND = 127
NOT_EXECUTABLE = 126

# what the text has in it -> (docker's reason, exit code); {program} is the first argument, {cwd} the working directory
REASONS = (
    ("not found in $PATH", "{not_found}", NOT_FOUND),
    ("executable file not found", "{not_found}", NOT_FOUND),
    ("open executable: Permission denied", 'exec: "{program}": permission denied', NOT_EXECUTABLE),
    (
        "open executable: Operation not permitted",
        'exec: "{program}": is a directory: permission denied',
        NOT_EXECUTABLE,
    ),
    ("open executable: Is a directory", 'exec: "{program}": is a directory: permission denied', NOT_EXECUTABLE),
    ("open executable: No such file", "{not_found}", NOT_FOUND),
    ("open executable: Invalid argument", 'exec: "{program}": executable file not found in $PATH', NOT_FOUND),
    ("open executable", 'exec: "{program}": permission denied', NOT_EXECUTABLE),
    ("chdir", 'chdir to cwd ("{cwd}") set in config.json failed: no such file or directory', NOT_FOUND),
    (
        "attr/apparmor/exec`: No such file",
        "unable to apply apparmor profile: apparmor failed to apply profile: write /proc/thread-self/attr/apparmor/exec: no such file or directory",
        NOT_FOUND,
    ),
    ("set rlimit", "error setting rlimits for ready process: operation not permitted", 125),
)


def last_message(text: str) -> str:
    """Return the most telling line of a runtime's log: the last one, without the time and level that runc puts before it."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    line = lines[-1] if lines else "the runtime gave no reason"
    _, marker, message = line.partition(' msg="')
    if marker:
        line = message.removesuffix('"').replace('\\"', '"')
        for prefix in ("runc run failed: ", "exec failed: ", "unable to start container process: "):
            line = line.removeprefix(prefix)
    return line


def reason(text: str, process: Json) -> tuple[str, int]:
    """Return docker's reason and exit code for a runtime's log; `process` is the OCI process that did not start."""
    message = last_message(text)
    arguments = process.get("args")
    program = str(arguments[0]) if isinstance(arguments, list) and arguments else ""
    if isinstance(arguments, list) and arguments[:1] == [""]:
        return 'exec: "": executable file not found in $PATH', NOT_FOUND
    if message.startswith('exec: "'):  # runc has docker's words already
        missing = "no such file" in message or "not found" in message
        return message, NOT_FOUND if missing else NOT_EXECUTABLE
    missing_words = (
        f"stat {program}: no such file or directory" if "/" in program else "executable file not found in $PATH"
    )
    program = program.replace("\\", "\\\\").replace('"', '\\"')  # as Go's %q has it
    not_found = f'exec: "{program}": {missing_words}'
    for part, words, code in REASONS:
        if part in message:
            return words.format(program=program, cwd=process.get("cwd", ""), not_found=not_found), code
    return not_mounted(message) or in_small_letters(message), 0


def not_mounted(message: str) -> str:
    """Return docker's words where crun could not mount a folder on a file or the other way round, or ""."""
    import re

    cause = (
        "not a directory: Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the "
        "expected type"
    )
    found = re.fullmatch(r"mount `(.+)` to `/?(.+)`: Not a directory", message)
    if found is not None:
        source, target = found.groups()
        flags = ", flags=MS_BIND|MS_REC" if "/" in source else ""
        return f'error mounting "{source}" to rootfs at "/{target}": mount src={source}, dst=/{target}{flags}: {cause}'
    found = re.fullmatch(r"mkdir `/?(.+)`: Not a directory", message)
    return (
        f'error mounting to rootfs at "/{found[1]}": create mountpoint for /{found[1]} mount: {cause}' if found else ""
    )


def in_small_letters(message: str) -> str:
    """Return a message with the system's reason at its end as Go writes it: "invalid argument"."""
    import errno
    import os

    head, colon, cause = message.rpartition(": ")
    is_reason = bool(colon) and cause in {os.strerror(number) for number in errno.errorcode}
    return f"{head}{colon}{cause[0].lower()}{cause[1:]}" if is_reason else message


def not_set(message: str) -> str:
    """Return docker's words where crun could not set a limit or a sysctl, or did not even try to, or ""."""
    import re

    if found := re.search(r"the sysctl `(.+)` is not namespaced", message):
        return f'{CREATE}sysctl "{found[1]}" is not in a separate kernel namespace'
    if found := re.search(r"invalid rlimit `(.+)`", message):
        return f"{CREATE}wrong rlimit value: {found[1]}"
    if found := re.search(r"open `?/proc/sys/([^`:]+)`?: No such file or directory", message):
        reason = f"unsafe procfs detected: openat2 fsmount:fscontext:proc/./sys/{found[1]}: no such file or directory"
        return f"{START}open sysctl {found[1].replace('/', '.')} file: {reason}"
    if found := re.search(r"setrlimit `(RLIMIT_\w+)`: (.+)", message):
        import resource

        number = getattr(resource, found[1], None)
        reason = f"error setting rlimit type {number}: {found[2][:1].lower()}{found[2][1:]}"
        return f"{START}error setting rlimits for ready process: {reason}" if number is not None else ""
    return ""


def start_failure(text: str, process: Json) -> EngineError:
    """Return the error of a container whose first process could not be started; exit code 127, 126 or 125."""
    if unset := not_set(last_message(text)):
        return EngineError(unset, exit_code=125)
    words, code = reason(text, process)
    return EngineError(START + words, exit_code=code or (NOT_FOUND if "no such file" in words.lower() else 125))


def exec_failure(text: str, process: Json) -> EngineError:
    """Return the error of an exec that could not be started; exit code 127, 126 or 128."""
    words, code = reason(text, process)
    return EngineError(EXEC + words, exit_code=code or 128)
