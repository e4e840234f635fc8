"""What people hear of writes that fail: the first one in the thread, the channel once it lasts or the answer is no."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.errors import ClusterError, RefusedError, RouteError
from bot.domain.events import Event, EventKind
from bot.domain.rollout import Phase, Rollout, Trouble
from bot.engine.trouble import failed
from tests.builders import NOON, a_rollout, an_entry

AWAY = ClusterError("The API server did not answer.")
BACK = a_rollout(phase=Phase.ROLLED_BACK)


def told(
    seconds: list[float], rollout: Rollout, error: ClusterError | RouteError = AWAY
) -> list[tuple[float, str, str]]:
    """Fail again and again, and return what is told, and when."""
    entry, heard = an_entry(rollout, applied=None), []
    for second in seconds:
        learnt = failed(entry, error, NOON + timedelta(seconds=second))
        entry = replace(entry, trouble=learnt.trouble)
        assert learnt.redraw == bool(learnt.events)
        heard += [(second, event.kind.value, event.reason) for event in learnt.events]
    return heard


@pytest.mark.parametrize(
    ("rollout", "lasts", "what"),
    [(a_rollout(), 30, "The last decision is not on the route. "), (BACK, 10, "The roll back is not on the route. ")],
)
def test_a_failure_is_trouble_once_it_lasts_and_is_told_once(rollout: Rollout, lasts: int, what: str) -> None:
    assert told([0, 1, lasts - 1, lasts, lasts + 5, 900], rollout) == [
        (0, "not_written", AWAY.message),
        (lasts, "trouble", what + AWAY.message),
    ]


@pytest.mark.parametrize("no", [RefusedError("The API server says no."), RouteError("A rule is gone.")])
def test_a_definite_no_is_trouble_at_once(no: RefusedError | RouteError) -> None:
    assert told([0, 5], BACK, no) == [(0, "trouble", f"The roll back is not on the route. {no.message}")]


def test_a_no_after_silence_is_trouble_too() -> None:
    silent = replace(an_entry(BACK, applied=None), trouble=Trouble(since=NOON, reason=AWAY.message, attempts=1))
    learnt = failed(silent, RefusedError("No."), NOON + timedelta(seconds=2))
    assert learnt.trouble == Trouble(since=NOON, reason="No.", attempts=2, is_told=True)
    assert learnt.events == (
        Event(
            kind=EventKind.TROUBLE,
            at=NOON + timedelta(seconds=2),
            weight=0,
            reason="The roll back is not on the route. No.",
        ),
    )
