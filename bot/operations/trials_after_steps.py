"""Begins a trial after each step of a rollout, where the policy says so: once, whoever leads, after a restart too."""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from bot.domain.commands.origin import Origin, Surface
from bot.domain.commands.request import START, Command, OperationWords, Request
from bot.domain.errors import RolloutBotError, UserError
from bot.domain.rollout import SLOTLESS, Acceptance, Entry, Rollout
from bot.engine.ports import Clock
from bot.engine.store_port import Became
from bot.operations.try_out import TRY

log = logging.getLogger(__name__)

LOOK_EVERY: Final = timedelta(seconds=5)
FORGET_AFTER: Final = timedelta(hours=1)
"""A step that was accepted longer ago is not tried out any more: a bot that was away says nothing of the past."""


class TrialsAfterSteps:
    """Looks which rollouts have taken a step. A step's trial has an id of its own, which the inbox takes once."""

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
        self._entries, self._decide, self._clock = entries, decide, clock
        self._receive, self._drop = receive, drop
        self._begun = set[str]()

    def look(self) -> None:
        """Begin the trials of steps that the gateway has accepted since the last look."""
        for entry in self._entries():
            delivery = f"try-after-{entry.rollout.id}-{entry.rollout.step}"
            if delivery not in self._begun and self._has_stepped(entry):
                self._begun.add(delivery)
                self._begin(entry.rollout, delivery)

    def _has_stepped(self, entry: Entry) -> bool:
        rollout, applied = entry.rollout, entry.applied
        is_there = (
            rollout.step >= 0
            and rollout.weight > 0
            and rollout.phase not in SLOTLESS
            and entry.acceptance is Acceptance.ACCEPTED
        )
        return is_there and applied is not None and self._clock.now() - applied.at < FORGET_AFTER

    def _begin(self, rollout: Rollout, delivery: str) -> None:
        words = OperationWords(kind=TRY, parameters={"route": rollout.route, "namespace": rollout.namespace})
        reason = f"after the step to {rollout.weight} %"
        request = Request(
            command=Command(verb=START, subject=rollout.canary.name, reason=reason, operation=words),
            by=rollout.started_by,
            origin=Origin(surface=Surface.CHANNEL, channel=rollout.channel),
            delivery=delivery,
            at=self._clock.now(),
        )
        try:
            if self._receive(request):
                self._decide(request)
        except UserError as error:
            log.warning("rollout %s: no trial after the step: %s", rollout.id, error)
            self._drop(delivery, Became(refusal=str(error)))
        except RolloutBotError as error:
            log.warning("rollout %s: the trial after the step waits: %s", rollout.id, error)
