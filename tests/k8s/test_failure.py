"""Answers of the API server become errors of ours, in words that are safe to show."""

import json

import pytest

from bot.domain.errors import ClusterError, GoneError, RaceError, RefusedError
from k8s.failure import BARE, failure
from k8s.messages import LONGEST

WHAT = "HTTPRoute `default/llm-route`"
GRANT = "Grant it to the bot's ServiceAccount in a Role, as `manifests/kustomize/rights` does."


def a_body(message: str, **fields: object) -> bytes:
    return json.dumps({"kind": "Status", "message": message, **fields}).encode()


@pytest.mark.parametrize(
    ("code", "body", "kind", "text"),
    [
        (422, a_body(BARE, reason="Invalid", details={}), RaceError, f"{WHAT} changed since it was read."),
        (422, a_body(BARE), RaceError, f"{WHAT} changed since it was read."),
        (409, a_body("the object has been modified"), RaceError, f"{WHAT} changed since it was read."),
        (
            422,
            a_body("weight: Invalid value: -1", details={"causes": [{"field": "weight"}]}),
            RefusedError,
            f"The API server refused {WHAT} (422): weight: Invalid value: -1",
        ),
        (
            422,
            a_body('admission webhook "policy.example.com" denied the request: not on Fridays'),
            RefusedError,
            f'The API server refused {WHAT} (422): admission webhook "policy.example.com" denied the request: '
            "not on Fridays",
        ),
        (
            403,
            a_body('admission webhook "policy.example.com" denied the request: no'),
            RefusedError,
            f'The API server refused {WHAT} (403): admission webhook "policy.example.com" denied the request: no',
        ),
        (
            403,
            a_body('pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "a"'),
            RefusedError,
            f"The bot may not `list` `pods` in namespace `a`. {GRANT}",
        ),
        (
            403,
            a_body('User "x" cannot watch resource "pods" in API group "" at the cluster scope'),
            RefusedError,
            f"The bot may not `watch` `pods` in the whole cluster. {GRANT}",
        ),
        (
            401,
            a_body("Unauthorized"),
            ClusterError,
            "The API server does not know the bot (401). Check its token or kubeconfig.",
        ),
        (404, a_body("x", reason="NotFound", details={"name": "llm-route"}), GoneError, f"{WHAT} is not there (404)."),
        (400, b"", RefusedError, f"The API server refused {WHAT} (400): it gave no reason"),
        (415, b"[1]", RefusedError, f"The API server refused {WHAT} (415): it gave no reason"),
        (503, b"\xff", ClusterError, f"The API server answered 503 (asked for {WHAT})."),
        (301, b"", ClusterError, f"The API server answered 301 (asked for {WHAT})."),
        (
            500,
            a_body('Internal error: failed calling webhook "w.example.com": Post "https://w.svc:443/": refused'),
            ClusterError,
            f"The API server answered 500 because it failed to call the webhook `w.example.com` (asked for {WHAT}).",
        ),
    ],
)
def test_an_answer_becomes_our_error(code: int, body: bytes, kind: type[ClusterError], text: str) -> None:
    error = failure(code, body, WHAT)

    assert (type(error), str(error)) == (kind, text)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 0.0), ("7", 7.0), ("", 0.0), ("-1", 0.0), ("٣", 0.0), ("Tue, 24 Nov 2026 12:00:00 GMT", 0.0)],
)
def test_how_long_the_api_server_wants_to_be_left_alone_is_known(header: str | None, seconds: float) -> None:
    assert failure(429, b"", WHAT, retry_after=header).retry_after == seconds


def test_addresses_and_tokens_are_cut_out_of_a_message() -> None:
    message = (
        'denied by https://user:pw@10.0.0.1:443/x?y for "Bearer abcdefghijkl", eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJr.x'
        " and xoxb-123-456-abc"
    )

    assert str(failure(400, a_body(message), WHAT)) == (
        f'The API server refused {WHAT} (400): denied by … for "…", … and …'
    )


def test_a_long_message_is_cut() -> None:
    text = str(failure(400, a_body("x" * 5000), WHAT))

    assert text.endswith("x…")
    assert len(text) == len(f"The API server refused {WHAT} (400): ") + LONGEST
