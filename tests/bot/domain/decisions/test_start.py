"""The first decision: what a start tells."""

from bot.domain.commands.request import Command, Request
from bot.domain.decisions.start import start
from bot.domain.events import EventKind
from bot.domain.rollout import Pool
from tests.builders import ALICE, CANARY, IN_CHANNEL, NOON, PLAN, RULE, STABLE, at


def warned(count: int) -> list[str]:
    """Return what a start with so many warnings tells of them."""
    request = Request(command=Command(verb="start"), by=ALICE, origin=IN_CHANNEL, delivery="d-1", at=NOON)
    change = start(
        request,
        PLAN,
        at(0),
        route=("default", "llm-route", "uid-1"),
        stable=Pool("default", STABLE),
        canary=Pool("default", CANARY),
        rules=(RULE,),
        warnings=tuple(f"Warning {number}." for number in range(count)),
    )
    return [event.reason for event in change.events if event.kind is EventKind.WARNED]


def test_a_start_tells_a_dozen_warnings_at_most_and_says_where_the_others_are() -> None:
    assert warned(12) == [f"Warning {number}." for number in range(12)]
    assert warned(2000) == [*warned(11), f"1989 more warnings: `check {CANARY}` lists them all."]
