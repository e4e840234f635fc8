"""What happened to a rollout: one append-only stream that the thread, the history and the audit read."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.chart import Chart
from bot.domain.gate import Figure

REJECTED = "Rejected: "
"""How the stored reason of a rejection begins; a sentence that says so already leaves it out."""


class EventKind(StrEnum):
    """What happened; its sentence is in sentences/what_happened.py."""

    STARTED = "started"
    STEPPED = "stepped"
    ACCEPTANCE_UNKNOWN = "acceptance_unknown"
    HELD = "held"
    HELD_ON = "held_on"  # the hold is not over at the second look
    APPROVAL_WANTED = "approval_wanted"
    APPROVED = "approved"
    REJECTED = "rejected"
    PAUSED = "paused"
    RESUMED = "resumed"
    PROMOTED = "promoted"
    FINISHED = "finished"
    ROLLED_BACK = "rolled_back"
    WRITTEN_AGAIN = "written_again"  # a roll back, written once more
    ENDED = "ended"
    FOLLOWED = "followed"  # it was finished, and a newer rollout has the route
    REFUSED = "refused"
    DRIFTED = "drifted"  # somebody else changed our weights
    RESTORED = "restored"  # our weights are written again
    KEPT = "kept"  # their weights are the current step now
    KEPT_LONGER = "kept_longer"  # the old pool; the reason says until when
    CLEANED = "cleaned"
    ADOPTED = "adopted"  # a decision on the route that the store did not know
    REBUILT = "rebuilt"  # the store had forgotten the rollout
    WARNED = "warned"
    NOT_WRITTEN = "not_written"  # the first try failed; it may be over in a second
    TROUBLE = "trouble"  # what does not go away by itself, as far as we can tell
    WRITTEN = "written"  # after a trouble that was told
    NO_WAY_BACK = "no_way_back"  # the old pool cannot serve; the reason says why
    WAY_BACK = "way_back"  # it can again
    NOT_SERVING = "not_serving"  # the new pool has traffic and cannot serve; the reason says why
    SERVING = "serving"  # it can again
    REMINDER = "reminder"
    PICTURE = "picture"  # what both pools did until a decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened; ``by`` is a Slack user id, empty if the timer or the cluster did it.

    ``unix_user`` is who did it in a terminal, in the name of ``by``. ``is_checked``: Slack said who that is.
    """

    kind: EventKind
    at: datetime
    by: str = ""
    unix_user: str = ""
    is_checked: bool = True
    weight: int | None = None  # of the canary in percent, after it
    figures: tuple[Figure, ...] = ()  # what the gates saw when it was decided
    charts: tuple[Chart, ...] = ()
    reason: str = ""  # a sentence of the person, the gate, the gateway or the API server
