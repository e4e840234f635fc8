"""What a trial has shown, in sentences for its card and thread; backticks are code."""

from collections.abc import Mapping
from typing import Final

from bot.domain.masking import masked
from bot.domain.prose import one_line
from bot.domain.trial import CONFIDENCE, Fit, OfPool, Tally, fit, interval, percentile

LONGEST_ANSWER = 120
"""How many characters of one answer are shown."""


def of_pool(name: str, pool: OfPool) -> str:
    """Say how many requests a pool took, how fast it was, what failed there, and one of its answers."""
    who = f"`{name}`" if name else "Without a pool's name"
    times = f", p50 {percentile(pool.times, 50)} ms, p95 {percentile(pool.times, 95)} ms" if pool.times else ""
    failed = f", {_failures(pool.failures)}" if pool.failures else ""
    text = one_line(pool.sample).replace("`", "").strip()
    shown = text if len(text) <= LONGEST_ANSWER else f"{text[: LONGEST_ANSWER - 1].rstrip()}…"
    answer = f" One answer: “{masked(shown)}”" if shown else ""
    return f"{who}: {_requests(pool.answered)}{times}{failed}.{answer}"


def of_split(tally: Tally, stable: str, canary: str, weight: int) -> str:
    """Say whether the shares are as the weights say; ``weight`` is the canary's, in percent."""
    new, old, nobody = (tally.of(name).answered for name in (canary, stable, ""))
    both = new + old
    if nobody:
        of = f"{nobody} of {tally.asked}"
        return f"{_outcome(tally)} {of} came back without a pod's name (`x-inference-pod`), so the split is not known."
    low, high = interval(new, both)
    share = f"{new} of {both} went to the new pool, {_percent(100 * new / both)}"
    room = f"{100 * CONFIDENCE:.0f} % interval {_percent(low)} to {_percent(high)}"
    return f"{_outcome(tally)} {share} ({room}){_FITS[fit(new, both, weight)].format(weight)}"


_FITS: Final[Mapping[Fit, str]] = {
    Fit.WELL: ". That fits the {} % on the route.",
    Fit.ODD: ". The route says {} %: one trial in twenty is that far off by chance, so try again.",
    Fit.NOT: ": that is not the {} % on the route.",
}


def of_moving_weights(tally: Tally) -> str:
    """Say what can be said where the weights changed during the trial."""
    return f"{_outcome(tally)} The weights changed meanwhile, so the split is not known: try again."


def of_silence(tally: Tally) -> str:
    """Say that no more requests were sent, because nobody answers at all."""
    return f"{_outcome(tally)} I stopped there, because nobody answers. Can the bot's pod reach the Gateway's address?"


def of_canary(tally: Tally, canary: str) -> str:
    """Say what the canary alone has shown."""
    others = sum(pool.answered for name, pool in tally.pools.items() if name != canary)
    if others:
        return (
            f"{_outcome(tally)} {others} of {tally.asked} did not come through the trial's own route, so they say "
            f"nothing about `{canary}`."
        )
    return f"{_outcome(tally)} No user's request was touched."


def _outcome(tally: Tally) -> str:
    asked = _requests(tally.asked)
    if not tally.failed:
        return f"{asked} sent, none failed."
    failures: dict[str, int] = {}
    for pool in tally.pools.values():
        for what, count in pool.failures.items():
            failures[what] = failures.get(what, 0) + count
    return f"{asked} sent, {_failures(failures)}."


def _requests(count: int) -> str:
    return f"{count} request{'' if count == 1 else 's'}"


def _failures(failures: Mapping[str, int]) -> str:
    """Count failures, the most frequent first: `3 failed (503: 2, timed out: 1)`."""
    most = sorted(failures.items(), key=lambda each: (-each[1], each[0]))
    return f"{sum(failures.values())} failed ({', '.join(f'{what}: {count}' for what, count in most)})"


def _percent(share: float) -> str:
    return f"{share:.0f} %" if share >= 10 else f"{f'{share:.1f}'.removesuffix('.0')} %"
