"""The end of a run: the faults are over, things come to rest, and people bring to an end what still runs."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import redis
import urllib3

from bot.domain.rollout import SLOTLESS, Phase
from chaos.cast import Cast
from chaos.hands import Hands
from chaos.people import PEOPLE
from chaos.world import Site

QUIET_WITHIN = 60.0
BRAKES_WITHIN = 30.0
SLACK_WITHIN = 150.0


@dataclass(frozen=True, slots=True)
class Calm:
    """How the run came to rest; the times are in seconds, None where it did not. ``left`` was not rolled back."""

    quiet: float | None
    braked: float | None
    caught_up: float | None
    left: Sequence[str]


def calm_down(cast: Cast, hands: Hands, seed: int) -> Calm:
    """Lift every fault, wait until all is written, end what runs, and wait for the cards."""
    _lift(cast)
    dice = random.Random(seed)
    quiet = _within(QUIET_WITHIN, lambda: cast.memory.waiting() == (0, 0))
    ended = _end_all(cast, hands, dice)
    is_back = ended_on(cast)
    braked = _within(BRAKES_WITHIN, lambda: cast.memory.waiting() == (0, 0) and all(map(is_back, ended)))
    left = [rollout_id for site, rollout_id in ended if not is_back((site, rollout_id))]
    caught_up = _within(SLACK_WITHIN, lambda: not cast.memory.behind())
    for site in cast.sites:
        newest = cast.tape.newest((site.namespace, site.route))
        if newest is not None and newest.note is not None and newest.note.phase not in SLOTLESS:
            hands.types(site, "why", newest.note.id, newest.note.id, PEOPLE[0], dice)
    return Calm(quiet, braked, caught_up, left)


def _lift(cast: Cast) -> None:
    """End whatever a blow has left behind, and have every bot run."""
    cast.proxy.lift()
    cast.slack.faults.lift_all()
    for facts in cast.slack.channels.values():
        facts["is_member"] = True
    for bot in cast.bots:
        bot.server.wait_ready(bot.is_ready)
    cast.ledger.calm = time.time()


def _end_all(cast: Cast, hands: Hands, dice: random.Random) -> list[tuple[Site, str]]:
    """Roll back most of what still runs; the rest stays as it is, and has to say why it waits."""
    braked = []
    for site in cast.sites:
        newest = cast.tape.newest((site.namespace, site.route))
        note = newest.note if newest is not None else None
        if (
            note is None
            or newest is None
            or note.route_uid != newest.uid
            or note.phase in SLOTLESS
            or dice.random() < 0.2
        ):
            continue
        hands.types(site, "rollback", note.id, note.id, dice.choice(PEOPLE), dice)
        braked.append((site, note.id))
    return braked


def ended_on(cast: Cast) -> Callable[[tuple[Site, str]], bool]:
    """Return whether a site's route says that a rollout is rolled back."""

    def is_back(braked: tuple[Site, str]) -> bool:
        site, rollout_id = braked
        newest = cast.tape.newest((site.namespace, site.route))
        note = newest.note if newest is not None else None
        return note is not None and (note.id != rollout_id or note.phase is Phase.ROLLED_BACK)

    return is_back


def _within(seconds: float, done: Callable[[], bool]) -> float | None:
    """Wait, and return how long it took; None where it did not happen."""
    begun = time.time()
    while time.time() < begun + seconds:
        try:
            if done():
                return time.time() - begun
        except (redis.RedisError, urllib3.exceptions.HTTPError):
            pass
        time.sleep(0.1)
    return None
