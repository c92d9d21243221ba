"""Runs the cases by a docker command and observes what they leave: the same for the real docker and for HyperBox."""

from __future__ import annotations

import io
import os
import re
import secrets
import shlex
import subprocess
import tarfile
from collections.abc import Mapping, Sequence

from cases import Case, Command, write_files
from image import Saved, Tree, entry_line, image_lines, tree_lines

BASE = "hb-base"
_STEP = re.compile(r"^#(\d+) (\[.*)$")
_STATE = re.compile(r"^#(\d+) (CACHED|DONE|ERROR|CANCELED)")
_LOOSE = (
    (re.compile(r"checksum of ref \S+:"), "checksum of ref <REF>:"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"), "<ID>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<ID>"),
    (re.compile(r"\b[a-z0-9]{25}\b"), "<REF>"),
    (re.compile(r"^\d+\.\d+ "), "<TIME> "),
)


class Docker:
    """A command that runs docker, in an environment of the case's own."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self.argv = list(argv)
        self.environment = dict(os.environ if environment is None else environment)
        self.seen: set[str] = set()  # the ids of images that were looked at

    def __call__(
        self,
        arguments: Sequence[str],
        folder: str = ".",
        stdin: str = "/dev/null",
        environment: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes, str]:
        """Run one command; returns exit code, stdout and stderr."""
        given = environment or {}
        argv = self.argv
        if given and argv[-1] == "docker":  # it may run behind a command that hands on no environment
            argv = [*argv[:-1], "env", *[f"{name}={value}" for name, value in given.items()], argv[-1]]
        with open(os.path.join(folder, stdin), "rb") as source:
            done = subprocess.run(
                [*argv, *arguments],
                stdin=source,
                capture_output=True,
                cwd=folder,
                timeout=120,
                check=False,
                env={**self.environment, **given},
            )
        return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")

    def saved(self, name: str) -> Saved:
        """Return an image. Raises AssertionError where it is not there."""
        code, out, err = self(["save", name])
        assert code == 0, err
        image = Saved(out)
        self.seen.add(image.image_id)
        return image


def import_base(docker: Docker, root: str, folder: str) -> Saved:
    """Make the image hb-base of a root file system's tar and a file that no other has, so that nothing about it is in the cache."""
    path = os.path.join(folder, "base.tar")
    with open(root, "rb") as source, open(path, "wb") as target:
        target.write(source.read())
    with tarfile.open(path, "a") as archive:
        data = secrets.token_hex(16).encode()
        member = tarfile.TarInfo("./nonce")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    changes = ["ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin", 'CMD ["/bin/sh"]']
    code, _, err = docker(["import", *[word for change in changes for word in ("--change", change)], path, BASE])
    assert code == 0, err
    return docker.saved(BASE)


def run_case(docker: Docker, base: Saved, case: Case, folder: str) -> list[tuple[str, list[str]]]:
    """Run a case in `folder`; returns for each build its line and what was observed."""
    write_files(case, folder)
    answers = []
    for command in case.commands:
        if command.shell:
            subprocess.run(["sh", "-ec", command.line], cwd=folder, check=True, timeout=20)
        else:
            answers.append((command.line, _build(docker, base, case, command, folder, first=not answers)))
    return answers


def _build(docker: Docker, base: Saved, case: Case, command: Command, folder: str, *, first: bool) -> list[str]:
    image = f"hb-golden-{case.name}"
    words = [word.replace("{image}", image) for word in shlex.split(command.arguments)]
    verb = (
        ["build"]
        if any(word.startswith(("--progress", "-q", "--quiet")) for word in words)
        else ["build", "--progress=plain"]
    )
    tag = [] if command.out or "-t" in words else ["-t", image]
    code, out, err = docker([*verb, *tag, *words], folder, command.stdin or "/dev/null", command.environment)
    lines = [f"? {code}"]
    if not (command.out == "-" and code == 0):
        lines += [f"| {normal(line, folder)}" for line in out.decode("utf-8", "replace").splitlines()]
    lines += [f"! {line}".rstrip() for line in errors(normal(err, folder))]
    if code == 0:
        lines += [f"# {name}" for name in steps(err, states=not first)]
    if code == 0 and command.out not in ("", "none"):
        tree: Tree = {}
        read_output(tree, out if command.out == "-" else os.path.join(folder, command.out))
        lines += tree_lines(tree, base.tree if "bin/busybox" in tree else {})
    elif code == 0 and not command.out and "-t" not in words:
        lines += image_lines(docker.saved(image), base)
    return lines


def normal(text: str, folder: str) -> str:
    """Return a text without what differs from run to run."""
    text = text.replace(folder, "{dir}")
    out = []
    for line in text.split("\n"):
        for pattern, replacement in _LOOSE:
            line = pattern.sub(replacement, line)
        out.append(line)
    return "\n".join(out)


def errors(text: str) -> list[str]:
    """Return the lines behind the progress, empty ones left out."""
    lines = text.split("\n")
    last = max((index for index, line in enumerate(lines) if re.match(r"#\d+ ", line)), default=-1)
    found = [line.replace("\x1b[0m - ", " - ") for line in lines[last + 1 :] if line.strip()]
    warnings = [index for index, line in enumerate(found) if line.startswith(" - ")]
    if warnings:  # docker's come in no order
        found[warnings[0] : warnings[-1] + 1] = sorted(found[warnings[0] : warnings[-1] + 1])
    return [line for line in found if not line.startswith("WARNING: current commit information was not captured")]


def steps(text: str, *, states: bool) -> list[str]:
    """Return the names of the steps in order of the alphabet (independent ones come by chance); CACHED behind those that were."""
    names: dict[str, str] = {}
    found: dict[str, str] = {}
    for line in text.split("\n"):
        if (match := _STATE.match(line)) and match[1] in names:
            found[match[1]] = match[2]
        elif (match := _STEP.match(line)) and not match[2].startswith(("[internal]", "[auth]", "[context")):
            names.setdefault(match[1], match[2])
    out = []
    for number, name in names.items():
        cached = states and found.get(number) == "CACHED" and "] FROM " not in name
        out.append(re.sub(r"\b[0-9a-f]{64}\b", "<ID>", name.rstrip()) + (" CACHED" if cached else ""))
    return sorted(set(out))


def read_output(tree: Tree, source: bytes | str) -> None:
    """Read what `-o` made into a tree: a tar's bytes, the path of a tar, or a folder."""
    if isinstance(source, str) and os.path.isdir(source):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as packed:
            packed.add(source, ".")
        source = buffer.getvalue()
    elif isinstance(source, str):
        with open(source, "rb") as file:
            source = file.read()
    with tarfile.open(fileobj=io.BytesIO(source)) as archive:
        for member in archive:
            path = member.name.removeprefix("./").strip("/")
            handle = archive.extractfile(member) if member.isreg() else None
            if path and path != ".":
                tree[path] = entry_line(member, handle.read() if handle else b"")
