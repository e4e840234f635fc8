"""What happened to a rollout: one append-only stream that the thread, the history and the audit read."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

REJECTED = "Rejected: "
"""How the stored reason of a rejection begins; a sentence that says so already leaves it out."""


class EventKind(StrEnum):
    """What happened; its sentence is in sentences/what_happened.py."""

    STARTED = "started"
    STEPPED = "stepped"
    ACCEPTANCE_UNKNOWN = "acceptance_unknown"
    HELD = "held"
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
    REFUSED = "refused"
    DRIFTED = "drifted"  # somebody else changed our weights
    RESTORED = "restored"  # our weights are written again
    KEPT = "kept"  # their weights are the current step now
    CLEANED = "cleaned"
    ADOPTED = "adopted"  # a decision on the route that the store did not know
    REBUILT = "rebuilt"  # the store had forgotten the rollout
    WARNED = "warned"
    TROUBLE = "trouble"
    REMINDER = "reminder"
    STABLE_LACKS = "stable_lacks"  # the old pool cannot serve; the reason says why
    STABLE_SERVES = "stable_serves"  # the old pool can serve again


BROADCAST = frozenset(
    {
        EventKind.APPROVAL_WANTED,
        EventKind.ROLLED_BACK,
        EventKind.PROMOTED,
        EventKind.FINISHED,
        EventKind.STABLE_LACKS,
    }
)
"""Events that the whole channel sees, not only the thread. For a start, the card is enough."""


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
    reason: str = ""  # a sentence of the person, the gate, the gateway or the API server
