"""Opens forms and dialogs within Slack's three seconds, and takes in what was filled in."""

from collections.abc import Mapping
from typing import Any

from slack_bolt import Ack, App

from bot.domain.prose import Prose
from bot.domain.verbs.asking import Rollouts
from bot.domain.verbs.registry import verb_of
from handlers import replies
from handlers.buttons import read_press
from handlers.clicks import Click, read_click
from handlers.errors import unshown
from handlers.intake import Intake
from handlers.outside import text
from handlers.private import Private
from handlers.slack import Fault, Slack, SlackError
from handlers.views.filled import read_filled
from handlers.views.place import Place, read_place, unreadable
from handlers.views.registry import modals
from handlers.views.view import Modal, Opening


class Opener:
    """Opens modals after the acknowledgement. ``slack`` gives up when the click can no longer open one."""

    def __init__(self, rollouts: Rollouts, slack: Slack, private: Private) -> None:
        self._rollouts, self._slack, self._private = rollouts, slack, private

    def open(self, modal: Modal, *, by: str, place: Place, trigger: str, typed: str = "") -> None:
        """Open a modal for whoever clicked or typed, or tell that person why it does not open."""
        opening = Opening(by=by, place=place, rollouts=self._rollouts, typed=typed)
        self._private.open(lambda: self._open(modal, opening, trigger))

    def _open(self, modal: Modal, opening: Opening, trigger: str) -> None:
        try:
            self._slack.open_view(trigger, framed(modal, opening))
        except Exception as error:
            self._private.say(opening.place.reply_to, _why_not(modal, error))


def framed(modal: Modal, opening: Opening) -> dict[str, Any]:
    """Draw a modal, and add which one it is and where it was opened."""
    marks = {"type": "modal", "callback_id": modal.callback_id, "private_metadata": opening.place.dumps()}
    return marks | modal.draw(opening)


def _why_not(modal: Modal, error: Exception) -> Prose:
    if isinstance(error, SlackError) and error.fault is Fault.UNCLEAR:
        return replies.perhaps_open(modal.instead)
    if isinstance(error, SlackError) and (error.fault is not Fault.REFUSED or error.error.endswith("_trigger_id")):
        return replies.too_slow(modal.instead)
    return unshown(error)


def register(app: App, intake: Intake, opener: Opener, private: Private) -> None:
    """Listen to the button and the submission of every modal."""
    for modal in modals():
        if modal.action_id:
            _listen_to_button(app, modal, opener)
        _listen_to_submission(app, modal, intake, private)


def _listen_to_button(app: App, modal: Modal, opener: Opener) -> None:
    @app.action(modal.action_id)
    def pressed(ack: Ack, body: dict[str, Any]) -> None:
        click = read_click(body)
        place = _place(click)
        ack()
        opener.open(modal, by=click.by, place=place, trigger=click.trigger)


def _place(click: Click) -> Place:
    """Return where a click was; a button outside a rollout carries no value."""
    press = read_press(click.value) if click.value else None
    return Place(origin=click.origin, reply_to=click.reply_to, press=press)


def _listen_to_submission(app: App, modal: Modal, intake: Intake, private: Private) -> None:
    @app.view(modal.callback_id)
    def submitted(ack: Ack, body: dict[str, Any]) -> None:
        view: Mapping[str, Any] = body["view"]
        delivery = text(view.get("id"))
        if not delivery:
            raise unreadable()
        place = read_place(view.get("private_metadata"))
        command = modal.read(read_filled(view), place)
        said = intake.hear(
            command,
            by=body["user"]["id"],
            origin=place.origin,
            delivery=delivery,
            reply_to=place.reply_to,
            turn=place.press.turn if place.press else None,
        )
        ack()
        if verb_of(command.verb).asks:
            private.say(place.reply_to, said)
