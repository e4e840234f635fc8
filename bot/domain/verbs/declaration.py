"""What a verb is: one value that says everything about it.

The grammar, `help`, "what works now", access, the terminal's commands and the buttons follow from it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from bot.domain.access import AccessList
from bot.domain.commands.request import Request
from bot.domain.decisions.moves import Moment
from bot.domain.gate import Verdict
from bot.domain.rollout import Change, Entry, Phase, Rollout
from bot.domain.verbs.asking import Asking, Reply
from bot.domain.verbs.button import Button


class Kind(StrEnum):
    """What happens with a verb's words."""

    START = "start"  # kept in the inbox; makes a rollout
    ORDER = "order"  # kept in the inbox; decides about a rollout
    QUESTION = "question"  # answered at once, from memory and Redis
    INQUIRY = "inquiry"  # may ask the cluster: acknowledged at once, answered later


ASKS = frozenset({Kind.QUESTION, Kind.INQUIRY})
"""Kinds that change nothing."""

PLACE_KEYS: Final = ("route", "namespace")
"""Keys that tell rollouts of one pool apart; a start says with them where it begins."""

Decide = Callable[[Entry, Request, Verdict, Moment], Change]


def _decides_nothing(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    raise NotImplementedError(f"{request.command.verb} is no order.")


def _answers_nothing(asking: Asking) -> Reply:
    raise NotImplementedError(f"{asking.command.verb} is no question.")


def _never(rollout: Rollout) -> bool:
    return False


def _always(rollout: Rollout) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One verb.

    ``usage`` is what is typed behind the name, ``options`` what `start` takes besides, by its ``own_keys``.
    ``spellings`` are the same verb; ``instead_of`` are words that people type for it, and are answered with "Did you
    mean". ``phases`` and ``also_fits`` say where it is carried out at all, ``works`` where, of those, it would do
    something now.
    """

    name: str
    kind: Kind
    help: str
    spoken: str = ""  # how our sentences say it, if not by its name
    usage: str = ""
    options: str = ""
    own_keys: tuple[str, ...] = ()
    spellings: tuple[str, ...] = ()
    instead_of: tuple[str, ...] = ()
    access: AccessList | None = None  # None: everybody may

    phases: frozenset[Phase] = frozenset()
    also_fits: Callable[[Rollout], bool] = _never
    works: Callable[[Rollout], bool] = _always

    raises: bool = False  # may raise the canary, so the gates are asked before it is decided
    is_brake: bool = False  # never stale, never refused for its spelling, and has its own lane
    needs_reason: bool = False
    writes_first: bool = False  # an unwritten decision is written before this one is made
    late_after: timedelta | None = None  # refused if it comes later than this; None: never too late
    outdated_by: Callable[[Rollout], datetime] | None = None  # when what people saw as they typed last changed

    decide: Decide = _decides_nothing
    answer: Callable[[Asking], Reply] = _answers_nothing
    within: timedelta = timedelta(seconds=10)  # the deadline of an inquiry's answer
    button: Button | None = None

    def __post_init__(self) -> None:
        """Raise ValueError if a declaration lacks what its kind needs."""
        if self.kind is Kind.ORDER and self.decide is _decides_nothing:
            raise ValueError(f"The order `{self.name}` has no `decide`.")
        if self.asks and self.answer is _answers_nothing:
            raise ValueError(f"The question `{self.name}` has no `answer`.")
        if self.button and self.needs_reason and self.button.reason_dialog is None:
            raise ValueError(f"The button of `{self.name}` has no `reason_dialog`.")

    @property
    def asks(self) -> bool:
        """Say whether it changes nothing and only needs an answer."""
        return self.kind in ASKS

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the keys that it takes, as in ``key=value``."""
        place = () if self.kind is Kind.START else PLACE_KEYS
        return ("pool", *place, *self.own_keys, *(() if self.asks else ("reason",)))

    @property
    def takes_any_word(self) -> bool:
        """Say whether its first word may begin the reason instead of naming a pool."""
        return self.is_brake or self.needs_reason

    def fits(self, rollout: Rollout) -> bool:
        """Say whether it can be carried out now."""
        return rollout.phase in self.phases or self.also_fits(rollout)

    def works_now(self, rollout: Rollout) -> bool:
        """Say whether it can be carried out and would do something."""
        return self.fits(rollout) and self.works(rollout)

    def line(self, program: str, *, options: bool = True) -> str:
        """Write it as people type it after ``program``."""
        return " ".join(filter(None, [program, self.name, self.usage, self.options if options else ""]))
