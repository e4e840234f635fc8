"""Everything that can go wrong, as one tree; ``str(error)`` is a sentence that is safe to log and to store.

People see ``error.prose``. Backticks in our sentences are code; an error that names a person is built from prose.

RolloutBotError
  UserError            the person can fix it: shown as it is
    UsageError         the words of the command
    NotAllowedError    the person may not do this
    SlotTakenError     another rollout has the route
    StaleError         the button belongs to an outdated card
    TransitionError    the verb does not fit the phase
    RouteError         the route or a pool does not allow it
      NotHereError     this bot knows no such rollout or pool; another install may
  DependencyError      a part that we depend on failed: tried again
    ClusterError       the Kubernetes API server
      RefusedError     it answered, and said no (403, 422, a webhook)
        GoneError      what was asked for is not there (404)
        NoRoomError    the annotations of an object are full
      RaceError        a guard of our patch no longer held: somebody was faster
    StoreError         Redis
    MetricsError       Prometheus
    LateError          nobody knew the answer to an inquiry in time
    UnreadableError    a record has a version that this program does not know
"""

from typing import TYPE_CHECKING

from bot.domain.prose import Prose, joined, sentence

if TYPE_CHECKING:
    from bot.domain.choices import Choices


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
    """The person can fix it; with ``choices``, by saying which of several rollouts is meant."""

    def __init__(self, message: str | Prose, *, hint: str | Prose = "", choices: "Choices | None" = None) -> None:
        super().__init__(message, hint=hint)
        self.choices = choices


class UsageError(UserError):
    """The words of a command do not make sense."""


class NotAllowedError(UserError):
    """The person may not do this."""


class SlotTakenError(UserError):
    """Another rollout has the route."""


class StaleError(UserError):
    """The button was drawn for an earlier state."""


class TransitionError(UserError):
    """The verb does not fit the phase the rollout is in."""


class RouteError(UserError):
    """The HTTPRoute or an InferencePool does not allow the rollout."""


class NotHereError(RouteError):
    """This bot knows no such rollout or pool; another install of it may."""


class DependencyError(RolloutBotError):
    """A part that the bot depends on failed; the request is kept and tried again."""


class ClusterError(DependencyError):
    """The Kubernetes API server did not do what it was asked; ``retry_after``: seconds in which not to ask again.

    ``is_stranger``: it does not know us, or we cannot trust it. Tokens expire, and new ones come.
    """

    def __init__(self, message: str, *, hint: str = "", retry_after: float = 0.0, is_stranger: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        self.is_stranger = is_stranger


class RefusedError(ClusterError):
    """The API server answered and refused; trying again is useless until somebody fixes it."""


class GoneError(RefusedError):
    """The object is gone, or another one has its name now."""


class NoRoomError(RefusedError):
    """Others' annotations leave no room for ours on the object."""


class RaceError(ClusterError):
    """A test in front of our patch failed: the route moved since it was read."""


class LateError(DependencyError):
    """The answer to an inquiry did not come in time."""


class UnreadableError(DependencyError):
    """A record has a version that this program does not know, and stays as it is."""


class StoreError(DependencyError):
    """Redis did not answer, or answered with an error."""


class MetricsError(DependencyError):
    """Prometheus did not answer, or answered with an error."""


class TooMuchError(MetricsError):
    """Prometheus' answer is longer than what is read: ask for less at once."""


def lost_data() -> StoreError:
    """Return the error for requests that come while lost data is not restored yet."""
    return StoreError("Redis has lost data; I am restoring the rollouts from their routes.")
