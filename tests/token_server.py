"""A token service for registries (distribution's "token authentication"), on loopback for the time of a `with`.

Tokens are JSON Web Tokens (RFC 7519) with RS256, signed by openssl(1): the registry verifies them by the certificate in the folder. Who may
what: nobody is asked for his name to pull below open/; ada and ida may all below hb/ and open/. ida gets a refresh token where a client asks
for one. What a wrong password is answered with goes by the name: bob gets a registry's error document, dan words of another form, others nothing.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ACCOUNTS = {"ada": "secret", "ida": "secret"}
REFRESH = "a-refresh-token-of-ida"
SERVICE, ISSUER = "test-service", "test-issuer"
EXPIRED = 3600


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Tokens:
    """The service's key, and what it was asked: (method, account, scope) of each answer. `stale`: so many tokens more are too old already."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.key, self.certificate = folder / "key.pem", folder / "certificate.pem"
        words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tokens"]
        command = ["openssl", *words, "-keyout", self.key, "-out", self.certificate]
        subprocess.run(command, check=True, capture_output=True)
        self.asked: list[tuple[str, str, str]] = []
        self.stale = 0
        self.lock = threading.Lock()

    def token(self, account: str, scopes: list[str]) -> str:
        """Return a token for what an account may of some scopes."""
        body = "".join(self.certificate.read_text().split("\n")[1:-2])
        head = {"typ": "JWT", "alg": "RS256", "x5c": [body]}
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            may = {"pull", "push", "*", "delete"} if account else {"pull"} if name.startswith("open/") else set()
            access.append({"type": kind, "name": name, "actions": [each for each in actions.split(",") if each in may]})
        now = int(time.time())
        with self.lock:
            age = EXPIRED if self.stale else 0
            self.stale -= bool(self.stale)
        claims = {
            "iss": ISSUER,
            "sub": account,
            "aud": SERVICE,
            "exp": now - age + 300,
            "nbf": now - age - 10,
            "iat": now - age,
            "jti": os.urandom(8).hex(),
            "access": access,
        }
        signed = ".".join(b64(json.dumps(part).encode()) for part in (head, claims))
        signing = ["openssl", "dgst", "-sha256", "-sign", self.key]
        return f"{signed}.{b64(subprocess.run(signing, input=signed.encode(), check=True, capture_output=True).stdout)}"


def handler(tokens: Tokens) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
            scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
            account, _, password = (
                base64.b64decode(encoded).decode().partition(":") if scheme == "Basic" else ("", "", "")
            )
            offline = query.get("offline_token") == ["true"]
            self.decide("GET", account, password, query.get("scope", []), offline=offline)

        def do_POST(self) -> None:
            form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            given = {key: values[0] for key, values in form.items()}
            scopes = given.get("scope", "").split()
            if given.get("grant_type") == "refresh_token":
                known = given.get("refresh_token") == REFRESH
                self.decide("POST", "ida", ACCOUNTS["ida"] if known else "", scopes, offline=True)
            else:
                offline = given.get("access_type") == "offline"
                self.decide("POST", given.get("username", ""), given.get("password", ""), scopes, offline=offline)

        def decide(self, method: str, account: str, password: str, scopes: list[str], *, offline: bool) -> None:
            scopes = [each for scope in scopes for each in scope.split()]
            with tokens.lock:
                tokens.asked += [(method, account, scope) for scope in scopes or [""]]
            if account and ACCOUNTS.get(account) != password:
                errors = {
                    "bob": {"errors": [{"code": "UNAUTHORIZED", "message": "bob is not known here", "detail": None}]},
                    "dan": {"details": "incorrect username or password"},
                    "ida": {"error": "invalid_grant", "error_description": "the refresh token is not one of ours"},
                }
                self.answer(401, json.dumps(errors[account]).encode() if account in errors else b"")
                return
            token = tokens.token(account, scopes)
            answer = {"token": token, "access_token": token, "expires_in": 300}
            if account == "ida" and offline:
                answer["refresh_token"] = REFRESH
            self.answer(200, json.dumps(answer).encode())

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    return Handler


@contextmanager
def token_server(folder: Path, port: int) -> Iterator[Tokens]:
    """Serve tokens at http://127.0.0.1:PORT/token; the key is made in `folder`."""
    tokens = Tokens(folder)
    with ThreadingHTTPServer(("127.0.0.1", port), handler(tokens)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield tokens
        finally:
            server.shutdown()
            thread.join()


def registry_lines(tokens: Tokens, port: int) -> list[str]:
    """Return what a registry's configuration says of the service on a port."""
    return [
        "auth:",
        "  token:",
        f"    realm: http://127.0.0.1:{port}/token",
        f"    service: {SERVICE}",
        f"    issuer: {ISSUER}",
        f"    rootcertbundle: {tokens.certificate}",
    ]
