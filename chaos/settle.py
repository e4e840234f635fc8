"""The end of a run: the faults are over, everything comes to rest, and people end what still runs."""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import redis
import urllib3

from bot.domain.rollout import SLOTLESS, Phase
from chaos.cast import Cast
from chaos.deliveries import Deliveries
from chaos.people import PEOPLE
from chaos.site_requests import SiteRequests
from chaos.world import Site

QUIET_WITHIN = 60.0
BRAKES_WITHIN = 30.0
SLACK_WITHIN = 150.0


@dataclass(frozen=True, slots=True)
class Calm:
    """Whether requests and writes came to rest, then the roll backs. ``left`` are those not rolled back."""

    quiet: bool
    braked: bool
    left: Sequence[str]


def calm_down(cast: Cast, deliveries: Deliveries, seed: int) -> Calm:
    """Lift every fault, wait until all is written, roll back most rollouts, and wait for the cards."""
    _lift(cast)
    dice = random.Random(seed)
    requests = [SiteRequests(cast, deliveries, site, dice) for site in cast.sites]
    quiet = _within(QUIET_WITHIN, lambda: cast.memory.waiting() == (0, 0))
    _within(QUIET_WITHIN, lambda: _agree(cast))  # a forged note may have come while nobody led
    braked = _brake_most(requests, dice)

    def left() -> list[str]:
        return [rollout_id for site, rollout_id in braked if not _is_back(cast, site, rollout_id)]

    is_back = _within(BRAKES_WITHIN, lambda: cast.memory.waiting() == (0, 0) and not left())
    still_left = left()
    _within(SLACK_WITHIN, lambda: not cast.memory.behind())
    for one in requests:
        if note := cast.tape.running(one.site.key):
            one.types("why", note.id, note.id, PEOPLE[0])
    return Calm(quiet, is_back, still_left)


def _agree(cast: Cast) -> bool:
    """Return whether each signed note on a route says what the store says of its rollout, if that has the route."""
    records = cast.memory.look().records
    for site in cast.sites:
        note = cast.tape.note(site.key)
        record = records.get(note.id) if note else None
        if note and record and Phase(record["phase"]) not in SLOTLESS and record["decision"] != note.decision:
            return False
    return True


def _lift(cast: Cast) -> None:
    """Lift every fault that still stands, and wait until every bot is ready."""
    cast.proxy.lift()
    cast.slack.faults.lift_all()
    for facts in cast.slack.channels.values():
        facts["is_member"] = True
    for bot in cast.bots:
        bot.server.wait_ready(bot.is_ready)
    cast.ledger.calm = time.time()


def _brake_most(requests: Sequence[SiteRequests], dice: random.Random) -> list[tuple[Site, str]]:
    """Roll back most of what still runs. The rest stays, and must say why it waits."""
    braked = []
    for one in requests:
        newest, note = one.cast.tape.newest(one.site.key), one.cast.tape.running(one.site.key)
        if newest is None or note is None or note.route_uid != newest.uid or dice.random() < 0.2:
            continue
        one.types("rollback", note.id, note.id, dice.choice(PEOPLE))
        braked.append((one.site, note.id))
    return braked


def _is_back(cast: Cast, site: Site, rollout_id: str) -> bool:
    """Return whether the route's annotation shows a rollout as rolled back, or shows another one."""
    note = cast.tape.note(site.key)
    return note is not None and (note.id != rollout_id or note.phase is Phase.ROLLED_BACK)


def _within(seconds: float, done: Callable[[], bool]) -> bool:
    """Wait until something is done, and return whether it was done in time."""
    deadline = time.time() + seconds
    while time.time() < deadline:
        with suppress(redis.RedisError, urllib3.exceptions.HTTPError):
            if done():
                return True
        time.sleep(0.1)
    return False
