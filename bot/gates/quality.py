"""People find the new pool's answers as good as the old one's: they vote on both, without knowing which is whose.

A healthy new model can be a worse one, and no metric sees it. Fail needs more than a few votes: the exact sign test of
those that prefer one pool gives the probability that two equally good pools look like this.
"""

from functools import partial
from typing import Annotated, Final

from bot.config.policy_values import Flag, percentage
from bot.domain.comparison import FEWEST_VOTES, Comparison, Opinion, comparison_in, is_open, slot_of
from bot.domain.errors import ClusterError, StoreError, UnreadableError
from bot.domain.gate import QUALITY, Figure, GateAnswer, OnFail
from bot.domain.operation import Operation, OperationPhase
from bot.domain.sentences.comparison import of_opinion
from bot.gates.gate import OLD_POOL_GONE, Asked, Found, Gate, Keys

NAME: Final = QUALITY
BY_ITSELF: Final = "It begins by itself; type `compare` to begin it now."
IN_A_CHANNEL: Final = "This rollout has no channel: type `compare {pool}` in one, so that people can vote."
AGAIN: Final = "Type `compare` to ask again."
AGAIN_IN_A_CHANNEL: Final = "Type `compare {pool}` in a channel to ask again."
MORE: Final = "more prompts or more voters (`compare.voters`) would help."
SURE: Final = 0.05
"""One comparison is judged once, not again and again as the numbers of a window are."""


class QualityKeys(Keys):
    """``least``: the new pool's share of the votes in percent, a vote for "the same" being half a vote for each.

    ``required``: it holds until people have voted, and a comparison begins by itself.
    """

    needs_prompts = True
    least: Annotated[float, percentage()] = 40.0
    required: Flag = True


def check(asked: Asked, keys: QualityKeys) -> Found:
    """Hold until enough people have voted; fail if they surely find the new pool's answers worse."""
    try:
        if asked.is_stable_gone():
            return Found(answer=GateAnswer.PASS, evidence=OLD_POOL_GONE)
        last = asked.sources.operations.last(slot_of(asked.rollout))
    except (ClusterError, StoreError, UnreadableError) as error:
        return Found(answer=GateAnswer.HOLD, reason=str(error))
    comparison, rollout = comparison_in(last) if last else None, asked.rollout
    again = AGAIN if rollout.channel else AGAIN_IN_A_CHANNEL.format(pool=rollout.canary.name)
    if not keys.required and (last is None or (last.is_over and comparison and not comparison.is_enough)):
        seen = "nobody has compared the answers" if last is None else "the last comparison had no result"
        return Found(answer=GateAnswer.PASS, evidence=seen)
    if last is None or comparison is None:
        begins = BY_ITSELF if rollout.channel else IN_A_CHANNEL.format(pool=rollout.canary.name)
        return _hold(f"Nobody has compared the pools' answers yet. {begins}", "no votes")
    if comparison.is_enough:
        resumed_at = rollout.resumed_at
        pauses = keys.on_fail is OnFail.PAUSE
        is_settled = pauses and resumed_at is not None and last.decided_at < resumed_at
        return _judge(comparison.opinion, keys, again, may_fail=not is_settled)
    if is_open(last):
        voted = f"{len(comparison.done)} of {comparison.voters} people have answered every question."
        return _hold(f"Vote in the thread of `{last.name}`. {voted}", _evidence(comparison))
    return _hold(_without_votes(last, again), "no votes")


def _without_votes(last: Operation, again: str) -> str:
    """Say why nobody can vote: not yet, or not any more."""
    match last.phase:
        case OperationPhase.CANCELLED:
            why = f": “{last.why}”." if last.why else "."
            return f"The comparison was cancelled{why} {again}"
        case OperationPhase.CANCELLING:
            return "The comparison is being cancelled."
        case OperationPhase.DONE | OperationPhase.FAILED:
            return f"The comparison had no result. {last.why} {again}".replace("  ", " ")
        case _:
            return "Both pools are answering the prompts. The questions will appear in the thread within a few minutes."


def _judge(opinion: Opinion, keys: QualityKeys, again: str, *, may_fail: bool) -> Found:
    """Judge votes; those after which people typed `resume` do not pause the rollout again."""
    said, rule = of_opinion(opinion), f"It holds below {keys.least:g} %, and fails there if chance does not explain it."
    told = partial(
        Found,
        evidence=f"{opinion.score:.0f} % of {opinion.votes} votes for the new pool",
        figures=(Figure("votes", str(opinion.better), str(opinion.worse)),),
    )
    hold = partial(told, answer=GateAnswer.HOLD, details=rule)
    if opinion.votes < FEWEST_VOTES and not keys.required:
        return told(answer=GateAnswer.PASS, details=f"Fewer than {FEWEST_VOTES} votes prove nothing.")
    if opinion.votes < FEWEST_VOTES:
        return hold(reason=f"{said} Fewer than {FEWEST_VOTES} votes prove nothing; {MORE} {again}")
    if opinion.score >= keys.least:
        return told(answer=GateAnswer.PASS, details=f"{said} {rule}")
    if chance(opinion) >= SURE:
        return hold(reason=f"{said} That may be chance; {MORE} {again}")
    if not may_fail:
        return hold(reason=f"{said} {again}")
    return told(answer=GateAnswer.FAIL, reason=said, details=rule)


def chance(opinion: Opinion) -> float:
    """Return the probability of as few votes for the new pool, or fewer, if the answers are equally good."""
    from scipy.stats import binomtest  # slow to import: it waits until it is needed

    votes = opinion.better + opinion.worse
    return float(binomtest(opinion.better, votes, 0.5, alternative="less").pvalue) if votes else 1.0


def _evidence(comparison: Comparison) -> str:
    return f"{len(comparison.done)} of {comparison.voters} people have voted on every question"


def _hold(reason: str, evidence: str) -> Found:
    return Found(answer=GateAnswer.HOLD, reason=reason, evidence=evidence)


GATE = Gate(
    name=NAME,
    about="people who vote without knowing whose answer is whose find the new pool's as good",
    check=check,
    keys=QualityKeys,
    asked_between_steps=True,
    judges_traffic=True,
)
