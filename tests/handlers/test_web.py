import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any
from urllib.parse import urlencode
from wsgiref.util import setup_testing_defaults

import pytest
import urllib3
import waitress
from slack_bolt import Ack, App

from handlers.app import bolt_app, web_client
from handlers.web import drain, web

SECRET = "a-signing-secret"


def app() -> App:
    app = bolt_app(web_client("xoxb-test"), signing_secret=SECRET)

    @app.command("/rollout")
    def rollout(ack: Ack) -> None:
        ack("heard")

    return app


def call(
    path: str,
    *,
    method: str = "GET",
    body: bytes = b"",
    checks: Any = None,
    ending: bool = False,
    warnings: Sequence[str] = (),
    **headers: str,
) -> tuple[int, str]:
    environ: dict[str, Any] = {"SERVER_PROTOCOL": "HTTP/1.1"}
    setup_testing_defaults(environ)
    environ.update(REQUEST_METHOD=method, PATH_INFO=path, CONTENT_LENGTH=str(len(body)), QUERY_STRING="")
    environ.update({"wsgi.input": BytesIO(body), "CONTENT_TYPE": "application/x-www-form-urlencoded", **headers})
    status: list[str] = []

    def start(line: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], object]:
        status.append(line)
        return status.append  # type: ignore[return-value]

    serve = web(checks or {}, app=app(), is_ending=lambda: ending, warnings=lambda: warnings)
    answer = b"".join(serve(environ, start))
    return int(status[0].split()[0]), answer.decode()


def post(body: str, *, stamp: str | None = None, secret: str = SECRET, ending: bool = False) -> tuple[int, str]:
    when = str(int(time.time())) if stamp is None else stamp
    signed = hmac.new(secret.encode(), f"v0:{when}:{body}".encode(), hashlib.sha256).hexdigest()
    headers = {"HTTP_X_SLACK_REQUEST_TIMESTAMP": when, "HTTP_X_SLACK_SIGNATURE": f"v0={signed}"}
    return call("/slack/events", method="POST", body=body.encode(), ending=ending, **headers)


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


def test_a_process_that_ends_lives_but_takes_nothing() -> None:
    assert post(COMMAND, ending=True) == (503, "stopping\n")
    assert call("/readyz", ending=True) == (503, "stopping\n")
    assert call("/healthz", ending=True)[0] == 200


def test_people_who_asked_get_the_whole_answer_before_the_end() -> None:
    entered, may_answer = threading.Event(), threading.Event()

    def slow(environ: Any, start: Any) -> list[bytes]:
        entered.set()
        may_answer.wait()
        start("200 OK", [("Content-Length", "5")])
        return [b"whole"]

    server = waitress.create_server(slow, host="127.0.0.1", port=0, threads=1)
    running = threading.Thread(target=server.run)
    running.start()
    with ThreadPoolExecutor(2) as pool, urllib3.PoolManager() as http:
        address = f"http://127.0.0.1:{server.effective_port}/"
        asked = pool.submit(lambda: http.request("GET", address, retries=False).data)
        assert entered.wait(5)
        drained = pool.submit(drain, server)
        with pytest.raises(TimeoutError):
            drained.result(0.1)
        may_answer.set()
        drained.result(5)
        assert asked.result(5) == b"whole"
    server.trigger.pull_trigger(server.close)  # in the server's own thread, which may be in `select` on these files
    running.join()
    server.task_dispatcher.shutdown()


def test_metrics_are_served() -> None:
    status, text = call("/metrics")
    assert (status, "# HELP" in text) == (200, True)


def test_anything_else_is_not_found() -> None:
    assert call("/")[0] == 404
    assert json.dumps(call("/slack/events")[0]) == "404"


def test_a_bot_with_a_warning_is_ready_and_says_it() -> None:
    assert call("/readyz", warnings=["The bot may not `watch` it."]) == (
        200,
        "ready\nwarning: The bot may not `watch` it.\n",
    )
