"""Slack's requests over HTTP: without its signature nothing is read, and with it nothing breaks."""

import hashlib
import hmac
import json
import logging
import time
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_bolt import Ack, App

from handlers.app import bolt_app, web_client
from handlers.web.slack_requests import PATH, slack_requests
from tests.handlers.web.wsgi import call

SECRET = "a-signing-secret"
WHO = {"user_id": "U1", "channel_id": "C1", "trigger_id": "1.2.abc"}
COMMAND = urlencode({"command": "/rollout", "text": "help", **WHO})
EVENT = json.dumps({"type": "event_callback", "event": {"type": "app_home_opened", "user": "U1", "tab": "home"}})
CLICK = {"type": "block_actions", "user": {"id": "U1"}, "actions": [{"type": "button", "action_id": "press"}]}


def app() -> App:
    app = bolt_app(web_client("xoxb-test"))

    @app.command("/rollout")
    def rollout(ack: Ack, command: dict[str, Any]) -> None:
        ack(f"heard {sorted(command)}")

    @app.action("press")
    def pressed(ack: Ack) -> None:
        ack()

    @app.event("app_home_opened")
    def opened() -> None:
        pass

    return app


SERVE = slack_requests(app(), SECRET)


def headers(body: bytes, *, stamp: str = "", secret: str = SECRET) -> dict[str, str]:
    when = stamp or str(int(time.time()))
    digest = hmac.new(secret.encode(), b"v0:" + when.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"HTTP_X_SLACK_REQUEST_TIMESTAMP": when, "HTTP_X_SLACK_SIGNATURE": f"v0={digest}"}


def post(body: str | bytes, serve: Any = SERVE) -> tuple[int, str]:
    """Send a body that Slack has signed."""
    sent = body.encode() if isinstance(body, str) else body
    return call(serve, PATH, method="POST", body=sent, **headers(sent))


def refused(**changes: str) -> int:
    """Return the status for a command whose signature is not quite right."""
    right = headers(COMMAND.encode())
    return call(SERVE, PATH, method="POST", body=COMMAND.encode(), **(right | changes))[0]


def test_a_signed_command_is_heard_without_what_nobody_reads() -> None:
    body = urlencode({"command": "/rollout", "text": "help", "token": "x", "enterprise": "[]", **WHO})
    assert post(body) == (200, "heard ['channel_id', 'command', 'text', 'trigger_id', 'user_id']")


@pytest.mark.parametrize(
    ("body", "heard"),
    [
        (EVENT, (200, "")),
        (urlencode({"payload": json.dumps(CLICK)}), (200, "")),
        (json.dumps({"type": "url_verification", "challenge": "abc"}), (200, '{"challenge": "abc"}')),
    ],
)
def test_each_kind_of_request_is_heard(body: str, heard: tuple[int, str]) -> None:
    assert post(body) == heard


def test_a_request_signed_by_somebody_else_is_refused() -> None:
    assert refused(**headers(COMMAND.encode(), secret="another")) == 401
    assert refused(**headers(b"another body")) == 401


@pytest.mark.parametrize("age", [-400, 400])
def test_a_request_of_another_time_is_refused(age: int) -> None:
    assert refused(**headers(COMMAND.encode(), stamp=str(int(time.time()) + age))) == 401


@pytest.mark.parametrize("stamp", ["", "soon", "١٢٣", "1.5", "-1", "9" * 40, "1\n2"])
def test_a_timestamp_that_is_no_number_is_refused(stamp: str) -> None:
    assert refused(HTTP_X_SLACK_REQUEST_TIMESTAMP=stamp) == 401


@pytest.mark.parametrize("signature", ["", "v0=é", "v0=\xff", "v1=00", "\udcff", "v0=" + "0" * 64])
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    assert refused(HTTP_X_SLACK_SIGNATURE=signature) == 401


def test_a_body_that_is_no_text_is_refused_even_with_a_signature() -> None:
    assert post(b"\xff\xfe")[0] == 401


@given(
    st.text(max_size=80).map(lambda text: text.encode("latin-1", "replace").decode("latin-1")),
    st.text(max_size=20),
    st.binary(max_size=200),
)
def test_nothing_of_an_unsigned_request_is_read(signature: str, stamp: str, body: bytes) -> None:
    forged = {"HTTP_X_SLACK_SIGNATURE": signature, "HTTP_X_SLACK_REQUEST_TIMESTAMP": stamp}
    assert call(SERVE, PATH, method="POST", body=body, **forged) == (401, "unauthorized\n")


def test_many_unsigned_requests_are_one_short_line(caplog: pytest.LogCaptureFixture) -> None:
    serve = slack_requests(app(), SECRET)
    for _ in range(50):
        call(serve, PATH, method="POST", body=b"a." * 100_000)
    assert [record.getMessage() for record in caplog.records] == [
        "Refused requests without Slack's signature: 1, the last from 192.0.2.7."
    ]


NESTED = "[" * 100_000
MALFORMED = {
    "nothing": "",
    "JSON where a form is meant": json.dumps({"command": "/rollout"}),
    "a list": "[1, 2]",
    "a payload that is a list": urlencode({"payload": "[]"}),
    "a payload that is a number": urlencode({"payload": "1"}),
    "a payload that is no JSON": urlencode({"payload": "{"}),
    "a payload nested deeply": urlencode({"payload": NESTED}),
    "an event nested deeply": f'{{"type": {NESTED}',
    "a type that is a list": json.dumps({"type": ["block_actions"]}),
    "a type nobody knows": json.dumps({"type": "shortcut"}),
    "no person": urlencode({"command": "/rollout", "channel_id": "C1", "trigger_id": "1"}),
    "no trigger": urlencode({"command": "/rollout", "channel_id": "C1", "user_id": "U1"}),
    "a person with a line break": urlencode({"command": "/rollout", **WHO, "user_id": "U1\nforged"}),
    "a click on nothing": json.dumps({**CLICK, "actions": []}),
    "a click on a number": json.dumps({**CLICK, "actions": [1]}),
    "a click of nobody": json.dumps({**CLICK, "user": None}),
    "a click somewhere odd": json.dumps({**CLICK, "channel": ["C1"]}),
    "a form without a view": json.dumps({"type": "view_submission", "user": {"id": "U1"}}),
    "an event that is a text": json.dumps({"type": "event_callback", "event": "app_home_opened"}),
    "a number without end": f'{{"type": {"9" * 5000}}}',
    "fields without end": "&".join(f"a{number}=1" for number in range(2000)),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_a_signed_request_that_nobody_can_read_is_400_and_one_line(body: str, caplog: pytest.LogCaptureFixture) -> None:
    assert post(body) == (400, "bad request\n")
    (record,) = caplog.records
    assert (record.levelno, record.exc_info) == (logging.WARNING, None)
    assert record.getMessage().startswith("A request from Slack cannot be read: ")
    assert len(record.getMessage()) < 200


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
)
KEYS = st.sampled_from(
    [
        *("team", "user", "channel", "container", "actions", "view", "event", "type", "user_id", "team_id"),
        *("channel_id", "response_url", "response_urls", "authorizations", "enterprise", "message", "item"),
        *("is_ext_shared_channel", "function_data", "trigger_id", "command", "ssl_check"),
    ]
)


@given(
    st.sampled_from([CLICK, json.loads(EVENT), {"type": "view_submission"}, {"command": "/rollout", **WHO}]),
    st.dictionaries(KEYS, ODD, max_size=4),
)
def test_whatever_slack_signs_is_answered_with_200_or_4xx(right: dict[str, Any], odd: dict[str, Any]) -> None:
    status, _ = post(urlencode({"payload": json.dumps(right | odd)}))
    assert status in (200, 400, 404)


def test_a_process_that_ends_takes_nothing() -> None:
    serve = slack_requests(app(), SECRET, is_ending=lambda: True)
    assert post(COMMAND, serve) == (503, "stopping\n")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", PATH), ("POST", "/"), ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"), ("POST", f"{PATH}/")],
)
def test_anything_else_is_not_found(method: str, path: str) -> None:
    assert call(SERVE, path, method=method) == (404, "not found\n")


SUBMISSION = {"type": "view_submission", "user": {"id": "U1"}, "view": {"type": "modal", "callback_id": "rollout_end"}}


@pytest.mark.parametrize("payload", [SUBMISSION, CLICK, json.loads(EVENT)], ids=["dialog", "click", "event"])
def test_a_payload_without_any_part_of_it_is_refused_or_has_no_effect_and_never_breaks(payload: dict[str, Any]) -> None:
    answers = {path: post(json.dumps(without(payload, path)))[0] for path in paths(payload)}
    assert {path: status for path, status in answers.items() if status not in (200, 400, 404)} == {}


def paths(document: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return where every part of a document is, by keys."""
    found = [(*above, key) for key in document]
    return found + [
        path for key in document if isinstance(document[key], dict) for path in paths(document[key], (*above, key))
    ]


def without(document: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    first, *rest = path
    if not rest:
        return {key: value for key, value in document.items() if key != first}
    return {**document, first: without(document[first], tuple(rest))}


def test_of_a_payload_that_nobody_listens_to_one_line_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    body = urlencode({"command": "/evil", "text": "a secret", **WHO})
    assert post(body)[0] == 404
    assert [record.getMessage() for record in caplog.records] == ["No part of the bot listens to what Slack sent."]
