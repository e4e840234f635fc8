"""The one place where a listener's failure becomes an answer: always 200, always private, always a sentence."""

import json
import logging
import secrets
from collections.abc import Sequence
from typing import Any

from slack_bolt import App, BoltResponse

from bot.domain.errors import StoreError, UserError
from bot.domain.prose import Prose
from handlers import replies
from handlers.backend import Others, nobody_else
from handlers.cards import Card
from handlers.choices import refused
from handlers.private import Private, private_message
from handlers.views.refusal import refusal

log = logging.getLogger(__name__)


def new_ref() -> str:
    """Return a short id that is in the log and in the answer."""
    return secrets.token_hex(4)


def register(app: App, private: Private, others: Others = nobody_else) -> None:
    """Answer every failure of a listener."""

    @app.error
    def on_error(error: Exception, body: dict[str, Any], response: BoltResponse | None) -> BoltResponse | None:
        ref = _logged(error)
        said = refused(error, others=others) if isinstance(error, UserError) else replies.mishap(error, ref)
        answer = _in_acknowledgement(error, body, said)
        if answer is None or response is None:
            private.say(str(body.get("response_url") or ""), said)
        return BoltResponse(status=200, body=answer or "", headers=_JSON if answer else None) if response else None


_JSON: dict[str, str | Sequence[str]] = {"content-type": ["application/json"]}


def unshown(error: Exception) -> Prose:
    """Log why something cannot be shown, and return it in words; the request would have changed nothing."""
    return replies.unanswered(error) if isinstance(error, StoreError) else replies.mishap(error, _logged(error))


def _logged(error: Exception) -> str:
    if isinstance(error, UserError):
        log.info("Refused: %s", error)
        return ""
    ref = new_ref()
    log.error("A listener failed, ref %s.", ref, exc_info=error)
    return ref


def _in_acknowledgement(error: Exception, body: dict[str, Any], said: Prose | Card) -> str | None:
    """Return the acknowledgement that carries the answer; None for a button, whose text Slack does not show."""
    if "command" in body:
        return json.dumps(private_message(said))
    if body.get("type") == "view_submission":
        return json.dumps(refusal(error, body.get("view"), said if isinstance(said, Prose) else said.text))
    return None
