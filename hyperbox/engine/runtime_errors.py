"""What an OCI runtime says when it can't start a process, in docker's words."""

from __future__ import annotations

from hyperbox import files
from hyperbox.errors import EngineError, InvalidParameter

CREATE = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: error during container init: "
)
EXEC = "OCI runtime exec failed: exec failed: unable to start container process: "


def runtime_message(log_path: str, said: str) -> str:
    """Return the last error of a runtime's JSON log, or what it said on stderr."""
    try:
        lines = files.read_text(log_path).splitlines()
    except OSError:
        lines = []
    for line in reversed(lines):
        try:
            entry = files.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("level") == "error":
            return str(entry.get("msg", ""))
    return said.strip().rpartition("\n")[2]


def docker_words(message: str, words: list[str], directory: str) -> str:
    """Return docker's sentence for a runtime's `message` about starting `words` in `directory`."""
    program = words[0] if words else ""
    if "executable file" in message and "not found" in message:
        if "/" in program:
            return f'exec: "{program}": stat {program}: no such file or directory'
        return f'exec: "{program}": executable file not found in $PATH'
    if "chdir" in message or "cwd" in message:
        reason = (
            "permission denied"
            if "denied" in message
            else "not a directory"
            if "ot a directory" in message
            else "no such file or directory"
        )
        return f'chdir to cwd ("{directory}") set in config.json failed: {reason}'
    if "open executable" in message or "Is a directory" in message:
        return f'exec: "{program}": permission denied'
    if "xec format error" in message:
        return f"exec {program}: exec format error"
    if "No such file or directory" in message and "exec" in message:
        return f"exec {program}: no such file or directory"
    if "ermission denied" in message and "exec" in message:
        return f'exec: "{program}": permission denied'
    return message


def start_error(log_path: str, said: str, code: int, words: list[str], directory: str) -> EngineError:
    """Return the error of a container that could not be started."""
    message = runtime_message(log_path, said) or f"the OCI runtime ended with code {code}"
    return InvalidParameter(CREATE + docker_words(message, words, directory))


def exec_error(log_path: str, said: str, code: int, words: list[str], directory: str) -> EngineError:
    """Return the error of an exec that could not be started."""
    message = runtime_message(log_path, said) or f"the OCI runtime ended with code {code}"
    return InvalidParameter(EXEC + docker_words(message, words, directory))
