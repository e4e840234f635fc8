"""One request of a trial: over a connection of its own, without redirects, and never longer than its deadline."""

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import Any, Final

from bot.domain.trial import Answer, Ask

POD: Final = "x-inference-pod"
"""The header by which an answer says which pod gave it."""

MARK: Final = "x-rollout-try"
"""The header with which a request takes a trial's own route, and by which its answer says so."""

CONNECT: Final = 3.0
"""So many seconds an address has for a connection."""

LONGEST: Final = 64 * 1024
LONGEST_TEXT: Final = 2000


def ask_gateway(ask: Ask) -> Answer:
    """Send one request and say what became of it. It never raises."""
    begun = time.monotonic()
    try:
        return _answered(ask, begun)
    except TimeoutError:
        error = f"no answer in {ask.timeout.total_seconds():g} s"
    except ssl.SSLError as problem:
        error = f"TLS failed, {problem.reason or 'no reason'}"
    except ConnectionRefusedError:
        error = "connection refused"
    except (OSError, http.client.HTTPException):
        late = time.monotonic() - begun >= ask.timeout.total_seconds()
        error = f"no answer in {ask.timeout.total_seconds():g} s" if late else "connection broke"
    return Answer(milliseconds=_since(begun), error=error)


def _answered(ask: Ask, begun: float) -> Answer:
    seconds = ask.timeout.total_seconds()
    with closing(http.client.HTTPConnection(ask.address, ask.port, timeout=seconds)) as connection:
        connection.sock = _connected(ask, seconds)
        in_time = threading.Timer(max(0.0, seconds - (time.monotonic() - begun)), _cut, [connection.sock])
        in_time.daemon = True
        in_time.start()
        try:
            host = {"Host": ask.host} if ask.host else {}
            headers = {"Content-Type": "application/json", **host, **ask.headers}
            connection.request("POST", ask.path, json.dumps(ask.body), headers)
            response = connection.getresponse()
            body = response.read(LONGEST)
        finally:
            in_time.cancel()
        if len(body) < LONGEST and response.length:
            raise http.client.IncompleteRead(body, response.length)
        return Answer(
            pod=response.headers.get(POD, ""),
            mark=response.headers.get(MARK, ""),
            status=response.status,
            milliseconds=_since(begun),
            text=_text(body) if response.status == http.HTTPStatus.OK else "",
        )


def _connected(ask: Ask, seconds: float) -> socket.socket:
    sock = socket.create_connection((ask.address, ask.port), min(seconds, CONNECT))
    sock.settimeout(seconds)
    if not ask.is_tls:
        return sock
    try:
        return ssl.create_default_context().wrap_socket(sock, server_hostname=ask.host or ask.address)
    except BaseException:
        sock.close()
        raise


def _cut(sock: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _text(body: bytes) -> str:
    """Return what the model has answered; empty if that cannot be found."""
    with suppress(ValueError, KeyError, TypeError, IndexError, RecursionError):
        choice = json.loads(body)["choices"][0]
        text = choice["text"] if "text" in choice else choice["message"]["content"]
        return text[:LONGEST_TEXT] if isinstance(text, str) else ""  # a model that only thinks says nothing
    return ""


def body_of(path: str, model: str, prompt: str, tokens: int) -> Mapping[str, Any]:
    """Return what is sent to a model: to chat if the path says so, else to complete the prompt."""
    asks = {"model": model, "max_tokens": tokens, "temperature": 0}
    if path.endswith("/chat/completions"):
        return {**asks, "messages": [{"role": "user", "content": prompt}]}
    return {**asks, "prompt": prompt}


def _since(begun: float) -> int:
    return round(1000 * (time.monotonic() - begun))
