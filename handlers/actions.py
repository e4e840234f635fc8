"""Buttons of the card, and the dialog of those whose verb needs a reason."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slack_bolt import Ack, App

from bot.domain.commands.request import Command
from bot.domain.commands.values import LONGEST_REASON
from bot.domain.errors import DependencyError, UsageError
from bot.domain.prose import Prose, sentence
from bot.domain.rollout import Entry
from bot.domain.verbs.button import Dialog
from bot.domain.verbs.declaration import Verb
from bot.domain.verbs.registry import verbs
from handlers import replies
from handlers.buttons import Press, action_id, read_press
from handlers.intake import Intake
from handlers.mrkdwn import mrkdwn
from handlers.private import Private
from handlers.slack import Slack

ReasonDialog = Callable[[Entry | None], Dialog]


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
    for verb in verbs():
        if verb.button is None:
            continue
        if verb.button.reason_dialog is not None:
            _ask_for_reason(app, verb, verb.button.reason_dialog, intake, slack, private)
            _take_reason(app, verb.name, intake)
        elif verb.asks:
            _answer(app, verb.name, intake, private)
        else:
            _take(app, verb.name, intake)


def _take(app: App, verb: str, intake: Intake) -> None:
    """Let a button be its verb; what comes of it is seen on the card."""

    @app.action(action_id(verb))
    def pressed(ack: Ack, body: dict[str, Any]) -> None:
        _hear(intake, verb, read_click(body))
        ack()


def _answer(app: App, verb: str, intake: Intake, private: Private) -> None:
    """Answer a button in private: Slack shows nothing of its acknowledgement."""

    @app.action(action_id(verb))
    def asked(ack: Ack, body: dict[str, Any]) -> None:
        click = read_click(body)
        said = _hear(intake, verb, click)
        ack()
        private.say(click.reply_to, said)


def _hear(intake: Intake, verb: str, click: Click) -> Prose:
    return intake.hear(
        Command(verb=verb, subject=click.press.id),
        by=click.by,
        channel=click.channel,
        delivery=click.delivery,
        reply_to=click.reply_to,
        turn=click.press.turn,
    )


def _ask_for_reason(app: App, verb: Verb, dialog: ReasonDialog, intake: Intake, slack: Slack, private: Private) -> None:
    @app.action(action_id(verb.name))
    def ask(ack: Ack, body: dict[str, Any]) -> None:
        click = read_click(body)
        ack()
        private.open(lambda: _open(verb.name, dialog, click, intake, slack, private))


def _open(verb: str, dialog: ReasonDialog, click: Click, intake: Intake, slack: Slack, private: Private) -> None:
    entry = intake.meant(click.press.id, click.channel)
    try:
        slack.open_view(click.trigger, reason_view(verb, dialog(entry), click))
    except DependencyError:
        private.say(click.reply_to, replies.too_slow(verb))


def _take_reason(app: App, verb: str, intake: Intake) -> None:
    @app.view(action_id(verb))
    def submitted(ack: Ack, body: dict[str, Any]) -> None:
        view = body["view"]
        meant = read_press(view["private_metadata"])
        place = json.loads(view["private_metadata"])
        intake.hear(
            Command(verb=verb, subject=meant.id, reason=_reason(verb, view)),
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


def reason_view(verb: str, dialog: Dialog, click: Click) -> dict[str, Any]:
    """Draw the dialog that asks why."""
    place = {"id": click.press.id, "turn": click.press.turn, "channel": click.channel, "reply_to": click.reply_to}
    return {
        "type": "modal",
        "callback_id": action_id(verb),
        "private_metadata": json.dumps(place, separators=(",", ":")),
        "title": {"type": "plain_text", "text": dialog.title},
        "submit": {"type": "plain_text", "text": dialog.yes},
        "close": {"type": "plain_text", "text": "Cancel"},
        "blocks": [
            {
                "type": "section",
                "text": {"type": "mrkdwn", "text": mrkdwn(sentence(dialog.text)), "verbatim": True},
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
                    "max_length": LONGEST_REASON,
                },
            },
        ],
    }


def _reason(verb: str, view: Mapping[str, Any]) -> str:
    reason = str(view["state"]["values"]["reason"]["reason"].get("value") or "").strip()
    if not reason:
        raise UsageError(f"`{verb}` needs a reason.", hint="Say why in a few words.")
    return reason
