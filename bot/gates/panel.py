"""Asks the gates side by side, and waits for no one longer than some seconds. A roll back never asks them."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock
from typing import Final

from bot.domain.chart import Chart
from bot.domain.errors import RolloutBotError
from bot.domain.gate import GateAnswer, Look, Verdict
from bot.domain.rollout import Entry
from bot.engine.ports import Clock
from bot.gates.backtest import Backtest
from bot.gates.gate import Asked, Found, Gate, GateSources, Keys

log = logging.getLogger(__name__)

ANSWER_WITHIN: Final = 10.0
"""Seconds; the slowest request to the API server gives up before that."""

THREADS: Final = 64


class GatePanel:
    """The gates that the policy has switched on, each with its keys."""

    def __init__(
        self,
        gates: Sequence[Gate],
        keys: Mapping[str, Keys],
        sources: GateSources,
        clock: Clock,
        *,
        answer_within: float = ANSWER_WITHIN,
    ) -> None:
        """``keys`` are those of the policy file by the gate's name; of the others, some are on by default."""
        on = [gate for gate in gates if gate.required or gate.name in keys or (gate.by_default and sources.numbers)]
        known = [(gate, keys[gate.name] if gate.name in keys else gate.keys()) for gate in on]
        self._gates = [(gate, of) for gate, of in known if gate.required or of.enabled]
        self._sources, self._clock, self._answer_within = sources, clock, answer_within
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="gate")
        self._asked: dict[tuple[str, str], Future[Found]] = {}
        self._lock = Lock()

    @property
    def past(self) -> Backtest | None:
        """Return what judges the past; None without a Prometheus."""
        numbers = self._sources.numbers
        return Backtest(numbers.past, numbers.rules, self._gates) if numbers else None

    @property
    def about(self) -> Mapping[str, str]:
        """Return what each gate checks, by its name."""
        return {gate.name: gate.about for gate, _ in self._gates}

    @property
    def asks_between_steps(self) -> bool:
        """Say whether a gate is on that is to be asked between steps too."""
        return any(gate.asked_between_steps for gate, _ in self._gates)

    def check(self, entry: Entry) -> Verdict:
        """Ask every gate whether the canary may get more."""
        is_first = entry.rollout.base < 0
        return self._verdict(entry, [each for each in self._gates if not (is_first and each[0].judges_traffic)])

    def check_between_steps(self, entry: Entry) -> Verdict:
        """Ask the gates that are asked between steps."""
        return self._verdict(entry, [(gate, keys) for gate, keys in self._gates if gate.asked_between_steps])

    def look(self, entry: Entry) -> Sequence[Look]:
        """Ask every gate, for somebody who wants to see more than a verdict."""
        found = self._all_found(entry, self._gates)
        return [
            Look(finding=gate.finding(each, keys), details=each.details, promql=each.promql)
            for gate, keys, each in found
        ]

    def history(self, entry: Entry) -> tuple[Chart, ...]:
        """Draw what both pools did since the rollout began; nothing if nobody knows."""
        numbers = self._sources.numbers
        try:
            return numbers.history(entry.rollout, self._clock.now()) if numbers else ()
        except RolloutBotError as error:
            log.info("rollout %s: no charts: %s", entry.rollout.id, error)
            return ()

    def _verdict(self, entry: Entry, gates: Sequence[tuple[Gate, Keys]]) -> Verdict:
        found = self._all_found(entry, gates)
        readiness = next((each.readiness for _, _, each in found if each.readiness), None)
        return Verdict(findings=tuple(gate.finding(each, keys) for gate, keys, each in found), readiness=readiness)

    def _all_found(self, entry: Entry, gates: Sequence[tuple[Gate, Keys]]) -> Sequence[tuple[Gate, Keys, Found]]:
        asked = Asked(entry, self._clock.now(), self._sources)
        answers = [self._ask(gate, keys, asked) for gate, keys in gates]
        wait(answers, self._answer_within)
        return [(gate, keys, self._found(gate, answer)) for (gate, keys), answer in zip(gates, answers, strict=True)]

    def _ask(self, gate: Gate, keys: Keys, asked: Asked) -> "Future[Found]":
        """Ask a gate; one that still thinks about this decision is not asked again beside that."""
        key = gate.name, asked.rollout.decision
        with self._lock:
            answer = self._asked.get(key)
            if answer is None or answer.done():
                answer = self._asked[key] = self._threads.submit(gate.check, asked, keys)
        answer.add_done_callback(lambda done: self._forget(key, done))
        return answer

    def _forget(self, key: tuple[str, str], done: "Future[Found]") -> None:
        with self._lock:
            if self._asked.get(key) is done:
                del self._asked[key]

    def _found(self, gate: Gate, answer: "Future[Found]") -> Found:
        if not answer.done():
            return _hold(
                f"The gate `{gate.name}` gave no answer within {self._answer_within:g} seconds; I ask it again."
            )
        try:
            found = answer.result()
            if not isinstance(found, Found):
                raise TypeError(f"it returned {found!r}, and no Found")
            return found
        except RolloutBotError as error:
            return _hold(str(error))
        except Exception:
            log.exception("gate %s broke", gate.name)
            return _hold(f"The gate `{gate.name}` broke; the bot's log says how.")


def _hold(reason: str) -> Found:
    return Found(answer=GateAnswer.HOLD, reason=reason)
