"""Scenarios of command lines that speak with registries, run in order on docker and on HyperBox; both must print and return the same.

A scenario is a file in registry/: one command line a line without the word `docker`, as a shell splits it; "#" begins a comment, a line
"| TEXT" gives stdin to the next command. REGISTRY is an open registry with the images of `IMAGES`, GUARDED one that asks for a name and a
password, SEARCH a server of /v1/search, TOKENED a registry that wants tokens of TOKENS (tests/token_server.py), CONFIG the folder of
config.json, which holds what the scenario's "config" line says. "asked" shows what TOKENS was asked for since the last time, "stale N" lets it
give N tokens that are too old. What the real docker did is in golden/docker/registry/NAME.json:

    python3 tests/compat/registry_scenarios.py [--only NAME] DOCKER…      DOCKER: a command that runs docker

It needs Debian's docker-registry, and runs in the network of the daemon that DOCKER speaks with. DOCKER must see /tmp, and find the
credential helpers of HELPERS in its PATH.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.real_registry import HTPASSWD, put_image, real_registry
from tests.token_server import Tokens, registry_lines, token_server

FOLDER = Path(__file__).resolve().parent / "registry"
GOLDEN = Path(__file__).resolve().parents[2] / "golden/docker/registry"
HELPERS = Path("/tmp/hb-registry-helpers")
PLACES = {
    "REGISTRY": "127.0.0.1:5987",
    "GUARDED": "127.0.0.1:5988",
    "SEARCH": "127.0.0.1:5986",
    "TOKENED": "127.0.0.1:5985",
    "TOKENS": "127.0.0.1:5984",
}
# a helper that keeps credentials in a file, and one that fails
HELPER = """#!/bin/sh
kept=/tmp/hb-registry-helpers/kept
read -r line
case $1 in
store) echo "$line" >$kept;;
get) if [ -s $kept ]; then cat $kept; else echo "credentials not found in native keychain"; exit 1; fi;;
erase) rm -f $kept;;
list) echo '{}';;
esac
"""
BROKEN = "#!/bin/sh\necho 'the safe is jammed'\nexit 3\n"
Case = dict[str, object]


class Search(BaseHTTPRequestHandler):
    """Finds twelve images for each term; the terms fail, garbage and deny are answered otherwise."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(parts.query)
        term = query.get("q", [""])[0]
        if parts.path == "/v1/_ping":
            self.answer(200, b'{"standalone": false}')
        elif term in ("fail", "deny", "garbage"):
            self.answer({"fail": 500, "deny": 401, "garbage": 200}[term], b"oops")
        else:
            found = [
                {
                    "name": f"user{number}/{term}",
                    "description": f"Text {'long ' * number}\nof two lines, \u00fcber",
                    "star_count": 100 - number * 9,
                    "is_official": number == 0,
                    "is_automated": number % 3 == 1,
                }
                for number in range(12)
            ]
            limited = found[: int(query["n"][0])]
            self.answer(200, json.dumps({"query": term, "num_results": 12, "results": limited}).encode())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@contextmanager
def search_server() -> Iterator[None]:
    host, _, port = PLACES["SEARCH"].partition(":")
    with ThreadingHTTPServer((host, int(port)), Search) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield
        server.shutdown()
        thread.join()


def port(place: str) -> int:
    """Return a place's port."""
    return int(PLACES[place].partition(":")[2])


@contextmanager
def servers(folder: Path) -> Iterator[Tokens]:
    """Serve what scenarios speak with, the registries filled; gives the token service."""
    with ExitStack() as stack:
        host = stack.enter_context(real_registry(folder / "open", port("REGISTRY")))
        stack.enter_context(real_registry(folder / "guarded", port("GUARDED"), accounts=HTPASSWD))
        stack.enter_context(search_server())
        tokens = stack.enter_context(token_server(folder / "tokens", port("TOKENS")))
        with real_registry(folder / "tokened", port("TOKENED")) as unguarded:
            for name in ("open/one:1", "hb/one:1", "hb/two:1"):
                put_image(unguarded, name, {"a": b"for a token\n"})
        lines = registry_lines(tokens, port("TOKENS"))
        stack.enter_context(real_registry(folder / "tokened", port("TOKENED"), more=lines))
        put_image(host, "hb/multi:amd64", {"a": b"hello\n"})
        put_image(host, "hb/multi:arm64", {"a": b"hello\n"}, architecture="arm64", variant="v8")
        put_image(host, "hb/multi:oci", {"a": b"hello\n"}, oci=True)
        put_image(host, "hb/multi:noplatform", {"a": b"hello\n"}, architecture="", os="")
        HELPERS.mkdir(mode=0o755, exist_ok=True)
        for name, text in (("good", HELPER), ("broken", BROKEN)):
            path = HELPERS / f"docker-credential-{name}"
            path.write_text(text)
            path.chmod(0o755)
        try:
            yield tokens
        finally:
            shutil.rmtree(HELPERS, ignore_errors=True)


def names() -> list[str]:
    """Return the names of all scenarios."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


def steps(name: str) -> Iterator[tuple[list[str], str]]:
    """Yield (command, stdin) of each step; a command that begins with "config" is the new content of config.json."""
    stdin = ""
    for line in (FOLDER / f"{name}.txt").read_text().splitlines():
        if line.startswith("| "):
            stdin += line[2:] + "\n"
        elif line and not line.startswith("#"):
            yield shlex.split(line), stdin
            stdin = ""


def run_step(docker: Sequence[str], config: Path, command: Sequence[str], stdin: str, tokens: Tokens) -> Case:
    """Run one step and return what it did, with the places by their names."""
    if command[0] in ("asked", "stale"):
        asked = "".join(sorted({" ".join(row) + "\n" for row in tokens.asked}))
        tokens.asked.clear()
        tokens.stale = int(command[1]) if command[0] == "stale" else 0
        return {"command": list(command), "stdout": asked if command[0] == "asked" else "", "stderr": "", "code": 0}

    def placed(text: str) -> str:
        for place, address in PLACES.items():
            text = text.replace(place, address)
        return text.replace("CONFIG", str(config))

    if command[0] in ("config", "show"):
        path = config / "config.json"
        if command[0] == "config":
            path.write_text(placed(command[1]))
        text = path.read_text() if path.exists() else "no file\n"
        return {"command": list(command), "stdout": named(text, config), "stderr": "", "code": 0}
    done = subprocess.run(
        [*docker, "--config", str(config), *(placed(word) for word in command)],
        input=stdin.encode(),
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, "PATH": f"{HELPERS}:{os.environ['PATH']}"},
    )
    return {
        "command": list(command),
        "stdout": named(done.stdout.decode("utf-8", "replace"), config),
        "stderr": named(done.stderr.decode("utf-8", "replace"), config),
        "code": done.returncode,
    }


def named(text: str, config: Path) -> str:
    """Return a text with addresses and the folder as the scenarios call them."""
    for place, address in PLACES.items():
        text = text.replace(address, place)
    return text.replace(str(config), "CONFIG")


def recorded(name: str) -> list[Case]:
    """Return what docker did in a scenario."""
    value = json.loads((GOLDEN / f"{name}.json").read_text())
    assert isinstance(value, list)
    return value


def main(arguments: list[str]) -> None:
    wanted = names()
    if arguments[0] == "--only":
        wanted, arguments = [arguments[1]], arguments[2:]
    for name in wanted:
        with tempfile.TemporaryDirectory(dir="/tmp") as folder, servers(Path(folder)) as tokens:
            config = Path(folder, "client")
            config.mkdir()
            cases = [run_step(arguments, config, command, stdin, tokens) for command, stdin in steps(name)]
        lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
        GOLDEN.mkdir(parents=True, exist_ok=True)
        (GOLDEN / f"{name}.json").write_text(f"[\n{lines}\n]\n")
        print(f"{name}: {len(cases)}")


if __name__ == "__main__":
    main(sys.argv[1:])
