"""The rules of a rollout that nobody finds any more, because somebody changed their names and matches. Pure."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from bot.domain.bounds import HEAVIEST
from bot.domain.rollout import TAKEN_BACK, Pair, Phase, Rollout, Rule
from k8s.document import Document, locate, namespace_of, places, refs_of, rule_key, rules_of, weight_of
from k8s.mirror import mirrored

_NOTHING: Final = Pair(None, None)


def pair_of(rule: Document, rollout: Rollout, namespace: str) -> Pair:
    """Return the weights of both pools in a rule, of one that it holds twice added up, and what we mirror there."""
    found = [places(rule, pool, namespace) for pool in (rollout.stable, rollout.canary)]
    stable, canary = (sum(weight_of(refs_of(rule)[at]) for at in each) if each else None for each in found)
    return Pair(stable, canary, mirrored(rule, rollout, namespace))


def rewritten(document: Document, rollout: Rollout) -> tuple[Rule, ...]:
    """Return the rules that a roll back takes for its own, as they were before: of the rollout some are missing, and
    these have exactly the weights that it wrote.
    """
    wrote = {Pair(100 - weight, weight) for weight in map(rollout.weight_at, (rollout.base, rollout.step)) if weight}
    if rollout.phase is not Phase.ROLLED_BACK or None not in locate(document, rollout):
        return ()
    return tuple(rule for rule, pair in _others(document, rollout) if pair in wrote)


def stray_mirrors(document: Document, rollout: Rollout) -> tuple[int, ...]:
    """Return the rules from which a roll back takes our mirror although it does not find them: some of its rules are
    missing, and these mirror exactly what it did.
    """
    found, namespace = locate(document, rollout), namespace_of(document)
    if rollout.phase not in TAKEN_BACK or None not in found:
        return ()
    return tuple(
        index
        for index, rule in enumerate(rules_of(document))
        if index not in found and mirrored(rule, rollout, namespace) == (rollout.plan.mirror or -1)
    )


def to_stable(document: Document, rollout: Rollout) -> tuple[Rule, ...]:
    """Return the rules of a rollout that are there, as if the old pool had had all the traffic that both have now.

    If some are missing, all other rules that hold both pools stand in for them.
    """
    found = locate(document, rollout)
    pairs = zip(rollout.rules, observe(document, rollout), strict=True)
    known = [_as_if(rule, pair) for rule, pair in pairs if pair is not None and pair != _NOTHING]
    others = [rule for rule, _ in _others(document, rollout)] if None in found or len(known) < len(found) else []
    return (*known, *others)


def shows(document: Document, rollout: Rollout) -> bool:
    """Say whether a route still looks like the rollout's: a rule that is known holds the canary, or all the traffic of
    those rules goes to the old pool.
    """
    found = zip(locate(document, rollout), observe(document, rollout), strict=True)
    known = [(index, pair) for index, pair in found if index is not None and pair and pair != _NOTHING]
    if any(pair.canary is not None or pair.mirror is not None for _, pair in known):
        return True
    return bool(known) and all(_total(rules_of(document)[index]) == pair.stable for index, pair in known)


def observe(document: Document, rollout: Rollout) -> tuple[Pair | None, ...]:
    """Return the weights of each rule of the rollout; None if the rule is gone."""
    namespace, rules = namespace_of(document), rules_of(document)
    return tuple(
        None if index is None else pair_of(rules[index], rollout, namespace) for index in locate(document, rollout)
    )


def _others(document: Document, rollout: Rollout) -> Iterator[tuple[Rule, Pair]]:
    """Yield the rules that hold each of the pools once and are none that the rollout finds, as if the old pool had had
    all the traffic.
    """
    namespace, found = namespace_of(document), locate(document, rollout)
    for index, rule in enumerate(rules_of(document)):
        stable, canary = (places(rule, pool, namespace) for pool in (rollout.stable, rollout.canary))
        if index in found or len(stable) != 1 or len(canary) != 1:
            continue
        pair = pair_of(rule, rollout, namespace)
        ref = json.dumps(refs_of(rule)[stable[0]], separators=(",", ":"))
        there = replace(rollout.rules[0], key=rule_key(rule), index=index, stable_ref=ref, stable_index=stable[0])
        yield _as_if(replace(there, canary_before=0), pair), pair


def _as_if(rule: Rule, pair: Pair) -> Rule:
    """Return a rule as if the old pool had had all that both have now, so that no other share of the rule changes."""
    total = (pair.stable or 0) + (pair.canary or 0)
    return replace(rule, stable_before=min(total or 100, HEAVIEST))


def _total(rule: Document) -> int:
    return sum(map(weight_of, refs_of(rule)))
