"""How a gate asks for numbers, and what it says where there are none to judge."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from bot.domain.errors import ClusterError, MetricsError, StoreError, UnreadableError
from bot.domain.evidence import EvidenceRules, Idle
from bot.domain.gate import GateAnswer
from bot.domain.operation import Operation
from bot.domain.warm_up import slot_of
from bot.gates.gate import OLD_POOL_GONE, Asked, Found
from bot.gates.numbers.window import LackError, NothingToCompareError, Window

NO_PROMETHEUS: Final = "The policy names no Prometheus (`evidence.prometheus`)."
WARMED: Final = "A warm-up sends prompts to the new pool, and they are no evidence; I judge what comes after it."
Judge = Callable[[Window, EvidenceRules], Found]


NOTHING: Final = Found(answer=GateAnswer.PASS, evidence="nothing to compare with: the old pool had no requests")


def on_numbers(asked: Asked, judge: Judge, *, alone: Judge = lambda window, rules: NOTHING) -> Found:
    """Judge the window of a rollout; hold where there is none, and where neither pool has requests.

    ``alone`` judges the new pool where nothing is known of the old one.
    """
    numbers = asked.sources.numbers
    if numbers is None:
        return Found(answer=GateAnswer.HOLD, reason=NO_PROMETHEUS)
    last = last_warm_up(asked)
    try:
        if asked.is_stable_gone():
            return Found(answer=GateAnswer.PASS, evidence=OLD_POOL_GONE)
        window = numbers.window(asked.entry, asked.now, evidence_from(asked, last))
    except NothingToCompareError as nothing:
        if not nothing.window.canary().arrived:
            return _idle(numbers.rules)
        return after_warm_up(last, _of_all(nothing.window, alone(nothing.window, numbers.rules)))
    except LackError as lack:
        return Found(answer=GateAnswer.HOLD, reason=str(lack), evidence="no numbers yet")
    except (MetricsError, ClusterError) as error:
        return Found(answer=GateAnswer.HOLD, reason=str(error), evidence="no numbers")
    is_idle = not window.canary().arrived and (bool(window.earlier) or not window.stable().arrived)
    if is_idle:
        return _idle(numbers.rules)
    return after_warm_up(last, _of_all(window, judge(window, numbers.rules)))


def _of_all(window: Window, found: Found) -> Found:
    """Let nothing pass while model servers of the new pool are not scraped: those may be the bad ones."""
    unscraped, ready = len(window.unscraped), len(window.members.ready)
    if not unscraped or found.answer is not GateAnswer.PASS:
        return found
    why = f"Prometheus scrapes {ready - unscraped} of the new pool's {ready} model servers. Let it scrape all."
    return replace(found, answer=GateAnswer.HOLD, reason=why)


def last_warm_up(asked: Asked) -> Operation | None:
    """Return the last warm-up of the new pool: its prompts are no evidence. None if nobody knows of one."""
    try:
        return asked.sources.operations.last(slot_of(asked.rollout.canary))
    except (StoreError, UnreadableError):
        return None


def evidence_from(asked: Asked, warm_up: Operation | None) -> datetime | None:
    """Return when a warm-up sent its last prompt, or people resumed the rollout if that was later; None: neither."""
    times = [warm_up.since] if warm_up and warm_up.is_over else []
    times += [asked.rollout.resumed_at] if asked.rollout.resumed_at else []
    return max(times, default=None)


def after_warm_up(warm_up: Operation | None, found: Found) -> Found:
    """Let nothing pass while a warm-up runs."""
    if warm_up and not warm_up.is_over and found.answer is GateAnswer.PASS:
        return replace(found, answer=GateAnswer.HOLD, reason=WARMED)
    return found


def never_fail_while_warming(asked: Asked, found: Found) -> Found:
    """Let nothing fail while a warm-up runs: its prompts are new to every cache."""
    last = last_warm_up(asked)
    if last and not last.is_over and found.answer is GateAnswer.FAIL:
        return replace(found, answer=GateAnswer.HOLD)
    return found


def _idle(rules: EvidenceRules) -> Found:
    if rules.idle is Idle.PASS:
        return Found(answer=GateAnswer.PASS, evidence="idle: nobody asks either pool")
    why = "Both pools are idle: there are no requests to judge. `evidence.idle: pass` lets steps go on all the same."
    return Found(answer=GateAnswer.HOLD, reason=why, evidence="idle")
