"""What a write tests on the route: less, after others have overtaken it several times."""

from bot.domain.rollout import TAKEN_BACK, Rollout
from bot.engine.notes import note_for
from bot.engine.route_port import Guard, RouteCopy

LOST_GUARDS = 3
"""After this many a write tests only what it touches: somebody keeps editing other fields of the route, or, where it
is a roll back, our annotation.
"""


def guard_of(copy: RouteCopy, rollout: Rollout, attempt: int) -> Guard:
    """Choose what a write tests. Without our annotation on the route, a step can rely only on its generation."""
    note = note_for(copy, rollout)
    is_ours = note is not None and note.id == rollout.id
    may_test_less = is_ours or rollout.phase in TAKEN_BACK
    return Guard.TOUCHED if may_test_less and attempt >= LOST_GUARDS else Guard.GENERATION
