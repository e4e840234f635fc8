"""Buttons of the card, and the dialog that asks for the reason of a rejection."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slack_bolt import Ack, App

from bot.domain.commands.request import Command, Verb
from bot.domain.errors import DependencyError, UsageError
from bot.domain.prose import Prose, say
from bot.domain.rollout import Entry
from bot.domain.weights import asked_weight
from handlers import replies
from handlers.buttons import PRESSABLE, Press, action_id, read_press
from handlers.intake import Intake
from handlers.mrkdwn import mrkdwn
from handlers.private import Private
from handlers.slack import Slack

REJECTION = "rollout_reject"


@dataclass(frozen=True, slots=True)
class Click:
    """What Slack says of a click: who, where, on what, and where an answer goes."""

    press: Press
    by: str
    channel: str
    delivery: str
    reply_to: str
    trigger: str


def register(app: App, intake: Intake, slack: Slack, private: Private) -> None:
    """Listen to every button that a card can have."""
    for verb in PRESSABLE:
        if verb not in (Verb.WHY, Verb.REJECT):
            _take(app, verb, intake)
    _answer_why(app, intake, private)
    _ask_for_reason(app, intake, slack, private)
    _take_rejection(app, intake)


def _take(app: App, verb: Verb, intake: Intake) -> None:
    """Let a button be its verb; what comes of it is seen on the card."""

    @app.action(action_id(verb))
    def pressed(ack: Ack, body: dict[str, Any]) -> None:
        _hear(intake, verb, read_click(body))
        ack()


def _answer_why(app: App, intake: Intake, private: Private) -> None:
    @app.action(action_id(Verb.WHY))
    def why(ack: Ack, body: dict[str, Any]) -> None:
        click = read_click(body)
        said = _hear(intake, Verb.WHY, click)
        ack()
        private.say(click.reply_to, said)


def _hear(intake: Intake, verb: Verb, click: Click) -> Prose:
    return intake.hear(
        Command(verb=verb, subject=click.press.id),
        by=click.by,
        channel=click.channel,
        delivery=click.delivery,
        reply_to=click.reply_to,
        turn=click.press.turn,
    )


def _ask_for_reason(app: App, intake: Intake, slack: Slack, private: Private) -> None:
    @app.action(action_id(Verb.REJECT))
    def ask(ack: Ack, body: dict[str, Any]) -> None:
        click = read_click(body)
        ack()
        private.open(lambda: _open(intake, slack, private, click))


def _open(intake: Intake, slack: Slack, private: Private, click: Click) -> None:
    entry = intake.meant(click.press.id, click.channel)
    try:
        slack.open_view(click.trigger, rejection(click, entry))
    except DependencyError:
        private.say(click.reply_to, replies.too_slow())


def _take_rejection(app: App, intake: Intake) -> None:
    @app.view(REJECTION)
    def reject(ack: Ack, body: dict[str, Any]) -> None:
        view = body["view"]
        meant = read_press(view["private_metadata"])
        place = json.loads(view["private_metadata"])
        intake.hear(
            Command(verb=Verb.REJECT, subject=meant.id, reason=_reason(view)),
            by=body["user"]["id"],
            channel=str(place.get("channel") or ""),
            delivery=view["id"],
            reply_to=str(place.get("reply_to") or ""),
            turn=meant.turn,
        )
        ack()


def read_click(body: Mapping[str, Any]) -> Click:
    """Read a block_actions payload. Raises UsageError where the button's value is not one of ours."""
    action = body["actions"][0]
    user = body["user"]["id"]
    container = body.get("container") or {}
    marks = (user, action.get("action_ts", ""), action["action_id"], container.get("message_ts", ""))
    return Click(
        press=read_press(action.get("value")),
        by=user,
        channel=str((body.get("channel") or {}).get("id") or container.get("channel_id") or ""),
        delivery=str(body.get("trigger_id") or ":".join(map(str, marks))),
        reply_to=str(body.get("response_url") or ""),
        trigger=str(body.get("trigger_id") or ""),
    )


def rejection(click: Click, entry: Entry | None) -> dict[str, Any]:
    """Draw the dialog that asks why; ``entry`` is the rollout as it is now, where it could be read."""
    place = {"id": click.press.id, "turn": click.press.turn, "channel": click.channel, "reply_to": click.reply_to}
    return {
        "type": "modal",
        "callback_id": REJECTION,
        "private_metadata": json.dumps(place, separators=(",", ":")),
        "title": {"type": "plain_text", "text": "Reject this step"},
        "submit": {"type": "plain_text", "text": "Reject"},
        "close": {"type": "plain_text", "text": "Cancel"},
        "blocks": [
            {
                "type": "section",
                "text": {"type": "mrkdwn", "text": mrkdwn(_about(entry)), "verbatim": True},
            },
            {
                "type": "input",
                "block_id": "reason",
                "label": {"type": "plain_text", "text": "Why?"},
                "hint": {"type": "plain_text", "text": "Everybody sees it on the card."},
                "element": {
                    "type": "plain_text_input",
                    "action_id": "reason",
                    "multiline": True,
                    "min_length": 1,
                    "max_length": 3000,
                },
            },
        ],
    }


def _about(entry: Entry | None) -> Prose:
    if entry is None or entry.rollout.ask is None:
        return say("The rollout pauses where it is. Resume asks for approval again.")
    rollout = entry.rollout
    return say(
        "Reject *{} %* of `{}`? It pauses at {} %. Resume asks for approval again.",
        asked_weight(rollout),
        rollout.canary.name,
        rollout.weight,
    )


def _reason(view: Mapping[str, Any]) -> str:
    reason = str(view["state"]["values"]["reason"]["reason"].get("value") or "").strip()
    if not reason:
        raise UsageError("A rejection needs a reason.", hint="Say why in a few words.")
    return reason
