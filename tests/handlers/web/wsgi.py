"""Calls a WSGI application without a server."""

from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults


def call(serve: Any, path: str, *, method: str = "GET", body: bytes = b"", **environment: str) -> tuple[int, str]:
    """Return the status and the body of the answer."""
    environ: dict[str, Any] = {"SERVER_PROTOCOL": "HTTP/1.1"}
    setup_testing_defaults(environ)
    environ.update(REQUEST_METHOD=method, PATH_INFO=path, CONTENT_LENGTH=str(len(body)), REMOTE_ADDR="192.0.2.7")
    environ.update({"wsgi.input": BytesIO(body), **environment})
    statuses: list[str] = []

    def start(status: str, headers: list[tuple[str, str]]) -> None:
        statuses.append(status)

    answered = b"".join(serve(environ, start))
    return int(statuses[0].split()[0]), answered.decode()
