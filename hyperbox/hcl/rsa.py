"""RSA decryption as the function `rsadecrypt` does it: PKCS #1 v1.5, with an unencrypted private key in PEM."""

from __future__ import annotations

import base64
import binascii
import re

from hyperbox.hcl.functions import FunctionError

_PEM = re.compile(r"-----BEGIN ((?:RSA )?PRIVATE KEY)-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END \1-----")


def decrypt(sealed: bytes, pem: str) -> bytes:
    """Return the text that was sealed for a key. Raises FunctionError."""
    modulus, exponent = _key(pem)
    size = (modulus.bit_length() + 7) // 8
    value = int.from_bytes(sealed, "big")
    if len(sealed) != size or value >= modulus:
        raise FunctionError("failed to decrypt: crypto/rsa: decryption error")
    opened = pow(value, exponent, modulus).to_bytes(size, "big")
    end = opened.find(b"\0", 2)
    if opened[:2] != b"\0\2" or end < 10:
        raise FunctionError("failed to decrypt: crypto/rsa: decryption error")
    return opened[end + 1 :]


def _key(pem: str) -> tuple[int, int]:
    """Return a private key's modulus and exponent."""
    match = _PEM.search(pem)
    if match is None:
        raise FunctionError("failed to parse key: ssh: no key found")
    try:
        data = base64.b64decode(re.sub(r"\s", "", match[2]), validate=True)
        fields = _sequence(data)
        if match[1] == "PRIVATE KEY":  # PKCS #8 wraps the key in an octet string
            fields = _sequence(fields[2])
        modulus, exponent = int.from_bytes(fields[1], "big"), int.from_bytes(fields[3], "big")
    except (binascii.Error, ValueError, IndexError):
        raise FunctionError("failed to parse key: the private key is malformed") from None
    if not 64 <= modulus.bit_length() <= 16384:
        raise FunctionError("failed to parse key: the private key is malformed")
    return modulus, exponent


def _sequence(data: bytes) -> list[bytes]:
    """Return the contents of the fields of a DER sequence."""
    tag, content, _ = _field(data)
    if tag != 0x30:
        raise ValueError("no sequence")
    fields = []
    while content:
        _, field, content = _field(content)
        fields.append(field)
    return fields


def _field(data: bytes) -> tuple[int, bytes, bytes]:
    """Return a DER field: (tag, content, what follows)."""
    length, start = data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    if start + length > len(data):
        raise ValueError("cut off")
    return data[0], data[start : start + length], data[start + length :]
