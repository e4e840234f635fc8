"""The seam of inquiries: a question that asks the cluster, in Slack and in a terminal, and one that takes too long."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event

import pytest

from bot.domain.prose import say
from bot.domain.verbs.asking import Asking, Reply
from bot.domain.verbs.button import Button, Position
from bot.domain.verbs.declaration import Kind, Verb
from bot.domain.verbs.registry import added, find_verb
from sandbox.process import wait_until
from tests.builders import CANARY, STABLE
from tests.scenarios.front import Front
from tests.shell import Terminal
from tests.stage import Stage

WITHIN = timedelta(seconds=5)
SHORTLY = timedelta(seconds=0.3)


def _ready(asking: Asking) -> Reply:
    rollout = asking.sources.rollouts.find(asking.command.subject, asking.origin.channel).rollout
    seen = asking.sources.cluster.readiness(rollout.stable, rollout.canary)
    counts = seen.canary_ready, seen.canary_of
    return Reply(said=say("`{}` has {} of {} endpoints ready <now>.", rollout.canary.name, *counts))


@contextmanager
def ready(answer: Callable[[Asking], Reply] = _ready, within: timedelta = WITHIN) -> Iterator[None]:
    """Have a verb `ready`."""
    with added(
        Verb(
            name="ready",
            kind=Kind.INQUIRY,
            help="count the ready endpoints of the new pool",
            usage="[POOL]",
            answer=answer,
            within=within,
            works=lambda rollout: not rollout.is_over,
            also_fits=lambda rollout: True,
            button=Button(label=lambda entry: "Ready?", place=Position.QUESTION),
        )
    ):
        yield
    assert find_verb("ready") is None


@contextmanager
def hanging() -> Iterator[None]:
    """Have a verb `ready` that nobody answers in time."""
    end = Event()

    def wait(asking: Asking) -> Reply:
        end.wait(20)
        return Reply(said=say("Too late."))

    with ready(wait, SHORTLY):
        yield
        end.set()


READY = f"`{CANARY}` has 2 of 2 endpoints ready"
LOOKING = "Looking … the answer comes here, within 5 s."
LATE = "I could not find that out within 0.3 s. Nothing was changed: ask again in a moment."


@pytest.mark.parametrize("text", ["ready", f"ready {CANARY}", f"Ready pool={CANARY}"])
def test_in_slack_it_is_acknowledged_at_once_and_answered_in_private(
    stage: Stage, open_slack: Callable[[], Front], text: str
) -> None:
    stage.started(10)
    with ready():
        assert open_slack().types(text) == [LOOKING, f"{READY} &lt;now&gt;."]


def test_its_button_is_answered_in_private(stage: Stage, open_slack: Callable[[], Front]) -> None:
    turn = stage.started(10).rollout.turn
    with ready():
        said = open_slack().presses("ready", turn=turn)
        assert sorted(said) == sorted([LOOKING, f"{READY} &lt;now&gt;."])


def test_it_is_in_the_help(open_slack: Callable[[], Front]) -> None:
    with ready():
        listed = "`/rollout ready [POOL]`\ncount the ready endpoints of the new pool"
        assert listed in open_slack().acknowledged("help").split("\n\n")


def test_a_mistake_is_answered_in_words(open_slack: Callable[[], Front]) -> None:
    with ready():
        said = open_slack().types("ready nope")
        none = "There is no rollout of `nope`. None is running: begin one with `start POOL WEIGHT`."
        assert said == [LOOKING, none]


def test_guests_are_refused(stage: Stage, open_slack: Callable[[], Front]) -> None:
    stage.started(10)
    with ready():
        front = open_slack()
        front.slack.users["U0ALICE001"] = {"is_restricted": True}
        refused = "Guests cannot run rollouts. Ask a full member of this workspace."
        assert front.types("ready") == [LOOKING, refused]


def test_while_many_take_too_long_status_is_instant_and_each_asker_is_told(
    stage: Stage, open_slack: Callable[[], Front]
) -> None:
    stage.started(10)
    with hanging():
        front = open_slack()
        assert {front.acknowledged("ready") for _ in range(20)} == {"Looking … the answer comes here, within 0.3 s."}
        assert front.acknowledged("status").startswith(f"*{CANARY}*: 10 %")
        assert len(front.slack.private) < 20
        wait_until("a sentence for each", lambda: len(front.slack.private) == 20, seconds=10)
        assert {str(answer["text"]) for answer in front.slack.private} == {LATE}


def test_whoever_waits_when_the_bot_ends_is_told(open_slack: Callable[[], Front]) -> None:
    end = Event()

    def wait(asking: Asking) -> Reply:
        end.wait(20)
        return Reply()

    with ready(wait, timedelta(seconds=20)):
        assert open_slack().types("ready") == [
            "Looking … the answer comes here, within 20 s.",
            "I am restarting. Ask again in a moment.",
        ]
        end.set()


def test_one_that_slack_delivers_twice_is_answered_once(open_slack: Callable[[], Front]) -> None:
    heard = Event()

    def answer(asking: Asking) -> Reply:
        heard.wait(10)
        return Reply(said=say("All of them."))

    with ready(answer):
        front = open_slack()
        assert front.acknowledged_twice("ready") == [LOOKING, LOOKING]
        heard.set()
        assert front.settles() == ["All of them."]


def test_in_a_terminal_it_is_asked_and_answered(stage: Stage, open_terminal: Callable[[], Terminal]) -> None:
    stage.started(10)
    with ready():
        terminal = open_terminal()
        assert terminal("ready") == (0, f"{READY} <now>.\n")
        document = terminal.json("ready", CANARY)
        assert (document["command"], document["outcome"], document["message"]) == ("ready", "done", f"{READY} <now>.")
        assert terminal("ready", STABLE)[0] == 1


def test_in_a_terminal_its_deadline_is_kept_too(stage: Stage, open_terminal: Callable[[], Terminal]) -> None:
    stage.started(10)
    with hanging():
        terminal = open_terminal()
        assert terminal("ready") == (3, f"{LATE}\n")
        document = terminal.json("ready")
        assert (document["outcome"], document["message"]) == ("unconfirmed", LATE)
