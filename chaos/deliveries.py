"""How requests reach the bots: through a load balancer that knows no leader, sometimes twice or out of order."""

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from chaos.ledger import Asked, Ledger
from chaos.schedule import Kind, Schedule
from sandbox.bot_process import BotProcess
from sandbox.strict_slack import StrictSlack

AGAIN, LATER = 0.25, 0.12
"""The shares of deliveries that come twice, and that are held up on the way."""


class Deliveries:
    """Delivers each request to any bot that runs."""

    def __init__(self, slack: StrictSlack, bots: list[BotProcess], ledger: Ledger, plan: Schedule) -> None:
        self._slack, self._bots, self._ledger = slack, bots, ledger
        self._kinds = plan.kinds
        self._held: Counter[str] = Counter()
        self._overtaken: set[str] = set()
        self._lock = threading.Lock()
        self._behind = ThreadPoolExecutor(64, "delivery")
        self._surely = iter((True,))
        self.is_calm = False
        """Once this is set, everything comes once and in order."""

    def deliver(self, asked: Asked, place: str, dice: random.Random) -> None:
        """Record a request and send it. One that is held up is sent after this returns."""
        with self._lock:
            self._ledger.asked.append(asked)
            for waiting in [one for one in self._held if one.startswith(f"{place} ")]:
                self._overtaken.add(waiting)
        if not self.is_calm and Kind.LATE in self._kinds and dice.random() < LATER:
            self._behind.submit(self._send_late, asked, place, dice.uniform(0.3, 2.5))
        else:
            self._send(asked)
        if not self.is_calm and Kind.TWICE in self._kinds and self._comes_twice(dice):
            self._behind.submit(self._send_again, asked, dice.choice((0.0, 0.0, 0.2, 1.0, 6.0)))

    def close(self) -> None:
        """Wait for the requests that are on their way."""
        self._behind.shutdown(wait=True)

    def _comes_twice(self, dice: random.Random) -> bool:
        """Decide whether a delivery comes twice. The first one always does: a short run on a busy machine has few."""
        return dice.random() < AGAIN or next(self._surely, False)

    def _send(self, asked: Asked) -> None:
        running = [bot for bot in self._bots if bot.server.alive()] or self._bots
        self._slack.send(asked.delivery, random.choice(running).url)

    def _send_again(self, asked: Asked, seconds: float) -> None:
        time.sleep(seconds)
        self._ledger.hit(Kind.TWICE, asked.verb)
        self._send(asked)

    def _send_late(self, asked: Asked, place: str, seconds: float) -> None:
        mark = f"{place} {asked.id}"
        with self._lock:
            self._held[mark] += 1
        time.sleep(seconds)
        with self._lock:
            del self._held[mark]
            overtaken = mark in self._overtaken
        if overtaken:
            self._ledger.hit(Kind.LATE, asked.verb)
        self._send(asked)
