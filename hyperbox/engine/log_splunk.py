"""Splunk's HTTP event collector as a sink: events in batches, each an HTTP request."""

from __future__ import annotations

import gzip
import http.client
import os
import ssl
import time

from hyperbox.engine import log_messages
from hyperbox.engine.log_drivers import parse_bool
from hyperbox.engine.log_sinks import CONNECT_SECONDS, Sink
from hyperbox.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hyperbox.engine.log_messages import Message, Source

PATH = "/services/collector/event/1.0"
BATCH = 1000  # events
SECONDS = 5.0  # between two requests, where fewer events come
BUFFERED = 10 * BATCH  # events that are kept while the collector does not answer


class Splunk(Sink):
    """Posts events; those that the collector does not take are kept for the next time, up to a bound."""

    def __init__(self, source: Source, options: dict[str, str]) -> None:
        super().__init__(source)
        self._options = options
        for name in ("splunk-url", "splunk-token"):
            if not options.get(name):
                raise EngineError(f"splunk: {name} is expected")
        scheme, mark, place = options["splunk-url"].partition("://")
        if not mark or scheme not in ("http", "https") or not place.rstrip("/") or "/" in place.rstrip("/"):
            raise EngineError("splunk: expected format scheme://dns_name_or_ip:port for splunk-url")
        self._place = place.rstrip("/")
        self._context = self._tls() if scheme == "https" or options.get("splunk-capath") else None
        self._secure = scheme == "https"
        self._level = self._gzip_level()
        acknowledged = parse_bool(options.get("splunk-index-acknowledgment", "false"))
        identity = os.urandom(16).hex()
        words = (identity[:8], identity[8:12], identity[12:16], identity[16:20], identity[20:])
        self._channel = "-".join(words) if acknowledged else ""
        self._form = options.get("splunk-format", "inline")
        names = ("source", "sourcetype", "index")
        self._fields = {name: options[f"splunk-{name}"] for name in names if options.get(f"splunk-{name}")}
        verified = parse_bool(options.get("splunk-verify-connection", "true"))
        self._events: list[bytes] = []
        self._next = 0.0
        if verified:
            self._verify()
        if self._form not in ("inline", "json", "raw"):
            raise EngineError(f"Unknown format specified {self._form}, supported formats are inline, json and raw")

    def _tls(self) -> ssl.SSLContext:
        authority = self._options.get("splunk-capath", "")
        context = ssl.create_default_context()
        if authority:
            try:
                context.load_verify_locations(authority)
            except OSError as error:
                raise EngineError(f"open {authority}: {(error.strerror or str(error)).lower()}") from None
        if parse_bool(self._options.get("splunk-insecureskipverify", "false")):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _gzip_level(self) -> int:
        """Return the level of compression, 0 for none."""
        zipped = parse_bool(self._options.get("splunk-gzip", "false"))
        text = self._options.get("splunk-gzip-level", "-1")
        if text not in ("-1", *"0123456789"):
            raise EngineError(f"not supported level '{text}' for splunk-gzip-level (supported values between -1 and 9)")
        return (6 if text == "-1" else int(text)) if zipped else 0

    def _request(self, method: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Return the collector's status and answer. Raises OSError, http.client.HTTPException."""
        connection: http.client.HTTPConnection
        if self._secure:
            connection = http.client.HTTPSConnection(self._place, timeout=CONNECT_SECONDS, context=self._context)
        else:
            connection = http.client.HTTPConnection(self._place, timeout=CONNECT_SECONDS)
        try:
            connection.request(method, PATH, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(4096)
        finally:
            connection.close()

    def _verify(self) -> None:
        lead = f'Options "{self._options["splunk-url"].rstrip("/")}{PATH}": '
        host, _, port = self._place.rpartition(":") if ":" in self._place else (self._place, "", "")
        try:
            status, answer = self._request("OPTIONS", b"", {})
        except (OSError, http.client.HTTPException) as error:
            words = (getattr(error, "strerror", "") or str(error)).lower()
            raise EngineError(
                f"{lead}dial tcp {host}:{port or (443 if self._secure else 80)}: connect: {words}"
            ) from None
        if status != 200:
            words = http.client.responses.get(status, "")
            raise EngineError(
                f"splunk: failed to verify connection - {status} {words} - {answer.decode('utf-8', 'replace')}"
            )

    def log(self, message: Message) -> None:
        event = log_messages.splunk(message, self.source, form=self._form, fields=self._fields)
        if not event:
            return
        if not self._events:
            self._next = time.monotonic() + SECONDS
        self._events.append(event)
        if len(self._events) % BATCH == 0 or time.monotonic() >= self._next:
            self.flush()

    def patience(self) -> float | None:
        return max(0.0, (self._next - time.monotonic()) * 1000) if self._events else None

    def flush(self) -> None:
        """Post what is there, in batches; what is not taken stays for the next time."""
        self._next = time.monotonic() + SECONDS
        while self._events:
            body = b"".join(self._events[:BATCH])
            headers = {"Authorization": f"Splunk {self._options['splunk-token']}"}
            if self._channel:
                headers["X-Splunk-Request-Channel"] = self._channel
            if self._level:
                headers["Content-Encoding"] = "gzip"
                body = gzip.compress(body, self._level)
            try:
                status, _ = self._request("POST", body, headers)
            except (OSError, http.client.HTTPException):
                status = 0
            if status != 200:
                del self._events[: max(0, len(self._events) - BUFFERED)]
                self.sleep(0)
                return
            del self._events[:BATCH]
