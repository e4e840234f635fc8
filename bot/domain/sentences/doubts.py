"""Warnings of pools that cannot serve: the old one, which a roll back needs, and the new one, which gets traffic."""

from bot.domain.prose import Prose, joined, say
from bot.domain.rollout import Entry, Phase
from bot.domain.sentences.reasons import reason

LONGEST = 300


def doubts(entry: Entry) -> Prose:
    """Warn of both pools, a line each."""
    return joined("\n", (canary_doubt(entry), stable_doubt(entry)))


def stable_doubt(entry: Entry) -> Prose:
    """Warn of an old pool that cannot serve, while traffic goes to it or may have to go back."""
    doubt, rollout = entry.readiness.stable_doubt if entry.readiness else "", entry.rollout
    if not doubt or (rollout.is_over and rollout.phase is not Phase.ROLLED_BACK):
        return Prose()
    what = "serve" if rollout.phase is Phase.ROLLED_BACK else "take traffic back"
    return say("⚠️ *The old pool cannot {}:* {}", what, reason(doubt, by="", longest=LONGEST))


def canary_doubt(entry: Entry) -> Prose:
    """Warn of a new pool that cannot serve the traffic that it has or gets, unless a gate holds and says so."""
    doubt, rollout = entry.readiness.canary_doubt if entry.readiness else "", entry.rollout
    if not doubt or rollout.is_over or rollout.phase is Phase.HOLDING:
        return Prose()
    return say("⚠️ *The new pool cannot serve:* {}", reason(doubt, by="", longest=LONGEST))
