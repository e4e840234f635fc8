"""The stand-in for Slack refuses what Slack refuses, fails on command, and waits three seconds."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import pytest
import urllib3
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier

from sandbox.slack import BOT, BOT_TOKEN, INFERENCE, SIGNING_SECRET
from sandbox.strict_slack import StrictSlack, strict_slack

ALICE = "U0ALICE001"
WORDS = {"type": "mrkdwn", "text": "10 %"}
CARD = [{"type": "section", "block_id": "card:r-1:1.1", "text": WORDS}]
BUTTON = {"type": "button", "action_id": "stop", "value": "v1", "text": {"type": "plain_text", "text": "Stop"}}
WITH_BUTTON = [*CARD, {"type": "actions", "block_id": "do", "elements": [BUTTON]}]
INPUT = {
    "type": "input",
    "block_id": "why",
    "label": {"type": "plain_text", "text": "Why?"},
    "hint": {"type": "plain_text", "text": "In a few words."},
    "element": {"type": "plain_text_input", "action_id": "why", "max_length": 3000},
}
VIEW = {
    "type": "modal",
    "callback_id": "reject",
    "private_metadata": "",
    **{key: {"type": "plain_text", "text": key} for key in ("title", "submit", "close")},
    "blocks": [INPUT],
}


class Hand:
    time = 1_795_435_200.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def slack(clock: Hand) -> Iterator[StrictSlack]:
    with strict_slack(clock) as running:
        yield running


@pytest.fixture
def client(slack: StrictSlack) -> WebClient:
    return WebClient(BOT_TOKEN, base_url=slack.api_url, timeout=1, retry_handlers=[])


def post(client: WebClient, text: str = "10 %", **more: Any) -> str:
    return str(client.chat_postMessage(**{"channel": INFERENCE, "text": text, "blocks": CARD, **more})["ts"])


def refused(call: Callable[..., object], **words: Any) -> str:
    with pytest.raises(SlackApiError) as error:
        call(**words)
    return str(error.value.response["error"])


def test_what_slack_refuses_to_post(slack: StrictSlack, client: WebClient) -> None:
    slack.channels["C0ARCHIVE1"] = {"is_member": True, "is_archived": True}
    slack.channels["C0OUTSIDE1"] = {"is_member": False}
    slack.channels["C0PRIVATE1"] = {"is_member": False, "is_private": True}
    said = [
        refused(post, client=client, channel="C0UNKNOWN1"),
        refused(post, client=client, channel="C0ARCHIVE1"),
        refused(post, client=client, channel="C0OUTSIDE1"),
        refused(post, client=client, channel="C0PRIVATE1"),
        refused(post, client=client, thread_ts="1.000000"),
        refused(post, client=client, text="x" * 40_001),
        refused(post, client=client, blocks=[]),
        refused(post, client=client, blocks=[{**CARD[0], "colour": "red"}]),
        refused(post, client=client, blocks=[{**CARD[0], "block_id": str(n), "text": LONG} for n in range(5)]),
        refused(post, client=WebClient("xoxb-another", base_url=slack.api_url)),
    ]
    assert said == [
        "channel_not_found",
        "is_archived",
        "not_in_channel",
        "channel_not_found",
        "thread_not_found",
        "msg_too_long",
        "no_text",
        "invalid_blocks",
        "msg_blocks_too_long",
        "invalid_auth",
    ]
    assert slack.journal == []


LONG = {"type": "mrkdwn", "text": "x" * 3000}


def test_what_slack_refuses_to_edit(slack: StrictSlack, client: WebClient, clock: Hand) -> None:
    words = {"channel": INFERENCE, "ts": post(client), "text": "25 %", "blocks": CARD}
    said = [
        refused(client.chat_update, **{**words, "ts": "1.000000"}),
        refused(client.chat_update, **{**words, "text": "x" * 4001}),
    ]
    slack.edit_window = 60
    clock.time += 61
    said.append(refused(client.chat_update, **words))
    slack.channels[INFERENCE]["is_archived"] = True
    said.append(refused(client.chat_update, **words))
    assert said == ["message_not_found", "msg_too_long", "edit_window_closed", "is_inactive"]


def test_a_card_that_somebody_took_away_leaves_its_replies(slack: StrictSlack, client: WebClient) -> None:
    card = post(client)
    post(client, thread_ts=card)
    slack.remove(INFERENCE, card, ALICE)
    words = {"channel": INFERENCE, "ts": card, "text": "25 %", "blocks": CARD}
    assert refused(client.chat_update, **words) == "message_not_found"
    post(client, thread_ts=card)
    assert len(slack.thread(card)) == 2
    assert [(one.what, one.by, one.ts == card) for one in slack.journal] == [
        ("posted", BOT, True),
        ("posted", BOT, False),
        ("deleted", ALICE, True),
        ("posted", BOT, False),
    ]


def test_the_journal_keeps_what_every_version_of_a_message_said(slack: StrictSlack, client: WebClient) -> None:
    card = post(client, "10 %")
    client.chat_update(channel=INFERENCE, ts=card, text="25 %", blocks=CARD)
    assert [(one.what, one.text, one.block_id) for one in slack.journal] == [
        ("posted", "10 %", "card:r-1:1.1"),
        ("edited", "25 %", "card:r-1:1.1"),
    ]


def test_one_message_a_second_and_channel_after_a_short_burst(
    slack: StrictSlack, client: WebClient, clock: Hand
) -> None:
    for _ in range(3):
        post(client)
    with pytest.raises(SlackApiError) as error:
        post(client)
    assert (error.value.response.status_code, error.value.response.headers["Retry-After"]) == (429, "1")
    post(client, channel="C0GENER001")
    clock.time += 1
    post(client)
    assert slack.faults.hit == {("too fast", "chat.postMessage"): 1}


def test_fifty_edits_a_minute_in_the_whole_workspace(slack: StrictSlack, client: WebClient, clock: Hand) -> None:
    words: dict[str, Any] = {"channel": INFERENCE, "ts": post(client), "text": "25 %", "blocks": CARD}
    for _ in range(50):
        client.chat_update(**words)
    assert refused(client.chat_update, **words) == "ratelimited"
    clock.time += 60
    client.chat_update(**words)


@pytest.mark.parametrize(("kind", "posted"), [("hang", 0), ("lost", 1), ("500", 0), ("500 after", 1)])
def test_no_answer_with_and_without_the_effect(slack: StrictSlack, client: WebClient, kind: str, posted: int) -> None:
    slack.faults.next("chat.postMessage", kind)
    with pytest.raises((SlackApiError, OSError)):
        post(client)
    assert len(slack.messages) == posted
    assert slack.faults.hit == {(kind, "chat.postMessage"): 1}


def test_a_fault_of_one_channel_stays_until_it_is_lifted(slack: StrictSlack, client: WebClient) -> None:
    fault = slack.faults.begin("fatal_error", channel=INFERENCE)
    assert [refused(post, client=client) for _ in range(2)] == ["fatal_error"] * 2
    post(client, channel="C0GENER001")
    slack.faults.lift(fault)
    post(client)
    assert slack.faults.hit == {("fatal_error", "chat.postMessage"): 2}


def test_a_trigger_opens_one_dialog_within_three_seconds(slack: StrictSlack, client: WebClient, clock: Hand) -> None:
    first, second = slack.trigger(), slack.trigger()
    client.views_open(trigger_id=first, view=VIEW)
    clock.time += 3.1
    assert [refused(client.views_open, trigger_id=t, view=VIEW) for t in (first, second, "another")] == [
        "exchanged_trigger_id",
        "expired_trigger_id",
        "invalid_trigger_id",
    ]
    too_long = {**VIEW, "title": {"type": "plain_text", "text": "x" * 25}}
    assert refused(client.views_open, trigger_id=slack.trigger(), view=too_long) == "invalid_arguments"


def test_a_home_tab_is_published_for_people_it_knows_and_has_no_frame(slack: StrictSlack, client: WebClient) -> None:
    tab = {"type": "home", "blocks": [{"type": "section", "text": WORDS}], "callback_id": "h", "private_metadata": ""}
    client.views_publish(user_id=ALICE, view=tab)
    assert slack.homes == {ALICE: {"id": f"VH{ALICE}", **tab}}
    assert refused(client.views_publish, user_id="U0NOBODY01", view=tab) == "user_not_found"
    assert refused(client.views_publish, user_id=ALICE, view={**tab, "title": VIEW["title"]}) == "invalid_arguments"
    assert refused(client.views_publish, user_id=ALICE, view=VIEW) == "invalid_arguments"


@pytest.mark.parametrize(
    "wrong",
    [{"options": []}, {"initial_option": {}}, {"placeholder": "x"}, {"options": [{"text": WORDS, "value": "1"}]}],
)
def test_a_choice_is_among_options_that_are_plain_text(
    slack: StrictSlack, client: WebClient, wrong: dict[str, Any]
) -> None:
    options = [{"text": {"type": "plain_text", "text": "One"}, "value": "1"}]
    select = {"type": "static_select", "action_id": "n", "options": options, "initial_option": options[0]}
    view = {**VIEW, "blocks": [{**INPUT, "element": select}]}
    client.views_open(trigger_id=slack.trigger(), view=view)
    odd = {**VIEW, "blocks": [{**INPUT, "element": select | wrong}]}
    assert refused(client.views_open, trigger_id=slack.trigger(), view=odd) == "invalid_arguments"


def test_two_blocks_of_a_view_have_two_ids(slack: StrictSlack, client: WebClient) -> None:
    twice = {**VIEW, "blocks": [INPUT, INPUT]}
    assert refused(client.views_open, trigger_id=slack.trigger(), view=twice) == "invalid_arguments"


def test_an_address_for_answers_is_good_for_five_and_half_an_hour(slack: StrictSlack, clock: Hand) -> None:
    def answer(url: str) -> int:
        return urllib3.request("POST", url, json={"text": "hello"}, retries=False).status

    often, late = slack.response_url(ALICE), slack.response_url(ALICE)
    assert [answer(often) for _ in range(6)] == [200] * 5 + [404]
    clock.time += 1801
    assert answer(late) == 404


@contextmanager
def a_bot(status: int = 200) -> Iterator[tuple[str, list[Any]]]:
    """Run a bot that acknowledges everything; return its address and what it heard."""
    heard: list[Any] = []
    verifier = SignatureVerifier(SIGNING_SECRET)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            assert verifier.is_valid_request(body, dict(self.headers.items()))
            heard.append(parse_qs(body))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b'{"text":"Got it."}')

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", heard
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_command_sent_twice_is_the_same_one(slack: StrictSlack) -> None:
    typed = slack.command("start new 10", user=ALICE)
    with a_bot() as (to, heard):
        assert [slack.send(typed, to).outcome for _ in range(2)] == ["acknowledged"] * 2
    assert heard[0] == heard[1]
    assert (heard[0]["text"], heard[0]["user_id"], heard[0]["trigger_id"]) == (
        ["start new 10"],
        [ALICE],
        [typed.trigger],
    )
    assert slack.said(typed) == ["Got it.", "Got it."]
    assert slack.faults.hit == {("again", "command"): 1}


def test_a_click_carries_what_the_button_says_now(slack: StrictSlack, client: WebClient) -> None:
    card = post(client, blocks=WITH_BUTTON)
    with a_bot() as (to, heard):
        slack.send(slack.click(card, "stop", user=ALICE), to)
    assert '"value": "v1"' in heard[0]["payload"][0]


def test_a_delivery_that_is_not_answered_is_noted(slack: StrictSlack) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent, a_bot(status=500) as (broken, _):
        typed = slack.command("pause", user=ALICE)
        slack.send(typed, f"http://127.0.0.1:{silent.getsockname()[1]}", patience=0.2)
        slack.send(typed, broken)
    assert [attempt.outcome for attempt in typed.attempts] == ["operation_timeout", "dispatch_failed"]
    assert not typed.acknowledged


def test_a_caller_that_is_killed_in_the_middle_of_a_call_has_said_nothing(slack: StrictSlack) -> None:
    address = urllib3.util.parse_url(slack.api_url)
    with closing(socket.create_connection((address.host, address.port))) as caller:
        caller.sendall(b"POST /api/chat.postMessage HTTP/1.1\r\nContent-Length: 100\r\n\r\nchannel=")
        caller.shutdown(socket.SHUT_WR)
        assert caller.recv(10) == b""
    assert slack.calls == []
