"""What an image is, as lines of text: its files beside those of hb-base, its configuration, its history.

A file's line is `KIND MODE UID:GID PATH …`: KIND f, d, l (link), h (hard link), p, c, b; then the content where it is short text, or its length
and digest; `-> target`; `xattr name=value`; `kept` where it has the time that the context's files have.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import cast

from cases import MODIFIED

Tree = dict[str, str]
Json = dict[str, object]


def _content(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    if len(data) <= 72 and text.encode() == data and all(letter.isprintable() or letter in "\n\t\r" for letter in text):
        return json.dumps(text, ensure_ascii=False)
    return f"{len(data)} bytes sha256:{hashlib.sha256(data).hexdigest()[:20]}"


def entry_line(member: tarfile.TarInfo, data: bytes) -> str:
    """Return how one entry of an archive is shown, without its path."""
    kinds = {
        tarfile.DIRTYPE: "d",
        tarfile.SYMTYPE: "l",
        tarfile.LNKTYPE: "h",
        tarfile.FIFOTYPE: "p",
        tarfile.CHRTYPE: "c",
        tarfile.BLKTYPE: "b",
    }
    kind = kinds.get(member.type, "f")
    words = [kind, "-" if kind == "l" else f"{member.mode & 0o7777:o}", f"{member.uid}:{member.gid}", "{path}"]
    if kind == "f":
        words.append(_content(data))
    elif kind in "lh":
        words.append(f"-> {member.linkname}")
    elif kind in "cb":
        words.append(f"{member.devmajor},{member.devminor}")
    for name, value in sorted(member.pax_headers.items()):
        if name.startswith("SCHILY.xattr."):
            raw = value.encode("utf-8", "surrogateescape")
            shown = value if value.isprintable() else raw.hex()
            words.append(f"xattr {name.removeprefix('SCHILY.xattr.')}={shown}")
    if kind in "fl" and member.mtime == MODIFIED:
        words.append("kept")
    return " ".join(words)


def apply_layer(tree: Tree, archive: tarfile.TarFile) -> None:
    """Put a layer over a tree, whiteouts obeyed."""
    for member in archive:
        path = member.name.removeprefix("./").strip("/")
        folder, _, name = path.rpartition("/")
        prefix = f"{folder}/" if folder else ""
        if name == ".wh..wh..opq":
            for known in [known for known in tree if known.startswith(prefix)]:
                del tree[known]
        elif name.startswith(".wh."):
            gone = prefix + name.removeprefix(".wh.")
            for known in [known for known in tree if known == gone or known.startswith(f"{gone}/")]:
                del tree[known]
        elif path and path != ".":
            if not member.isdir():
                for known in [known for known in tree if known.startswith(f"{path}/")]:
                    del tree[known]
            handle = archive.extractfile(member) if member.isreg() else None
            tree[path] = entry_line(member, handle.read() if handle else b"")


class Saved:
    """An image as `docker save` writes it: its configuration, and the tree of its files."""

    def __init__(self, data: bytes) -> None:
        archive = tarfile.open(fileobj=io.BytesIO(data))

        def read(name: str) -> bytes:
            handle = archive.extractfile(name)
            assert handle is not None, name
            return handle.read()

        manifest = json.loads(read("manifest.json"))[0]
        self.config: Json = json.loads(read(manifest["Config"]))
        self.image_id = hashlib.sha256(read(manifest["Config"])).hexdigest()
        self.diff_ids = cast(list[str], cast(Json, self.config["rootfs"])["diff_ids"] or [])
        self.tree: Tree = {}
        for layer in manifest["Layers"]:
            apply_layer(self.tree, tarfile.open(fileobj=io.BytesIO(read(layer))))


def tree_lines(tree: Tree, base: Tree) -> list[str]:
    """Return the `=` and `-` lines of a tree beside its base."""
    lines = [
        f"= {line.replace('{path}', '/' + path, 1)}" for path, line in sorted(tree.items()) if base.get(path) != line
    ]
    return lines + [f"- /{path}" for path in sorted(base) if path not in tree]


def image_lines(image: Saved, base: Saved) -> list[str]:
    """Return all lines about an image."""
    on_base = image.diff_ids[:1] == base.diff_ids[:1]
    lines = tree_lines(image.tree, base.tree if on_base else {})
    config = cast(Json, image.config["config"])
    for name in sorted(config):
        if config[name]:
            lines.append(f"@ {name} {json.dumps(config[name], ensure_ascii=False, sort_keys=True)}")
    for name in ("author", "variant"):
        if image.config.get(name):
            lines.append(f"@ {name} {image.config[name]}")
    for row in cast(list[Json], image.config.get("history") or []):
        mark = " (empty)" if row.get("empty_layer") else ""
        comment = f" # {row['comment']}" if row.get("comment") else ""
        created_by = json.dumps(row.get("created_by", ""), ensure_ascii=False)
        if not str(row.get("comment", "")).startswith("Imported"):
            lines.append(f"% {created_by}{mark}{comment}")
    return lines
