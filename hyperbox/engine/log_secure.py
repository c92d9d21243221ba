"""TLS connections of the logging drivers. Its own module: only they load ssl, which is large."""

from __future__ import annotations

import ssl
from socket import create_connection

from hyperbox.errors import EngineError
from hyperbox.go.text import TRUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

    Address = tuple[str, str, int]

CONNECT_SECONDS = 10.0


def connect(address: Address, context: ssl.SSLContext) -> _socket.socket:
    """Return a TLS connection after its handshake. Writes wait, for as long as a message may take. Raises OSError."""
    plain = create_connection((address[1], address[2]), timeout=CONNECT_SECONDS)
    try:
        return context.wrap_socket(plain, server_hostname=address[1])
    except BaseException:
        plain.close()
        raise


def syslog_context(options: dict[str, str]) -> ssl.SSLContext:
    """Return what syslog-tls-* say. Raises EngineError with docker's words for files that are not there."""
    context = ssl.create_default_context()
    authority = options.get("syslog-tls-ca-cert", "")
    if authority:
        try:
            context.load_verify_locations(authority)
        except OSError as error:
            words = (error.strerror or str(error)).lower()
            raise EngineError(f'could not read CA certificate "{authority}": open {authority}: {words}') from None
    certificate, key = options.get("syslog-tls-cert", ""), options.get("syslog-tls-key", "")
    if certificate or key:
        try:
            context.load_cert_chain(certificate, key)
        except OSError as error:
            words = (error.strerror or str(error)).lower()
            raise EngineError(
                f"could not load X509 key pair: open {certificate}: {words}. Make sure the key is not encrypted"
            ) from None
    if options.get("syslog-tls-skip-verify", "") in TRUE:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def syslog_socket(address: Address, options: dict[str, str]) -> _socket.socket:
    """Return a TLS connection with a syslog server. Raises OSError, EngineError."""
    return connect(address, syslog_context(options))


def fluentd_socket(address: Address) -> _socket.socket:
    """Return a TLS connection with fluentd. Raises OSError."""
    return connect(address, ssl.create_default_context())
