"""What only one person sees: nobody's answer or dialog waits for those of others that hang."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Event

import pytest

from bot.domain.prose import say
from handlers.private import ANSWERS, DEADLINE, Private
from sandbox.process import wait_until
from sandbox.slack import GENERAL
from sandbox.strict_slack import StrictSlack
from sandbox.strict_slack.faults import RESPOND
from tests.builders import ALICE, BOB
from tests.handlers.records import ROOM


@pytest.fixture
def private(slack: StrictSlack) -> Iterator[Private]:
    private = Private(slack.api_url)
    slack.faults.begin("hang", method=RESPOND, channel=ROOM)
    yield private
    slack.faults.lift_all()
    private.close()


def hang(slack: StrictSlack, private: Private, answers: int) -> None:
    for _ in range(answers):
        private.say(slack.response_url(ALICE, ROOM), say("never seen"))


def test_answers_that_hang_hold_up_no_other(slack: StrictSlack, private: Private) -> None:
    hang(slack, private, 32)
    private.say(slack.response_url(BOB, GENERAL), say("hello"))
    wait_until("the other answer", lambda: bool(slack.private), seconds=2)
    assert [(said["user"], said["text"]) for said in slack.private] == [(BOB, "hello")]


def test_an_answer_that_slack_fails_is_sent_again(slack: StrictSlack, private: Private) -> None:
    slack.faults.next(RESPOND, "500", "500", channel=GENERAL)
    private.say(slack.response_url(BOB, GENERAL), say("refused"))
    wait_until("the answer", lambda: [said["text"] for said in slack.private] == ["refused"], seconds=10)


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:1/",
        "https://example.com/services/1",
        "https://hooks.slack.com.example.com/",
        "https://hooks.slack.com@example.com/",
        "https://example.com\\@hooks.slack.com/",
        "http://hooks.slack.com/",
        "https://hooks.slack.com:8443/",
        "//hooks.slack.com/",
        "{url}0/",
        "{url}@example.com/",
        "file:///etc/passwd",
        "\n",
    ],
)
def test_an_answer_goes_to_no_address_but_slacks(
    slack: StrictSlack, caplog: pytest.LogCaptureFixture, address: str
) -> None:
    private = Private(slack.api_url)
    private.say(address.format(url=slack.url), say("a secret"))
    private.close()
    assert [record.getMessage() for record in caplog.records] == [
        "A private answer was not sent: its address is not Slack's."
    ]


def test_an_answer_follows_nobody_elsewhere(slack: StrictSlack, caplog: pytest.LogCaptureFixture) -> None:
    slack.faults.next(RESPOND, "moved", channel=GENERAL)
    private = Private(slack.api_url)
    private.say(slack.response_url(BOB, GENERAL), say("hello"))
    private.close()
    assert [record.getMessage() for record in caplog.records] == ["A private answer was refused: status 307."]
    assert slack.private == []


def test_a_dialog_waits_for_no_answer(slack: StrictSlack, private: Private) -> None:
    hang(slack, private, ANSWERS * 2)
    opened = Event()
    private.open(opened.set)
    assert opened.wait(2)
    assert slack.private == []


def test_an_answer_that_a_dialog_gave_is_said_before_the_end(slack: StrictSlack) -> None:
    private = Private(slack.api_url)
    private.open(lambda: private.say(slack.response_url(ALICE, ROOM), say("too slow")))
    private.close()
    assert [said["text"] for said in slack.private] == ["too slow"]


def test_a_server_that_answers_byte_by_byte_holds_up_no_other_answer_for_longer_than_a_silent_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with dripping() as (address, asked):
        private = Private(f"{address}/api/")
        for number in range(ANSWERS + 1):
            private.say(f"{address}/{number}", say("hello"))
        wait_until("the last answer", lambda: len(asked) == ANSWERS + 1, seconds=DEADLINE + 5)
        private.close()
    late = "A private answer did not arrive in time."
    assert [record.getMessage() for record in caplog.records] == [late] * (ANSWERS + 1)


@contextmanager
def dripping() -> Iterator[tuple[str, list[socket.socket]]]:
    """Run a server that begins each answer and sends a byte of it now and then; yield who asked, too."""
    asked: list[socket.socket] = []
    over = Event()

    def drip() -> None:
        while not over.wait(0.2):
            for each in [*asked]:
                with suppress(OSError):
                    each.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening, ThreadPoolExecutor() as threads:
        listening.settimeout(0.1)

        def listen() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    asked.append(listening.accept()[0])
                    asked[-1].sendall(b"HTTP/1.1 200 OK\r\nX: ")

        running = [threads.submit(listen), threads.submit(drip)]
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked
        finally:
            over.set()
            for each in running:
                each.result()
            for connection in asked:
                connection.close()
