"""What a registry's answers mean where they are errors, in the words of docker's engine (its package registry/api/errcode and client).

An error document is {"errors": [{"code", "message", "detail"}]}. The engine tells of the first one only; one that has no detail and the usual
message of its code is told by the code alone. Answers that are no such documents are told by their text or by their status.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from hyperbox.errors import EngineError
from hyperbox.go.json_reading import first_value
from hyperbox.go.text import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    import http.client

LIMIT = 1 << 16
JSON_TYPES = ("application/json", "application/vnd.api+json", "")
# code -> the message that it has of itself
USUAL = {
    "UNKNOWN": "unknown error",
    "UNSUPPORTED": "The operation is unsupported.",
    "UNAUTHORIZED": "authentication required",
    "DENIED": "requested access to the resource is denied",
    "UNAVAILABLE": "service unavailable",
    "TOOMANYREQUESTS": "too many requests",
    "DIGEST_INVALID": "provided digest did not match uploaded content",
    "SIZE_INVALID": "provided length did not match content length",
    "RANGE_INVALID": "invalid content range",
    "NAME_INVALID": "invalid repository name",
    "TAG_INVALID": "manifest tag did not match URI",
    "NAME_UNKNOWN": "repository name not known to registry",
    "MANIFEST_UNKNOWN": "manifest unknown",
    "MANIFEST_INVALID": "manifest invalid",
    "MANIFEST_UNVERIFIED": "manifest failed signature verification",
    "MANIFEST_BLOB_UNKNOWN": "blob unknown to registry",
    "BLOB_UNKNOWN": "blob unknown to registry",
    "BLOB_UPLOAD_UNKNOWN": "blob upload unknown to registry",
    "BLOB_UPLOAD_INVALID": "blob upload invalid",
}
# status -> the code of an answer that names none
STATUS_CODES = {401: "UNAUTHORIZED", 403: "DENIED", 429: "TOOMANYREQUESTS"}


class Refusal(NamedTuple):
    """One error: docker's words for it, and its code where it has more than that ("" else)."""

    words: str
    code: str = ""


def refusal_of(response: http.client.HTTPResponse) -> Refusal:
    """Read an answer that is an error and return what docker tells of it."""
    from hyperbox.image.registry import REFUSED, parsed_challenge

    if not 400 <= response.status < 500:
        reason = response.reason or ""
        return Refusal(f"received unexpected HTTP status: {response.status} {reason}".rstrip())
    scheme, fields = parsed_challenge(response.headers.get("WWW-Authenticate", ""))
    if scheme == "bearer" and fields.get("error") in REFUSED:
        return Refusal(
            REFUSED[fields["error"]], "DENIED" if fields["error"] == "insufficient_scope" else "UNAUTHORIZED"
        )
    body = response.read(LIMIT)
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
    return document_refusal(response.status, kind, body.decode("utf-8", "replace"))


def document_refusal(status: int, kind: str, text: str) -> Refusal:
    """Return what the body of an answer says."""
    if kind not in JSON_TYPES:
        return _named(STATUS_CODES.get(status, "UNKNOWN"), text)
    value, wrong = first_value(text)
    document = json.loads(value) if not wrong else None
    if isinstance(document, dict) and isinstance(document.get("details"), str) and document["details"]:
        return _named(STATUS_CODES.get(status, "UNKNOWN"), document["details"])
    errors = document.get("errors") if isinstance(document, dict) else None
    found = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    if not found:
        if status == 401:
            return Refusal("unauthorized: authentication required")
        problem = unmarshalled(wrong) or "no error details found in HTTP response body"
        return Refusal(f"error parsing HTTP {status} response body: {problem}: {quote(text)}")
    code, message = str(found[0].get("code") or "UNKNOWN"), str(found[0].get("message") or "")
    code = code if code in USUAL else "UNKNOWN"
    if found[0].get("detail") is None and message in ("", USUAL[code]):
        return Refusal(_word(code))
    return _named(code, message)


def _word(code: str) -> str:
    return code.lower().replace("_", " ")


def unmarshalled(words: str) -> str:
    """Return the words of Go's json.Unmarshal for those of its decoder."""
    return "unexpected end of JSON input" if words == "unexpected EOF" else words


def _named(code: str, message: str) -> Refusal:
    return Refusal(f"{_word(code)}: {message}", code)


def pull_error(refusal: Refusal, familiar: str, reference: str) -> str:
    """Return what docker says of a pull that was refused."""
    if refusal.code == "DENIED":
        return f"pull access denied for {familiar}, repository does not exist or may require 'docker login': {refusal.words}"
    if refusal.code == "MANIFEST_UNKNOWN":
        return f"manifest for {reference} not found: {refusal.words}"
    if refusal.code == "NAME_UNKNOWN":
        return f"repository {familiar} not found: {refusal.words}"
    return refusal.words


def go_document(data: bytes, prefix: str = "") -> object:
    """Return a JSON document. Raises EngineError with Go's words for what is none, behind `prefix`."""
    value, wrong = first_value(data.decode("utf-8", "replace"))
    if wrong:
        raise EngineError(f"{prefix}{unmarshalled(wrong)}")
    document: object = json.loads(value)
    return document
