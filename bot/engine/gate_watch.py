"""Between steps: asks the gates for that again and again while the canary has traffic."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from bot.domain.decisions.by_time import WATCHED, on_failed
from bot.domain.decisions.moves import Moment
from bot.domain.decisions.seen import with_figures
from bot.domain.errors import DependencyError
from bot.domain.gate import Finding, GateAnswer, Verdict
from bot.domain.rollout import Entry, Rollout
from bot.engine.apply import Applier, new_decision
from bot.engine.pictures import beside
from bot.engine.ports import Clock, Gates
from bot.engine.route_port import Routes
from bot.engine.store_port import Progress, Save, Saved, Store

log = logging.getLogger(__name__)

AT_ONCE: Final = 8
"""How many rollouts' gates are asked at the same time."""


class GateWatch:
    """Runs in the leader, every ``WATCH_GATES_EVERY``."""

    def __init__(self, routes: Routes, store: Store, clock: Clock, gates: Gates, applier: Applier) -> None:
        self._routes, self._store, self._clock, self._gates = routes, store, clock, gates
        self._applier = applier

    def sweep(self, *, goes_on: Callable[[], bool] = lambda: True) -> None:
        """Ask for every rollout whose canary has traffic; ask nothing if no gate for that is switched on."""
        if not self._gates.asks_between_steps:
            return

        def look(entry: Entry) -> None:
            if goes_on():
                self._attempt(entry)

        watched = [entry for entry in self._store.entries() if _is_watched(entry)]
        with ThreadPoolExecutor(AT_ONCE, "gate-watch") as pool:
            list(pool.map(look, watched))

    def look(self, entry: Entry) -> None:
        """Ask for one rollout. A fail is decided on the record that was asked about, or not at all."""
        verdict = self._with_readiness(self._gates.check_between_steps(entry), entry.rollout)
        found = _merged(entry.findings, verdict.findings)
        progress = Progress(findings=found, readiness=verdict.readiness, redraw=_is_news(entry.findings, found))
        self._store.learn(entry.rollout.id, entry.rollout.decision, progress)
        change = on_failed(entry, verdict, Moment(now=self._clock.now(), decision=new_decision()))
        if (
            change
            and self._store.save(Save(change=with_figures(change, verdict), expected=entry.rollout.decision))
            is Saved.YES
        ):
            self._applier.attempt(entry.rollout.id)
            beside(with_figures(change, verdict), self._store, self._gates, self._clock)

    def _with_readiness(self, verdict: Verdict, rollout: Rollout) -> Verdict:
        """Count the ready endpoints if a fail may lead to a roll back and no gate has counted them."""
        if verdict.answer is not GateAnswer.FAIL or verdict.readiness is not None:
            return verdict
        try:
            return replace(verdict, readiness=self._routes.readiness(rollout.stable, rollout.canary))
        except DependencyError as error:
            log.info("rollout %s: the pools could not be counted: %s", rollout.id, error)
            return verdict

    def _attempt(self, entry: Entry) -> None:
        """Look, and leave what fails to the next sweep; one rollout that breaks the program does not hold up others."""
        try:
            self.look(entry)
        except DependencyError as error:
            log.info("rollout %s: I ask its gates again: %s", entry.rollout.id, error)
        except Exception:
            log.exception("rollout %s: its gates could not be asked", entry.rollout.id)


def _merged(before: Sequence[Finding], now: Sequence[Finding]) -> tuple[Finding, ...]:
    """Keep what the gates said that are not asked between steps, and the order: the first is told of two alike."""
    asked = {finding.gate: finding for finding in now}
    kept = [asked.pop(finding.gate, finding) for finding in before]
    return (*kept, *asked.values())


def _is_news(before: Sequence[Finding], now: Sequence[Finding]) -> bool:
    """Say whether a card should change: for an answer, not for a figure, which changes all the time."""
    return [(each.gate, each.answer, each.standing) for each in before] != [
        (each.gate, each.answer, each.standing) for each in now
    ]


def _is_watched(entry: Entry) -> bool:
    return entry.is_applied and entry.rollout.phase in WATCHED and entry.rollout.weight > 0
