"""Begins an operation that nobody has typed, in the name of whoever started the rollout: once, whoever leads."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from bot.domain.commands.origin import Origin, Surface
from bot.domain.commands.request import START, Command, OperationWords, Request
from bot.domain.errors import RolloutBotError, UserError
from bot.domain.rollout import Acceptance, Entry, Rollout
from bot.engine.ports import Clock
from bot.engine.store_port import Became

log = logging.getLogger(__name__)


AGAIN: Final = timedelta(hours=1)
"""When what was refused is tried again, by the same process."""

MOST: Final = 2000
"""So often something is tried again in a day."""

TAKEN: Final = (Acceptance.ACCEPTED, Acceptance.UNKNOWN)
"""The gateway has a step: it has said so, or it says nothing, as some gateways never do."""

SOON: Final = timedelta(seconds=10)
"""When it is tried again after a failure of Redis or the cluster."""


class ByItself:
    """The rollouts, and a way to begin operations for them. A ``delivery`` is taken once, for a day.

    What somebody still waits for is begun under new deliveries, until it is there: ``again`` says how long to wait
    between two of them.
    """

    def __init__(
        self,
        entries: Callable[[], Sequence[Entry]],
        decide: Callable[[Request], None],
        clock: Clock,
        *,
        receive: Callable[[Request], bool],
        drop: Callable[[str, Became], bool],
    ) -> None:
        """Keep the parts; ``receive`` and ``drop`` are the inbox's."""
        self.entries, self.clock = entries, clock
        self._decide, self._receive, self._drop = decide, receive, drop
        self._tried: dict[str, tuple[int, datetime]] = {}

    def begin(
        self,
        kind: str,
        rollout: Rollout,
        delivery: str,
        *,
        subject: str,
        reason: str,
        again: timedelta | None = None,
    ) -> str:
        """Begin an operation of a kind, unless it was begun before; return why it was refused, the first time.

        What was refused is tried again later.
        """
        count, due = self._tried.get(delivery, (0, self.clock.now()))
        if self.clock.now() < due:
            return ""
        never = datetime.max.replace(tzinfo=UTC)
        request = Request(
            command=Command(verb=START, subject=subject, reason=reason, operation=_words(kind, rollout)),
            by=rollout.started_by,
            origin=Origin(surface=Surface.CHANNEL, channel=rollout.channel),
            delivery=_numbered(delivery, count),
            at=self.clock.now(),
        )
        try:
            while not (is_new := self._receive(request)) and again and count < MOST:
                count += 1  # another process was refused, or this one before it was started again
                request = replace(request, delivery=_numbered(delivery, count))
            self._tried[delivery] = count + 1, self.clock.now() + again if again else never
            if is_new:
                self._decide(request)
        except UserError as error:
            log.warning("rollout %s: no `%s` %s: %s", rollout.id, kind, reason, error)
            self._drop(request.delivery, Became(refusal=str(error)))
            self._tried[delivery] = count + 1, self.clock.now() + (again or AGAIN)
            return "" if count else str(error)
        except RolloutBotError as error:
            log.warning("rollout %s: `%s` %s waits: %s", rollout.id, kind, reason, error)
            self._tried[delivery] = count, self.clock.now() + SOON  # the same delivery: the inbox may have it
        return ""


def _numbered(delivery: str, count: int) -> str:
    return f"{delivery}-{count}" if count else delivery


def _words(kind: str, rollout: Rollout) -> OperationWords:
    place: Mapping[str, str] = {"route": rollout.route, "namespace": rollout.namespace}
    return OperationWords(kind=kind, parameters=place)
