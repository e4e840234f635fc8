"""A verb's button, in neutral values: what it says, what it asks first, where it stands. Slack draws it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from bot.domain.gate import GateAnswer
from bot.domain.rollout import Acceptance, Entry, Pool


class Style(StrEnum):
    """How a button looks; the expected one stands out, and so does one that stops."""

    PLAIN = ""
    PRIMARY = "primary"
    DANGER = "danger"


class Position(IntEnum):
    """Where a button stands, from the left.

    The brakes never move, so that no other button ends up under a finger. Buttons of the same place stand in
    the order of the registry.
    """

    ROLLBACK = 0
    BRAKE = 1
    STEP = 2
    QUESTION = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialog:
    """The question before a button acts: a title, a text, and the label of the button that confirms."""

    title: str
    text: str
    yes: str
    style: Style = Style.PRIMARY


def _no_dialog(entry: Entry) -> Dialog | None:
    return None


def _plain(entry: Entry) -> Style:
    return Style.PLAIN


def expected_unless_a_gate_fails(entry: Entry) -> Style:
    """Let a button stand out, unless a gate advises against it."""
    answers = [finding.answer for finding in entry.findings]
    return Style.PLAIN if GateAnswer.FAIL in answers else Style.PRIMARY


def _always(entry: Entry) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A verb's button. It is drawn where the verb works and ``shown`` agrees.

    ``dialog`` is asked first. The dialog of a verb that needs a reason also asks for that: ``reason_dialog``, which is
    given None if the rollout could not be read.
    """

    label: Callable[[Entry], str]
    place: Position = Position.STEP
    style: Callable[[Entry], Style] = _plain
    shown: Callable[[Entry], bool] = _always
    dialog: Callable[[Entry], Dialog | None] = _no_dialog
    reason_dialog: Callable[[Entry | None], Dialog] | None = None


def short(pool: Pool, most: int = 60) -> str:
    """Return a pool's name for a dialog, cut in its middle: pools are told apart by their ends."""
    name = pool.name
    if len(name) <= most:
        return name
    tail = (most - 1) * 2 // 3
    return f"{name[: most - 1 - tail]}…{name[-tail:]}"


def is_settled(entry: Entry) -> bool:
    """Say whether the last write is done; before that there is no further step up."""
    return entry.is_applied and entry.acceptance is not Acceptance.WAITING
