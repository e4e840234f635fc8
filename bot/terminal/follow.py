"""After a decision: is it on the route, and does the gateway accept it? It looks for a while, and then gives up."""

from collections.abc import Callable
from datetime import timedelta

from bot.domain.commands.request import START
from bot.domain.decisions.by_people import describe
from bot.domain.prose import Prose, ended, say
from bot.domain.rollout import Acceptance, Entry, Phase
from bot.domain.sentences.gates import hold_reason
from bot.domain.sentences.reasons import reason
from bot.domain.verbs.registry import verb_of
from bot.engine.ports import Clock
from bot.terminal.answer import Answer, Exit

LOOK_EVERY = 0.3
"""Seconds."""

Tell = Callable[[str], None]
"""Shows people what is waited for."""


def follow(entry: Entry, clock: Clock, seconds: float, tell: Tell, look: Callable[[Entry], Entry]) -> Entry:
    """Look until nothing is open any more or the time is up; ``look`` returns the newest state."""
    end = clock.now() + timedelta(seconds=seconds)
    entry = look(entry)
    while (missing := _missing(entry)) and clock.now() < end:
        tell(f"{entry.rollout.weight} % wanted; waiting for {missing}")
        clock.sleep(LOOK_EVERY)
        entry = look(entry)
    return entry


def _missing(entry: Entry) -> str:
    if not entry.is_applied:
        return "the route"
    return "the gateway" if entry.acceptance is Acceptance.WAITING else ""


def result(entry: Entry, verb: str) -> Answer:
    """Say what became of a verb."""
    stands = say("`{}` is {}", entry.rollout.canary.name, describe(entry.rollout))
    if _was_undone(entry, verb):
        why = reason(entry.rollout.why, by="") or say("it was taken back.")
        return Answer(said=say("{}: {}", stands, why), exit=Exit.REFUSED, entries=(entry,))
    if entry.rollout.phase is Phase.HOLDING:
        why = reason(hold_reason(entry), by="")
        return Answer(said=say("{}: {}", stands, why), exit=Exit.UNCONFIRMED, entries=(entry,))
    said, code = _written(entry)
    return Answer(said=say("{}; {}", stands, said), exit=code, entries=(entry,))


def _was_undone(entry: Entry, verb: str) -> bool:
    """Say whether the requested step was taken back, because it could not or must not be written."""
    phase = entry.rollout.phase
    if entry.rollout.by:
        return False  # somebody else has decided since then
    if verb == START:
        return phase in (Phase.REFUSED, Phase.ROLLED_BACK)
    return verb_of(verb).raises and phase in (Phase.PAUSED, Phase.ROLLED_BACK)


def _written(entry: Entry) -> tuple[Prose, Exit]:
    trouble = reason(entry.trouble.reason, by="") if entry.trouble else Prose()
    if not entry.is_applied:
        why = say(": {}", ended(trouble)) if trouble else say(".")
        return say("that is decided and kept, but not on the route yet{} It is tried again.", why), Exit.UNCONFIRMED
    if trouble:  # there will be no other try, and people must know why
        return trouble, Exit.UNCONFIRMED
    match entry.acceptance:
        case Acceptance.WAITING:
            return say("that is on the route, but the gateway has not said yet that it accepts it."), Exit.UNCONFIRMED
        case Acceptance.UNKNOWN:
            return say("that is on the route; the gateway does not say whether it accepts it."), Exit.DONE
        case Acceptance.REFUSED:
            return say("that is on the route, but the gateway does not take all of it."), Exit.UNCONFIRMED
        case Acceptance.ACCEPTED:
            return say("that is on the route, and the gateway accepts it."), Exit.DONE
        case _:
            return say("that is noted on the route."), Exit.DONE
