"""People's hands: words that are typed, buttons that are pressed as they are drawn, a dialog that is filled in."""

import random
import time
from collections.abc import Mapping
from typing import Any

from chaos.ledger import Asked, Ledger
from chaos.post import Post
from chaos.world import Site
from handlers.buttons import action_id
from sandbox.strict_slack import Delivery, RefusedError, StrictSlack
from sandbox.strict_slack.slack import buttons

QUESTIONS = frozenset({"status", "why", "help"})


class Hands:
    """Types and presses; each request is noted before it is sent."""

    def __init__(self, slack: StrictSlack, post: Post, ledger: Ledger) -> None:
        self._slack, self._post, self._ledger = slack, post, ledger

    def types(self, site: Site, verb: str, words: str, rollout: str, user: str, dice: random.Random) -> Asked:
        """Type a command, with a word of its own as the reason."""
        token = "" if verb in QUESTIONS else self._ledger.token()
        reason = f' reason="{token} & <so>"' if token else ""
        delivery = self._slack.command(f"{verb} {words}{reason}", user=user, channel=site.channel)
        return self._give(site, verb, rollout, user, delivery, token, dice)

    def presses(
        self, site: Site, card: Mapping[str, Any], verb: str, rollout: str, user: str, dice: random.Random
    ) -> bool:
        """Press a button of a card; False where it has none."""
        try:
            if action_id(verb) not in buttons(card):
                return False
            delivery = self._slack.click(card["ts"], action_id(verb), user=user, channel=site.channel)
        except (RefusedError, KeyError):
            return False  # it was taken away, or drawn anew, under the finger
        if verb == "reject":
            self._reject(site, rollout, user, delivery, dice)
        else:
            self._give(site, verb, rollout, user, delivery, "", dice)
        return True

    def _reject(self, site: Site, rollout: str, user: str, click: Delivery, dice: random.Random) -> None:
        """Fill in the dialog that the button opens, where it opens one."""
        self._give(site, "reject", rollout, user, click, "", dice)
        deadline = time.time() + 3
        while time.time() < deadline:
            view = next((one for one in list(self._slack.views) if click.reply_path in one["private_metadata"]), None)
            if view is not None:
                token = self._ledger.token()
                delivery = self._slack.submission(view, {"reason": {"reason": f"{token} & <so>"}}, user=user)
                delivery.reply_path = click.reply_path
                self._give(site, "reject", rollout, user, delivery, token, dice, view=view["id"])
                return
            time.sleep(0.1)

    def _give(
        self,
        site: Site,
        verb: str,
        rollout: str,
        user: str,
        delivery: Delivery,
        token: str,
        dice: random.Random,
        *,
        view: str = "",
    ) -> Asked:
        asked = Asked(
            verb=verb,
            rollout=rollout,
            by=user,
            delivery=delivery,
            token=token,
            at=time.time(),
            id=view or delivery.trigger,
        )
        self._post.deliver(asked, site.route, dice)
        return asked
