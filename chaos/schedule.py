"""The plan of a run: which fault strikes when, and for how long. All of it comes from the seed."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.verbs.registry import verbs
from sandbox.fake_prometheus import Mood
from sandbox.faults import Fault


class Kind(StrEnum):
    """What can go wrong, as the table calls it."""

    KILL = "bot: kill -9"
    FREEZE = "bot: paused for some seconds"
    LONG_FREEZE = "bot: paused for longer than its lease"
    STORE_KILL = "Valkey: kill -9, then restart"
    STORE_FREEZE = "Valkey: paused"
    STORE_FLUSH = "Valkey: flushed"
    STORE_OLDER = "Valkey: last seconds lost"
    API_REFUSED = "API: refuses connections"
    API_RESET = "API: resets connections"
    API_HUNG = "API: hangs"
    API_SLOW = "API: slow"
    API_LOST = "API: reply lost after the patch"
    API_401 = "API: 401"
    API_429 = "API: 429"
    API_500 = "API: 500"
    WATCH_CUT = "API: watch cut"
    WATCH_SILENT = "API: watch half open"
    SLACK_429 = "Slack: 429"
    SLACK_500 = "Slack: 500"
    SLACK_TIMEOUT = "Slack: times out"
    SLACK_LOST = "Slack: reply lost after the effect"
    SLACK_DELETED = "Slack: card deleted"
    SLACK_KICKED = "Slack: bot removed from the channel"
    NUMBERS_SLOW = "Prometheus: does not answer"
    NUMBERS_AWAY = "Prometheus: hangs up"
    NUMBERS_EMPTY = "Prometheus: knows nothing"
    NUMBERS_WRONG = "Prometheus: values are no numbers"
    TWICE = "delivery: sent twice, to any bot"
    LATE = "delivery: overtaken by a later one"
    RIVAL_WEIGHTS = "rival: edits our weights"
    RIVAL_NOTE = "rival: removes our annotation"
    RIVAL_OLD_NOTE = "rival: puts an older annotation back"
    RIVAL_FORGES = "rival: forges our annotation"
    RIVAL_FOREIGN = "rival: edits other fields"
    RIVAL_RECREATES = "rival: deletes the route and creates it again"


BY_PEOPLE = frozenset({Kind.TWICE, Kind.LATE})
"""Kinds that need no blow: deliveries make them all the time."""

API: Mapping[Kind, Fault] = {
    Kind.API_REFUSED: Fault.REFUSED,
    Kind.API_RESET: Fault.RESET,
    Kind.API_HUNG: Fault.HUNG,
    Kind.API_SLOW: Fault.SLOW,
    Kind.API_LOST: Fault.LOST,
    Kind.API_401: Fault.UNKNOWN_TOKEN,
    Kind.API_429: Fault.TOO_MANY,
    Kind.API_500: Fault.BROKEN,
    Kind.WATCH_CUT: Fault.CUT,
    Kind.WATCH_SILENT: Fault.SILENT,
}
"""The names of these in the proxy in front of the API server."""

SLACK: Mapping[Kind, Sequence[str]] = {
    Kind.SLACK_429: ("429",),
    Kind.SLACK_500: ("500", "500 after"),
    Kind.SLACK_TIMEOUT: ("hang", "hang after"),
    Kind.SLACK_LOST: ("lost",),
}
"""The names of these in the stand-in for Slack."""

PROMETHEUS: Mapping[Kind, Mood] = {
    Kind.NUMBERS_SLOW: Mood.SLOW,
    Kind.NUMBERS_AWAY: Mood.AWAY,
    Kind.NUMBERS_EMPTY: Mood.EMPTY,
    Kind.NUMBERS_WRONG: Mood.NANS,
}
"""How the stand-in for Prometheus is meanwhile."""

BLOWS: Mapping[Kind, tuple[int, float, float]] = {
    Kind.KILL: (6, 0.3, 5),
    Kind.FREEZE: (3, 1, 5),
    Kind.LONG_FREEZE: (2, 12, 16),
    Kind.STORE_KILL: (2, 0.5, 3),
    Kind.STORE_FREEZE: (2, 0.5, 3),
    Kind.STORE_FLUSH: (2, 0, 0),
    Kind.STORE_OLDER: (2, 2, 5),
    Kind.API_REFUSED: (3, 1, 6),
    Kind.API_RESET: (3, 1, 4),
    Kind.API_HUNG: (3, 2, 7),
    Kind.API_SLOW: (3, 2, 6),
    Kind.API_LOST: (4, 1, 4),
    Kind.API_401: (3, 1, 4),
    Kind.API_429: (3, 1, 5),
    Kind.API_500: (3, 1, 6),
    Kind.WATCH_CUT: (3, 0, 0),
    Kind.WATCH_SILENT: (3, 0, 0),
    Kind.SLACK_429: (3, 1, 4),
    Kind.SLACK_500: (3, 1, 5),
    Kind.SLACK_TIMEOUT: (3, 1, 4),
    Kind.SLACK_LOST: (3, 1, 4),
    Kind.SLACK_DELETED: (6, 0, 0),
    Kind.SLACK_KICKED: (3, 2, 8),
    Kind.NUMBERS_SLOW: (2, 2, 6),
    Kind.NUMBERS_AWAY: (2, 2, 6),
    Kind.NUMBERS_EMPTY: (2, 2, 6),
    Kind.NUMBERS_WRONG: (2, 2, 6),
    Kind.RIVAL_WEIGHTS: (48, 0, 0),
    Kind.RIVAL_NOTE: (6, 0, 0),
    Kind.RIVAL_OLD_NOTE: (8, 0, 0),
    Kind.RIVAL_FORGES: (12, 0, 0),
    Kind.RIVAL_FOREIGN: (20, 0, 0),
    Kind.RIVAL_RECREATES: (4, 0, 0),
}
"""How many of each strike in a full run, and how many seconds one lasts at least and at most."""

OVERTIME, SHORT_OVERTIME = 60.0, 20.0
SHORT_SITES, SHORT_ROLLOUTS = 6, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """One fault: when it strikes (seconds after the start), how long it lasts, and the seed of its random choices."""

    at: float
    kind: Kind
    seconds: float
    seed: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """A whole run. If there are fewer than ``rollouts``, people go on for up to ``overtime`` more seconds.

    The run fails unless each of ``kinds`` hits something and somebody does each of ``verbs``.
    """

    seed: int
    seconds: float
    overtime: float
    sites: int
    rollouts: int
    kinds: frozenset[Kind]
    verbs: frozenset[str]
    blows: Sequence[Blow]

    @property
    def judges(self) -> bool:
        """Say whether gates judge the numbers of a Prometheus."""
        return bool(self.kinds & PROMETHEUS.keys())


SHORT = frozenset(
    {
        Kind.KILL,
        Kind.FREEZE,
        Kind.STORE_KILL,
        Kind.STORE_FREEZE,
        Kind.STORE_FLUSH,
        Kind.API_REFUSED,
        Kind.API_RESET,
        Kind.API_LOST,
        Kind.API_500,
        Kind.SLACK_500,
        Kind.SLACK_LOST,
        Kind.RIVAL_WEIGHTS,
        Kind.RIVAL_FOREIGN,
        Kind.TWICE,
    }
)
"""Kinds that hit something even in a run of some seconds with a few routes."""


def schedule(seed: int, *, seconds: float, sites: int, rollouts: int) -> Schedule:
    """Return the plan of a run with every kind of fault, in every third run those of a Prometheus too.

    Where gates judge numbers, rollouts are slower, so the other runs have more of everything else.
    """
    kinds = frozenset(Kind) - (PROMETHEUS.keys() if seed % 3 else frozenset())
    deck = [kind for kind in sorted(kinds - BY_PEOPLE) for _ in range(BLOWS[kind][0])]
    words = frozenset(verb.name for verb in verbs()) - {"help"}
    return Schedule(seed, seconds, OVERTIME, sites, rollouts, kinds, words, _blows(deck, seconds, random.Random(seed)))


def short(seed: int, *, seconds: float) -> Schedule:
    """Return the plan of a run for the tests: one blow of each kind in SHORT, with a few routes."""
    blows = _blows(sorted(SHORT - BY_PEOPLE), seconds, random.Random(seed))
    verbs = frozenset({"start", "rollback"})
    return Schedule(seed, seconds, SHORT_OVERTIME, SHORT_SITES, SHORT_ROLLOUTS, SHORT, verbs, blows)


def _blows(deck: list[Kind], seconds: float, dice: random.Random) -> Sequence[Blow]:
    """Spread the kinds over the time, in random order."""
    dice.shuffle(deck)
    gap = seconds / (len(deck) + 1)
    return tuple(_blow(kind, gap * (place + dice.uniform(0.5, 1.5)), dice) for place, kind in enumerate(deck))


def _blow(kind: Kind, at: float, dice: random.Random) -> Blow:
    _, low, high = BLOWS[kind]
    return Blow(at=at, kind=kind, seconds=dice.uniform(low, high), seed=dice.getrandbits(32))
