"""Functions that encode, decode and hash, and those that make identifiers."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import urllib.parse
import uuid

from hyperbox.go.text import quote
from hyperbox.hcl import numbers
from hyperbox.hcl.csv_text import csv_rows
from hyperbox.hcl.functions import Function, FunctionError, Parameter, numeric, text, whole_number
from hyperbox.hcl.types import BYTES, STRING, object_of
from hyperbox.hcl.values import (
    NULL,
    LimitError,
    Value,
    boolean,
    list_value,
    number,
    object_value,
    string,
    tuple_value,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_NAMESPACES = {
    "dns": uuid.NAMESPACE_DNS,
    "url": uuid.NAMESPACE_URL,
    "oid": uuid.NAMESPACE_OID,
    "x500": uuid.NAMESPACE_X500,
}


def _encode(value: Value) -> Value:
    return string(base64.b64encode(_bytes(value)).decode())


def _bytes(value: Value) -> bytes:
    return value.text.encode(errors="surrogateescape")


def _decode(value: Value) -> Value:
    cleaned = value.text.replace("\r", "").replace("\n", "")
    try:
        found = base64.b64decode(cleaned.encode(), validate=True)
    except (binascii.Error, ValueError):
        raise FunctionError(f"failed to decode base64 data '{value.text}'") from None
    try:
        return string(found.decode())
    except UnicodeDecodeError:
        raise FunctionError("the result of decoding the the provided string is not valid UTF-8") from None


def _url_encode(value: Value) -> Value:
    return string(urllib.parse.quote_plus(_bytes(value), safe=""))


def _hash(name: str) -> Callable[[Value], Value]:
    def run(value: Value) -> Value:
        return string(hashlib.new(name, _bytes(value), usedforsecurity=False).hexdigest())

    return run


def _random_uuid() -> Value:
    return string(str(uuid.uuid4()))


def _named_uuid(space: Value, name: Value) -> Value:
    given = space.text
    found = _NAMESPACES.get(given)
    if found is None:
        try:
            found = uuid.UUID(given)
        except ValueError:
            reason = f"invalid UUID length: {len(given.encode())}" if len(given) != 36 else "invalid UUID format"
            raise FunctionError(f"uuidv5() doesn't support namespace {given} ({reason})") from None
    return string(str(uuid.uuid5(found, name.text)))


def _bcrypt(value: Value, *costs: Value) -> Value:
    if len(costs) > 1:
        raise FunctionError("bcrypt() takes no more than two arguments")
    cost = whole_number(costs[0]) if costs else 10
    lead = "error occured generating password "
    if not 4 <= cost <= 31 and cost >= 4:
        raise FunctionError(f"{lead}crypto/bcrypt: cost {cost} is outside allowed inclusive range 4..31")
    cost = cost if cost >= 4 else 10
    if len(_bytes(value)) > 72:
        raise FunctionError(f"{lead}bcrypt: password length exceeds 72 bytes")
    if cost > 14:
        raise FunctionError(f"a cost of {cost} takes too long: HyperBox goes up to 14")
    try:
        import bcrypt  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise FunctionError('it needs the Python package "bcrypt", which is not installed') from None
    return string(bcrypt.hashpw(_bytes(value), bcrypt.gensalt(cost, b"2a")).decode())


def _rsa_decrypt(value: Value, key: Value) -> Value:
    from hyperbox.hcl.rsa import decrypt

    try:
        sealed = base64.b64decode(value.text.encode(), validate=True)
    except (binascii.Error, ValueError):
        raise FunctionError(f"failed to decode input {quote(value.text)}: cipher text must be base64-encoded") from None
    return string(decrypt(sealed, key.text).decode(errors="replace"))


def _csv(value: Value) -> Value:
    rows = csv_rows(value.text)
    if not rows:
        raise FunctionError("missing header line")
    names = rows[0]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise FunctionError(f"duplicate column name {quote(name)}")
    made = []
    for line, row in enumerate(rows[1:], 2):
        if len(row) != len(names):
            raise FunctionError(f"CSV parse error on line {line}: wrong number of fields")
        made.append(object_value({name: string(field) for name, field in zip(names, row, strict=True)}))
    return list_value(made, object_of(dict.fromkeys(names, STRING)))


def _json(value: Value) -> Value:
    try:
        decoder = json.JSONDecoder(parse_float=_json_number, parse_int=_json_number, parse_constant=_no_constant)
        found, end = decoder.raw_decode(value.text.strip(" \t\r\n"))
    except json.JSONDecodeError as error:
        raise FunctionError(_json_error(value.text, error)) from None
    except RecursionError:
        raise LimitError("a JSON text is nested too deeply") from None
    if end < len(value.text.strip(" \t\r\n")):
        raise FunctionError("extraneous data after JSON object")
    return _from_json(found)


def _json_number(written: str) -> Value:
    found = numbers.parse(written)
    if found is None:
        raise LimitError("a number is too large")
    return number(found)


def _no_constant(written: str) -> Value:
    raise FunctionError(f"invalid character '{written[0]}' looking for beginning of value")


def _json_error(source: str, error: json.JSONDecodeError) -> str:
    rest = source.strip(" \t\r\n")[error.pos :]
    if not rest:
        return "EOF"
    if error.msg.startswith("Expecting value"):
        return f"invalid character '{rest[0]}' looking for beginning of value"
    return f"invalid character '{rest[0]}'"


def _from_json(found: object) -> Value:
    match found:
        case Value():
            return found
        case str():
            return string(found)
        case bool():
            return boolean(found)
        case dict():
            return object_value({name: _from_json(item) for name, item in found.items()})
        case list():
            return tuple_value([_from_json(item) for item in found])
        case _:
            return NULL


def _bytes_length(value: Value) -> Value:
    assert isinstance(value.data, bytes)
    return number(len(value.data))


def _bytes_slice(value: Value, offset: Value, length: Value) -> Value:
    assert isinstance(value.data, bytes)
    start, count = whole_number(offset), whole_number(length)
    return Value(BYTES, value.data[start : start + count])


def _home() -> Value:
    """Return the home folder of who runs this."""
    return string(os.path.expanduser("~"))


_STR = (text("str"),)
FUNCTIONS: dict[str, Function] = {
    "base64decode": Function(_decode, _STR),
    "base64encode": Function(_encode, _STR),
    "bcrypt": Function(_bcrypt, _STR, numeric("cost")),
    "byteslen": Function(_bytes_length, (Parameter("buf", BYTES),)),
    "bytesslice": Function(_bytes_slice, (Parameter("buf", BYTES), numeric("offset"), numeric("length"))),
    "csvdecode": Function(_csv, _STR),
    "homedir": Function(_home),
    "jsondecode": Function(_json, _STR),
    "md5": Function(_hash("md5"), _STR),
    "rsadecrypt": Function(_rsa_decrypt, (text("ciphertext"), text("privatekey"))),
    "sha1": Function(_hash("sha1"), _STR),
    "sha256": Function(_hash("sha256"), _STR),
    "sha512": Function(_hash("sha512"), _STR),
    "urlencode": Function(_url_encode, _STR),
    "uuidv4": Function(_random_uuid),
    "uuidv5": Function(_named_uuid, (text("namespace"), text("name"))),
}
