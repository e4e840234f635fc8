"""The RequestMirror filter of a rollout's first step: a copy of a share of the requests goes to the canary. Pure.

A start with ``mirror=`` is refused where the rule mirrors to the canary already, so each such filter is ours. It names
the canary as the stable pool's backendRef names that one.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from bot.domain.rollout import Pair, Rollout, Rule
from k8s.document import Document, own_mirrors

_NAMED_BY: Final = ("group", "kind", "namespace")


def mirrored(rule: Document, rollout: Rollout, namespace: str) -> int | None:
    """Return the percent that our filter copies; None without one."""
    filters = rule.get("filters") or ()
    shares = [_percent(filters[at]["requestMirror"]) for at in own_mirrors(rule, rollout, namespace)]
    return max(shares) if shares else None


def tests(path: str, rule: Document, rollout: Rollout, namespace: str) -> Iterator[dict[str, Any]]:
    """Yield what holds while our filter is where it was read; ``path`` is the rule's."""
    for at in own_mirrors(rule, rollout, namespace):
        yield {"op": "test", "path": f"{path}/filters/{at}", "value": rule["filters"][at]}


def edits(
    path: str, rule: Document, rollout: Rollout, known: Rule, pair: Pair, namespace: str
) -> Iterator[dict[str, Any]]:
    """Yield what makes our filter in a rule as ``pair`` says; other filters stay, and stay in order."""
    ours, filters = own_mirrors(rule, rollout, namespace), rule.get("filters") or ()
    if pair.mirror == mirrored(rule, rollout, namespace) and len(ours) < 2:
        return
    if len(ours) == len(filters):  # what becomes of all of them: nobody may have added another one meanwhile
        yield {"op": "test", "path": f"{path}/filters", "value": rule.get("filters")}
    if len(ours) == len(filters) and ours:
        yield {"op": "remove", "path": f"{path}/filters"}
        filters = ()
    else:
        yield from ({"op": "remove", "path": f"{path}/filters/{at}"} for at in reversed(ours))
    if pair.mirror is not None:
        made = _filter(known, rollout, pair.mirror)
        yield {
            "op": "add",
            "path": f"{path}/filters/-" if filters else f"{path}/filters",
            "value": made if filters else [made],
        }


def _filter(known: Rule, rollout: Rollout, percent: int) -> dict[str, Any]:
    stable = json.loads(known.stable_ref)
    ref = {**{key: stable[key] for key in _NAMED_BY if stable.get(key)}, "name": rollout.canary.name}
    return {"type": "RequestMirror", "requestMirror": {"backendRef": ref, "percent": percent}}


def _percent(mirror: Document) -> int:
    """Return a share in percent; one that somebody wrote as a fraction is rounded."""
    if fraction := mirror.get("fraction"):
        return round(100 * int(fraction.get("numerator", 0)) / int(fraction.get("denominator") or 100))
    percent = mirror.get("percent")
    return 100 if percent is None else int(percent)
