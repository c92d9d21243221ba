"""Seccomp filters that were compiled before, so that a runtime need not compile the same profile for every container.

    STATE-filters/KEY    the compiled program (an array of sock_filter, seccomp(2)), made a tree (`filter_tree`), in base64 as crun's annotation
                         wants it

libseccomp takes 10-15 ms to compile docker's profile and crun 1.8 caches nothing. A key is a hash of the profile and of all that the result
depends on: the runtime, libseccomp, the kernel. The folder lies in the runtime's folder of the engine, root's alone, gone after a reboot.
"""

from __future__ import annotations

import os

from hyperbox import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    Json = dict[str, object]

KEPT = 64  # filters; custom profiles could be without number
LARGEST = 32768  # bytes: seccomp(2) takes at most 4096 instructions of 8 bytes
# what a compiled program can't carry: these stay with the runtime's own way
UNCARRIED = ("flags", "listenerPath", "listenerMetadata")
LIBRARIES = ("/usr/lib/{}-linux-gnu/libseccomp.so.2", "/usr/lib64/libseccomp.so.2", "/usr/lib/libseccomp.so.2")


def folder(state_folder: str) -> str:
    """Return where the filters of the runtime with this state folder are."""
    return f"{state_folder}-filters"


def key(profile: Json, program: str) -> str:
    """Return the name of a profile's filter as `program` compiles it on this machine; "" for one that can't be kept."""
    if any(profile.get(name) for name in UNCARRIED):
        return ""
    from _blake2 import blake2b

    system = os.uname()
    candidates = (program, *(path.format(system.machine) for path in LIBRARIES))
    text = f"tree {system.release} {system.version} {system.machine} {[_identity(path) for path in candidates]} "
    return blake2b((text + files.dumps(profile)).encode("utf-8", "surrogateescape"), digest_size=24).hexdigest()


def _identity(path: str) -> tuple[int, int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return status.st_ino, status.st_size, status.st_mtime_ns


def compiled(state_folder: str, name: str) -> str:
    """Return a filter that was kept, in base64; "" where there is none."""
    try:
        return files.read_text(f"{folder(state_folder)}/{name}") if name else ""
    except OSError:
        return ""


def keep(state_folder: str, name: str, source: str) -> None:
    """Keep the compiled program in the file `source` under a key. One that can't be read or is too large is not kept."""
    from binascii import b2a_base64

    from hyperbox.runtime.filter_tree import as_tree

    place = folder(state_folder)
    try:
        with open(source, "rb") as file:
            program = file.read(LARGEST + 1)
        if not program or len(program) > LARGEST or len(program) % 8:
            return
        os.makedirs(place, 0o700, exist_ok=True)
        if len(os.listdir(place)) >= KEPT:
            files.remove_tree(place)
            os.mkdir(place, 0o700)
        files.write_atomic(f"{place}/{name}", b2a_base64(as_tree(program), newline=False))
    except OSError:
        return
