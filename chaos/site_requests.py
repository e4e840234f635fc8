"""What people do at one site: type words, press buttons as they are drawn, fill in a dialog."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.verbs.registry import verbs
from chaos.cast import Cast
from chaos.deliveries import Deliveries
from chaos.ledger import Asked
from chaos.world import Site
from handlers.buttons import action_id
from sandbox.strict_slack import Delivery, RefusedError
from sandbox.strict_slack.slack import buttons

QUESTIONS = frozenset(verb.name for verb in verbs() if verb.asks)


@dataclass(frozen=True, slots=True)
class SiteRequests:
    """Types and presses at one site. The ledger has each request before Slack sends it."""

    cast: Cast
    deliveries: Deliveries
    site: Site
    dice: random.Random

    def types(self, verb: str, words: str, rollout: str, user: str) -> Asked:
        """Type a command, with a word of its own as the reason."""
        token = "" if verb in QUESTIONS else self.cast.ledger.token()
        reason = f' reason="{token} & <so>"' if token else ""
        delivery = self.cast.slack.command(f"{verb} {words}{reason}", user=user, channel=self.site.channel)
        return self._send(verb, rollout, user, delivery, token)

    def presses(self, card: Mapping[str, Any], verb: str, rollout: str, user: str) -> bool:
        """Press a button of a card; return False if the card does not have it."""
        try:
            if action_id(verb) not in buttons(card):
                return False
            delivery = self.cast.slack.click(card["ts"], action_id(verb), user=user, channel=self.site.channel)
        except (RefusedError, KeyError):
            return False  # the card was deleted or redrawn a moment before
        self._send(verb, rollout, user, delivery)
        if verb == "reject":
            self._fill_in(rollout, user, delivery)
        return True

    def _fill_in(self, rollout: str, user: str, click: Delivery) -> None:
        """Fill in the dialog that Reject opens, if it opens within some seconds."""
        slack, deadline = self.cast.slack, time.time() + 3
        while time.time() < deadline:
            view = next((one for one in list(slack.views) if click.reply_path in one["private_metadata"]), None)
            if view is not None:
                token = self.cast.ledger.token()
                delivery = slack.submission(view, {"reason": {"reason": f"{token} & <so>"}}, user=user)
                delivery.reply_path = click.reply_path
                self._send("reject", rollout, user, delivery, token, id=view["id"])
                return
            time.sleep(0.1)

    def _send(self, verb: str, rollout: str, user: str, delivery: Delivery, token: str = "", *, id: str = "") -> Asked:
        asked = Asked(
            verb=verb,
            rollout=rollout,
            by=user,
            delivery=delivery,
            token=token,
            at=time.time(),
            id=id or delivery.trigger,
        )
        self.deliveries.deliver(asked, self.site.route, self.dice)
        return asked
