import hashlib
import hmac
import json
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import urlencode
from wsgiref.util import setup_testing_defaults

import pytest
from slack_bolt import Ack, App

from handlers.app import bolt_app, web_client
from handlers.web import web

SECRET = "a-signing-secret"


def app() -> App:
    app = bolt_app(web_client("xoxb-test"), signing_secret=SECRET)

    @app.command("/rollout")
    def rollout(ack: Ack) -> None:
        ack("heard")

    return app


def call(path: str, *, method: str = "GET", body: bytes = b"", checks: Any = None, **headers: str) -> tuple[int, str]:
    environ: dict[str, Any] = {"SERVER_PROTOCOL": "HTTP/1.1"}
    setup_testing_defaults(environ)
    environ.update(REQUEST_METHOD=method, PATH_INFO=path, CONTENT_LENGTH=str(len(body)), QUERY_STRING="")
    environ.update({"wsgi.input": BytesIO(body), "CONTENT_TYPE": "application/x-www-form-urlencoded", **headers})
    status: list[str] = []

    def start(line: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], object]:
        status.append(line)
        return status.append  # type: ignore[return-value]

    answer = b"".join(web(checks or {}, app=app())(environ, start))
    return int(status[0].split()[0]), answer.decode()


def post(body: str, *, stamp: str | None = None, secret: str = SECRET) -> tuple[int, str]:
    when = str(int(time.time())) if stamp is None else stamp
    signed = hmac.new(secret.encode(), f"v0:{when}:{body}".encode(), hashlib.sha256).hexdigest()
    headers = {"HTTP_X_SLACK_REQUEST_TIMESTAMP": when, "HTTP_X_SLACK_SIGNATURE": f"v0={signed}"}
    return call("/slack/events", method="POST", body=body.encode(), **headers)


COMMAND = urlencode({"command": "/rollout", "text": "help", "user_id": "U1", "team_id": "T1", "channel_id": "C1"})


def test_a_signed_request_is_heard() -> None:
    assert post(COMMAND) == (200, "heard")


def test_a_request_signed_by_somebody_else_is_refused() -> None:
    assert post(COMMAND, secret="another")[0] == 401


@pytest.mark.parametrize("stamp", ["", "soon", "١٢٣", "1.5", "-1", "9" * 40])
def test_a_timestamp_that_is_no_number_is_refused_and_not_stumbled_over(stamp: str) -> None:
    assert post(COMMAND, stamp=stamp)[0] == 401


def test_an_old_request_is_refused() -> None:
    assert post(COMMAND, stamp=str(int(time.time()) - 301))[0] == 401


def test_a_huge_request_is_not_read() -> None:
    status, _ = call("/slack/events", method="POST", HTTP_X_SLACK_REQUEST_TIMESTAMP="1", CONTENT_LENGTH="99999999")
    assert status == 413


def test_a_living_process_says_so() -> None:
    assert call("/healthz") == (200, "alive\n")


def test_readiness_names_what_is_missing() -> None:
    def broken() -> str:
        raise RuntimeError("a secret")

    checks = {"redis": lambda: "", "slack": lambda: "last pong 20 s ago", "cluster": broken}
    assert call("/readyz", checks=checks) == (503, "slack: last pong 20 s ago\ncluster: RuntimeError\n")
    assert call("/readyz", checks={"redis": lambda: ""}) == (200, "ready\n")


def test_metrics_are_served() -> None:
    status, text = call("/metrics")
    assert (status, "# HELP" in text) == (200, True)


def test_anything_else_is_not_found() -> None:
    assert call("/")[0] == 404
    assert json.dumps(call("/slack/events")[0]) == "404"
