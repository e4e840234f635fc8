"""Speaks to the bot as Slack does: a payload in, an acknowledgement out."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from slack_bolt import BoltRequest

from bot.config.policy import Policy
from bot.domain.commands.origin import in_slack
from bot.domain.commands.request import Command, Request, StartWords
from bot.domain.errors import NotAllowedError, StoreError
from bot.domain.prose import Person, say
from bot.domain.rollout import Entry, Phase
from bot.domain.sentences.what_it_waits_for import waits
from bot.domain.verbs.registry import verbs
from handlers import replies
from handlers.app import Handlers, build, web_client
from handlers.buttons import Press
from handlers.mrkdwn import mrkdwn
from sandbox.process import wait_until
from sandbox.slack import BOT_TOKEN, TEAM
from sandbox.strict_slack import StrictSlack
from tests.builders import ALICE, BOB, NOON
from tests.handlers.fakes import Done, FakeEngine, Hand, Memory
from tests.handlers.records import NEW, ROOM, a_rollout, an_entry, awaiting, in_phase

PRESSED = Press("r-7f3a2c01", 4).dumps()
POLICY = Policy(namespaces=("default",))
PRESSED_AT_ONCE = [verb.name for verb in verbs() if verb.button and not verb.asks and not verb.needs_reason]


class Bot:
    def __init__(self, slack: StrictSlack) -> None:
        self.slack, self.engine, self.memory = slack, FakeEngine(), Memory()
        self.engine.outcome = Done(an_entry())
        self.reply_to = slack.response_url(ALICE)
        slack.triggers["t1"] = slack.now()
        client = web_client(BOT_TOKEN, base_url=slack.api_url)
        self.handlers: Handlers = build(self.engine, self.memory.as_store(), Hand(), POLICY, client)

    def hears(self, body: dict[str, Any]) -> tuple[int, Any]:
        answer = self.handlers.app.dispatch(BoltRequest(mode="socket_mode", body=body))
        return answer.status, json.loads(answer.body) if answer.body else ""

    def command(self, text: str, **changes: Any) -> tuple[int, Any]:
        return self.hears({**self._who(), "command": "/rollout", "text": text, "user_id": ALICE, **changes})

    def press(self, action_id: str, value: Any = PRESSED, **changes: Any) -> tuple[int, Any]:
        action = {"type": "button", "action_id": action_id, "block_id": "b", "value": value, "action_ts": "1.2"}
        place = {"container": {"type": "message", "message_ts": "9.9", "channel_id": ROOM}, "channel": {"id": ROOM}}
        body = {**self._who(), "type": "block_actions", "user": {"id": ALICE}, "actions": [action], **place, **changes}
        return self.hears(body)

    def submit(self, reason: str | None, metadata: str, **changes: Any) -> tuple[int, Any]:
        values = {"reason": {"reason": {"type": "plain_text_input", "value": reason}}}
        view = {"id": "V1", "type": "modal", "callback_id": "rollout_reject", "private_metadata": metadata}
        body = {"type": "view_submission", "team": {"id": TEAM}, "user": {"id": ALICE}}
        return self.hears({**body, "view": {**view, "state": {"values": values}, **changes}})

    def _who(self) -> dict[str, Any]:
        return {"team_id": TEAM, "trigger_id": "t1", "channel_id": ROOM, "response_url": self.reply_to}

    def said(self) -> list[str]:
        """Wait for everything in the background, and return the private answers."""
        self.handlers.close()
        return [str(answer["text"]) for answer in self.slack.private]


@pytest.fixture
def bot(slack: StrictSlack) -> Iterator[Bot]:
    bot = Bot(slack)
    yield bot
    bot.handlers.close()


@pytest.fixture
def served(bot: Bot) -> Bot:
    """Return a bot that knows from Slack who Alice is."""
    bot.command("status")
    wait_until("an answer", lambda: len(bot.slack.private) == 1)
    bot.slack.private.clear()
    return bot


def private(text: str) -> tuple[int, dict[str, str]]:
    return 200, {"text": text, "response_type": "ephemeral"}


def test_a_start_is_taken_in_and_acknowledged_with_one_sentence(bot: Bot) -> None:
    assert bot.command(f"start {NEW} 10") == private(f"Got it: `start` `{NEW}`.")
    assert bot.engine.received == [
        Request(
            command=Command(verb="start", subject=NEW, start=StartWords(weight=10)),
            by=ALICE,
            origin=in_slack(ROOM),
            delivery="t1",
            at=NOON,
            reply_to=bot.reply_to,
        )
    ]
    assert bot.engine.done.wait(10)
    assert bot.engine.processed == ["t1"]


def test_the_same_command_twice_is_worked_on_once(bot: Bot) -> None:
    assert bot.command("pause") == bot.command("pause")
    assert bot.engine.done.wait(10)
    assert bot.said() == []
    assert bot.engine.processed == ["t1"]


@pytest.mark.parametrize("text", ["", "help"])
def test_help_lists_exactly_the_verbs_that_exist(bot: Bot, text: str) -> None:
    status, answer = bot.command(text)
    assert (status, answer["response_type"]) == (200, "ephemeral")
    lines = answer["text"].split("\n")
    assert [line.split()[1].strip("`") for line in lines if line.startswith("`/rollout")] == [
        verb.name for verb in verbs()
    ]
    assert [line for line in lines if line.startswith("`/rollout start")] == ["`/rollout start POOL WEIGHT`"]
    assert [line for line in lines if line.startswith("`[from=POOL route=NAME")] != []
    assert bot.engine.received == []


def test_status_and_why_are_answered_in_the_acknowledgement(served: Bot) -> None:
    served.engine.known = [an_entry()]
    assert served.command("status") == private(mrkdwn(replies.detail(an_entry(), POLICY.access)))
    assert served.command("why") == private(mrkdwn(replies.why(an_entry(), waits(an_entry(), POLICY.access))))


def test_somebody_new_is_answered_when_slack_has_said_who_that_is(bot: Bot) -> None:
    bot.engine.known = [an_entry()]
    assert bot.command("status") == (200, "")
    assert bot.said() == [mrkdwn(replies.detail(an_entry(), POLICY.access))]


@pytest.mark.parametrize("text", ["status", "why", f"status {NEW}"])
def test_a_guest_reads_nothing_but_help(bot: Bot, text: str) -> None:
    bot.engine.known = [an_entry()]
    bot.slack.users[ALICE]["is_restricted"] = True
    assert bot.command("help")[1]["response_type"] == "ephemeral"
    bot.command(text)
    assert bot.said() == ["Guests cannot run rollouts. Ask a full member of this workspace."]


def test_status_does_not_tell_of_other_channels(served: Bot) -> None:
    served.engine.known = [an_entry(a_rollout(channel="C0SECRET01"))]
    assert served.command("status") == private(
        "This channel has no rollout. Name a pool, as in `/rollout status POOL`, "
        "or begin one with `/rollout start POOL WEIGHT`."
    )
    assert served.command(f"status {NEW}") == private(mrkdwn(replies.detail(served.engine.known[0], POLICY.access)))


def test_status_tells_of_the_last_rollout_where_none_runs(served: Bot) -> None:
    served.engine.ended = [an_entry(in_phase(Phase.ROLLED_BACK))]
    assert served.command("status") == private(mrkdwn(replies.detail(served.engine.ended[0], POLICY.access)))


@pytest.mark.parametrize("verb", ["rollback", "pause"])
def test_the_receipt_of_a_brake_names_no_pool_because_the_word_may_be_a_reason(bot: Bot, verb: str) -> None:
    assert bot.command(f"{verb} latency") == private(f"Got it: `{verb}`.")


def test_words_that_make_no_sense_are_answered_with_what_to_type(bot: Bot) -> None:
    status, answer = bot.command("strat x 10 <!channel>")
    assert (status, answer["response_type"]) == (200, "ephemeral")
    assert "start" in answer["text"]
    assert "<!channel>" not in answer["text"]


def test_somebody_who_may_not_is_told_who_may(bot: Bot) -> None:
    bot.engine.refusal = NotAllowedError("You may not `start` here.", hint=say("Ask {}.", Person(BOB)))
    assert bot.command(f"start {NEW} 10") == private("You may not `start` here. Ask <@U0BOB00001>.")


def test_without_a_store_nothing_is_promised_and_the_brake_is_named(bot: Bot) -> None:
    bot.engine.refusal = StoreError("Redis refused (`OOM`).", hint="It is full.")
    status, answer = bot.command("pause")
    ref = answer["text"].split("`")[3]
    assert (status, answer) == private(
        "Redis refused (`OOM`). It is full. I could not confirm this; if it took effect, a card will show it. "
        f"Try again in a moment (ref `{ref}`).\n`rollback` works all the same."
    )


@pytest.mark.parametrize("text", ["status", f"status {NEW}", "why"])
def test_a_question_without_a_store_is_told_why_there_is_no_answer(served: Bot, text: str) -> None:
    served.engine.refusal = StoreError("Redis does not answer.")
    said = "Redis does not answer. Try again in a moment.\n`rollback` works all the same."
    assert served.command(text) == private(said)
    assert served.press("rollout_why") == (200, "")
    assert served.said() == [said]


def test_without_a_store_a_roll_back_is_done_from_the_route(bot: Bot) -> None:
    bot.engine.refusal = StoreError("Redis refused (`OOM`).", hint="It is full.")
    bot.engine.braked = Done(an_entry())
    said = "Redis refused (`OOM`). It is full. I roll back from the record on the route and tell the channel."
    assert bot.command("rollback") == private(said)
    assert bot.press("rollout_rollback", trigger_id="t2") == (200, "")
    assert bot.said() == []
    assert (sorted(bot.engine.braking), len(bot.slack.cards(ROOM))) == (["t1", "t2"], 2)


def test_a_roll_back_from_the_route_that_slack_delivers_again_when_the_store_works_is_not_done_again(bot: Bot) -> None:
    bot.engine.refusal, bot.engine.braked = StoreError("Redis does not answer."), Done(an_entry())
    bot.command("rollback")
    bot.engine.refusal = None
    assert bot.command("rollback") == private("Got it: `rollback`.")
    assert bot.said() == []
    assert (bot.engine.braking, bot.engine.received, bot.engine.processed) == (["t1"], [], [])


def test_an_unexpected_failure_is_one_sentence_with_a_ref_that_is_in_the_log(
    bot: Bot, caplog: pytest.LogCaptureFixture
) -> None:
    bot.engine.refusal = RuntimeError("xoxb-secret")
    status, answer = bot.command("pause")
    ref = answer["text"].split("`")[1]
    said = "Something broke on our side. Nothing of yours is lost: look at the card, then try again; ref `{ref}`."
    assert (status, answer["text"]) == (200, said.format(ref=ref))
    assert ref in caplog.text
    assert "RuntimeError" in caplog.text


@pytest.mark.parametrize("verb", PRESSED_AT_ONCE)
def test_a_button_is_its_verb(bot: Bot, verb: str) -> None:
    assert bot.press(f"rollout_{verb}") == (200, "")
    (request,) = bot.engine.received
    assert request.command == Command(verb=verb, subject="r-7f3a2c01")
    assert (request.by, request.origin.channel, request.turn, request.delivery) == (ALICE, ROOM, 4, "t1")


def test_a_click_without_a_trigger_is_known_by_where_and_when_it_was(bot: Bot) -> None:
    bot.press("rollout_pause", trigger_id=None)
    assert bot.engine.received[0].delivery == f"{ALICE}:1.2:rollout_pause:9.9"


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "{}",
        "[]",
        '{"id":1,"turn":2}',
        '{"id":"nonsense","turn":2}',
        '{"id":"r-7f3a2c01 ","turn":2}',
        '{"id":"r-7f3a2c01","turn":true}',
        "x" * 3000,
        "[" * 2000,
    ],
)
def test_a_button_that_carries_nonsense_is_one_private_sentence(bot: Bot, value: Any) -> None:
    assert bot.press("rollout_advance", value) == (200, "")
    assert bot.said() == ["I cannot read this button. Use the newest card of the rollout."]
    assert bot.engine.received == []


def test_why_is_answered_in_private(bot: Bot) -> None:
    bot.engine.known = [an_entry()]
    assert bot.press("rollout_why") == (200, "")
    assert bot.said() == [mrkdwn(replies.why(an_entry(), waits(an_entry(), POLICY.access)))]


@pytest.mark.parametrize(
    ("known", "about"),
    [
        ([an_entry(awaiting())], f"Reject 50 % of `{NEW}`? It pauses at 25 %. Resume goes on with the plan."),
        ([], "The rollout pauses where it is. Resume goes on with the plan."),
    ],
)
def test_a_rejection_asks_why_and_its_submit_is_the_request(bot: Bot, known: list[Entry], about: str) -> None:
    bot.engine.known = known
    assert bot.press("rollout_reject") == (200, "")
    bot.handlers.private.close()
    (view,) = bot.slack.views
    assert view["blocks"][0]["text"]["text"] == about
    assert bot.submit(" latency doubled ", view["private_metadata"]) == (200, "")
    (request,) = bot.engine.received
    assert request.command == Command(verb="reject", subject="r-7f3a2c01", reason="latency doubled")
    assert (request.origin.channel, request.turn, request.delivery) == (ROOM, 4, "V1")
    assert request.reply_to == bot.reply_to


def test_a_blank_reason_is_said_in_the_dialog(bot: Bot) -> None:
    status, answer = bot.submit("  ", '{"id":"r-7f3a2c01","turn":4}')
    said = "Say why in a few words."
    assert (status, answer) == (200, {"response_action": "errors", "errors": {"reason": said}})


NO_FORM = "I cannot read this form. Close it and open it again."


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"private_metadata": "[]"}, NO_FORM),
        ({"private_metadata": "[" * 3000}, NO_FORM),
        ({"private_metadata": None}, NO_FORM),
        ({"id": None}, NO_FORM),
        ({"private_metadata": "{}"}, "I cannot read this button. Use the newest card of the rollout."),
        ({"state": None}, "Say why in a few words."),
        ({"state": {"values": [{"reason": "x"}]}}, "Say why in a few words."),
    ],
)
def test_a_submission_that_carries_nonsense_is_one_sentence_at_an_input(
    bot: Bot, changes: dict[str, Any], said: str
) -> None:
    answer = bot.submit(
        "why", '{"id":"r-7f3a2c01","turn":4}', blocks=[{"type": "input", "block_id": "reason"}], **changes
    )
    assert answer == (200, {"response_action": "errors", "errors": {"reason": said}})
    assert bot.engine.received == []


def test_a_reason_that_is_too_long_is_cut(bot: Bot) -> None:
    bot.submit("x" * 3001, '{"id":"r-7f3a2c01","turn":4,"channel":"C1"}')
    (request,) = bot.engine.received
    assert (len(request.command.reason), request.command.left_out) == (3000, 2)


def test_people_hear_of_a_dialog_that_slack_does_not_open(bot: Bot) -> None:
    bot.slack.triggers["t1"] = bot.slack.now() - 4
    bot.press("rollout_reject")
    assert bot.said() == [mrkdwn(replies.too_slow("reject POOL reason"))]


def test_people_hear_that_a_dialog_may_be_open_if_slacks_answer_is_lost(bot: Bot) -> None:
    bot.slack.faults.next("views.open", "lost")
    bot.press("rollout_reject")
    assert bot.said() == [mrkdwn(replies.perhaps_open("reject POOL reason"))]


def test_every_answer_is_acknowledged_while_slack_is_silent(bot: Bot) -> None:
    bot.slack.faults.next("users.info", "lost")
    assert bot.command("pause")[0] == 200
    assert bot.engine.received[0].command.verb == "pause"
