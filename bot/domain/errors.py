"""Everything that can go wrong, as one tree; ``str(error)`` is one sentence that is safe to log and to keep.

People see ``error.prose``: backticks in our sentences are code, and who names a person writes prose in the first place.

RolloutBotError
  UserError            the person can mend it: shown as it is
    UsageError         the words of the command
    NotAllowedError    the person may not do this
    SlotTakenError     another rollout has the route
    StaleError         the button belongs to a card that is no longer true
    TransitionError    the verb does not fit the phase
    RouteError         the route or a pool is not as it must be
  DependencyError      a part that we depend on failed: tried again
    ClusterError       the Kubernetes API server
      RefusedError     it answered, and said no (403, 422, a webhook)
        GoneError      what was asked for is not there (404)
      RaceError        a guard of our patch no longer held: somebody was faster
    StoreError         Redis
    LateError          nobody knew the answer to an inquiry in time
    UnreadableError    a record of a version that this program does not know
"""

from bot.domain.prose import Prose, joined, sentence


class RolloutBotError(Exception):
    """One sentence for people, and a hint: what to do next."""

    def __init__(self, message: str | Prose, *, hint: str | Prose = "") -> None:
        self.message = str(message)
        self.hint = str(hint)
        self.prose = joined(" ", map(_prose, (message, hint)))
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


def _prose(words: str | Prose) -> Prose:
    return words if isinstance(words, Prose) else sentence(words)


class UserError(RolloutBotError):
    """The person can mend it."""


class UsageError(UserError):
    """The words of a command do not make sense."""


class NotAllowedError(UserError):
    """The person may not do this."""


class SlotTakenError(UserError):
    """Another rollout has the route."""


class StaleError(UserError):
    """The button was drawn for a state that is over."""


class TransitionError(UserError):
    """The verb does not fit the phase the rollout is in."""


class RouteError(UserError):
    """The HTTPRoute or an InferencePool is not as a rollout needs it."""


class DependencyError(RolloutBotError):
    """A part the bot depends on failed; what was asked for is kept and tried again."""


class ClusterError(DependencyError):
    """The Kubernetes API server did not do what it was asked; ``retry_after``: seconds in which not to ask again."""

    def __init__(self, message: str, *, hint: str = "", retry_after: float = 0.0) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class RefusedError(ClusterError):
    """The API server answered and refused; asking again changes nothing until somebody mends it."""


class GoneError(RefusedError):
    """The object is not there, or another one has its name now."""


class RaceError(ClusterError):
    """A test in front of our patch failed: the route moved since it was read."""


class LateError(DependencyError):
    """The answer to an inquiry did not come in time."""


class UnreadableError(DependencyError):
    """A record is of a version that this program does not know; it is left as it is."""


class StoreError(DependencyError):
    """Redis did not answer, or answered with an error."""


def lost_data() -> StoreError:
    """Return the error of whoever asks while Redis has lost data that is not taken up again yet."""
    return StoreError("Redis has lost data; the rollouts are being taken up again from their routes.")
