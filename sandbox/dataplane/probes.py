"""Probes of a kubelet: HTTP, and the health service of gRPC."""

import http.client
import socket
import struct

PROBE_SECONDS = 1.0
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_ACK, _END_STREAM, _END_HEADERS = 1, 1, 4
_SERVING = b"\x08\x01"
"""A HealthCheckResponse whose first field, the status, is 1."""


def http_answers(address: str, port: int, path: str) -> bool:
    """Return whether a GET is answered with a status below 400."""
    connection = http.client.HTTPConnection(address, port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def grpc_serves(address: str, port: int, service: str) -> bool:
    """Return whether ``grpc.health.v1.Health/Check`` answers SERVING for a service."""
    try:
        with socket.create_connection((address, port), PROBE_SECONDS) as connection:
            connection.settimeout(PROBE_SECONDS)
            connection.sendall(_health_check(service))
            return _answer(connection) == _SERVING
    except OSError:
        return False


def _health_check(service: str) -> bytes:
    """Return the bytes of one HTTP/2 request: too few to need a library for gRPC."""
    name = service.encode()
    headers = b"\x83\x86" + b"".join(
        _literal(key, value)
        for key, value in (
            (b":path", b"/grpc.health.v1.Health/Check"),
            (b":authority", b"sandbox"),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
        )
    )
    message = b"\x0a" + bytes([len(name)]) + name
    body = b"\0" + struct.pack(">I", len(message)) + message
    return (
        _PREFACE
        + _frame(_SETTINGS, 0, 0, b"")
        + _frame(_HEADERS, _END_HEADERS, 1, headers)
        + _frame(_DATA, _END_STREAM, 1, body)
    )


def _literal(name: bytes, value: bytes) -> bytes:
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


def _answer(connection: socket.socket) -> bytes:
    """Return the message of the answer; empty if there is none."""
    with connection.makefile("rb") as incoming:
        while len(head := incoming.read(9)) == 9:
            kind, flags = head[3], head[4]
            body = incoming.read(int.from_bytes(head[:3], "big"))
            if kind == _DATA:
                return body[5:]
            if kind == _HEADERS and flags & _END_STREAM:
                return b""
            if kind == _SETTINGS and not flags & _ACK:
                connection.sendall(_frame(_SETTINGS, _ACK, 0, b""))
    return b""
