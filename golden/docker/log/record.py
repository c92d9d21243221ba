"""Records what docker writes into a container's log: record.py DOCKER... -- READ...

DOCKER is the command that is docker; READ the command to which a path is appended to print a file of the machine on which dockerd runs. An image
`busybox` must be there. Writes cases.json beside this file: of each case the process's output and the file, with TIME for every time,
both packed by zlib and base64.
"""

from __future__ import annotations

import base64
import json
import random
import re
import subprocess
import sys
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAME = "golden-log"
TIME = re.compile(rb'"time":"[^"]*"}\n')


def mixed(seed: int, size: int) -> bytes:
    """Return bytes among which whole, broken and forbidden UTF-8, escapes and line ends are frequent."""
    chance = random.Random(seed)
    pieces = ["é".encode(), "€".encode(), "😀".encode(), "\u2028\u2029".encode(), b"\xed\xa0\x80", b"\xf4\x90\x80\x80"]
    pieces += [
        b"\xc0\x80",
        b"\xe2\x82",
        b"\xf0\x9f\x98",
        b"?",
        b"\\",
        b'"',
        b"<&>",
        b"\0",
        b"\n",
        b"plain text",
        b"\xff",
    ]
    data = b"".join(
        chance.choice(pieces) if chance.random() < 0.7 else chance.randbytes(chance.randint(1, 8)) for _ in range(size)
    )
    return data[:size]


def cases() -> dict[str, bytes]:
    """Return what the process of each case writes."""
    zeros = {number: b"0" * (16384 + number) for number in (-2, -1, 0, 1, 16384, 20000)}
    return {
        "ascii": bytes(range(128)) + b"\n",
        "bytes": b"".join(bytes((first, second)) for first in range(128, 256) for second in (10, 97, 128, 169, 191)),
        "separators": "\u2028 \u2029 \u2027\n".encode() + b"\xe2\x80\n\xe2\x80\xa8",
        "borders": b"\n".join(zeros.values()) + b"\n",
        "character on the border": b"0" * 16383 + "é".encode() + b"0" * 16380 + "😀 end".encode(),
        "short lines before a long one": b"a\nbc\n" + b"x" * 40000 + b"\nd\n" + b"y" * 16384,
        "line ends": b"\n\n\r\n\n",
        "no line end": b"end",
        "mixed 1": mixed(1, 9000),
        "mixed 2": mixed(2, 3000).replace(b"\n", b"_") * 6,
    }


def packed(data: bytes) -> str:
    """Return bytes as they stand in cases.json."""
    return base64.b64encode(zlib.compress(data, 9)).decode()


def main(arguments: list[str]) -> None:
    split = arguments.index("--")
    docker, read = arguments[:split], arguments[split + 1 :]
    recorded = {}
    for name, output in cases().items():
        subprocess.run([*docker, "rm", "-f", NAME], capture_output=True, check=False)
        subprocess.run(
            [*docker, "run", "-i", "--name", NAME, "busybox", "cat"], input=output, capture_output=True, check=True
        )
        shown = subprocess.run(
            [*docker, "inspect", "-f", "{{.LogPath}}", NAME], capture_output=True, text=True, check=True
        )
        log = subprocess.run([*read, shown.stdout.strip()], capture_output=True, check=True).stdout
        recorded[name] = {
            "output": packed(output),
            "log": packed(TIME.sub(b'"time":"TIME"}\n', log)),
        }
    subprocess.run([*docker, "rm", "-f", NAME], capture_output=True, check=False)
    (HERE / "cases.json").write_text(json.dumps(recorded, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
