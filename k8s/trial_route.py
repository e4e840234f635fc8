"""The HTTPRoute of a trial: like the real one, for requests with a header of ours, all to one pool. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from bot.domain.rollout import Pool
from k8s.document import Document, backend_of, namespace_of, refs_of, rules_of

OF_TRIAL: Final = "rolloutbot.dev/try"
"""The label that carries the id of the trial."""


def name_of(trial: str) -> str:
    """Return the name of a trial's route."""
    return f"try-{trial}"


def is_trial(route: Document) -> bool:
    """Say whether a route is one of a trial: its label and its name say so."""
    trial = (route["metadata"].get("labels") or {}).get(OF_TRIAL)
    return trial is not None and route["metadata"]["name"] == name_of(trial)


def trial_route(route: Document, rule: int, trial: str, header: str, alone: Mapping[str, Pool]) -> dict[str, Any]:
    """Return the route of a trial: parents, hosts, filters and timeouts are those of the real one's rule.

    Requests with ``header: key`` go to the pool that ``alone`` has for the key, and their answers carry the same. A
    mirror is left out, so that nobody else gets the trial's requests.
    """
    real, spec = rules_of(route)[rule], route["spec"]
    rules = [_rule(route, real, pool, header, key) for key, pool in alone.items()]
    return {
        "apiVersion": route.get("apiVersion", "gateway.networking.k8s.io/v1"),
        "kind": "HTTPRoute",
        "metadata": {"name": name_of(trial), "namespace": namespace_of(route), "labels": {OF_TRIAL: trial}},
        "spec": {**{name: spec[name] for name in ("parentRefs", "hostnames") if name in spec}, "rules": rules},
    }


def _rule(route: Document, real: Mapping[str, Any], pool: Pool, header: str, key: str) -> Mapping[str, Any]:
    matches: Sequence[Mapping[str, Any]] = real.get("matches") or ({},)
    return {
        "matches": [_with(match, header, key) for match in matches],
        "filters": _marking(_without_mirrors(real), header, key),
        "backendRefs": [_ref(route, real, pool)],
        **{name: real[name] for name in ("timeouts",) if name in real},
    }


def is_stray(route: Document, now: datetime, older_than: timedelta) -> bool:
    """Say whether a route is of a trial that must be over."""
    return is_trial(route) and now - datetime.fromisoformat(route["metadata"]["creationTimestamp"]) > older_than


def _with(match: Mapping[str, Any], header: str, key: str) -> Mapping[str, Any]:
    return {**match, "headers": [*(match.get("headers") or ()), {"name": header, "value": key}]}


def _without_mirrors(holder: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [each for each in holder.get("filters") or () if "requestMirror" not in each]


def _marking(filters: Sequence[Mapping[str, Any]], header: str, key: str) -> Sequence[Mapping[str, Any]]:
    """Add to the filters one that writes the key on each answer; a rule may have only one of that type."""
    none: Mapping[str, Any] = {"type": _MARKS}
    there = next((each for each in filters if each.get("type") == _MARKS), none)
    change: Mapping[str, Any] = there.get("responseHeaderModifier") or {}
    marked = {**change, "set": [*(change.get("set") or ()), {"name": header, "value": key}]}
    return [*(each for each in filters if each is not there), {**there, "responseHeaderModifier": marked}]


_MARKS: Final = "ResponseHeaderModifier"


def _ref(route: Document, real: Mapping[str, Any], pool: Pool) -> Mapping[str, Any]:
    """Return the pool's backendRef as the rule has it or would have it, with all the weight."""
    wanted = (pool.group, "InferencePool", pool.namespace, pool.name)
    for each in refs_of(real):
        if backend_of(each, namespace_of(route)) == wanted:
            bare = {name: value for name, value in each.items() if name != "filters"}
            filters = _without_mirrors(each)
            return {**bare, **({"filters": filters} if filters else {}), "weight": 1}
    elsewhere = {"namespace": pool.namespace} if pool.namespace != namespace_of(route) else {}
    return {"group": pool.group, "kind": "InferencePool", "name": pool.name, **elsewhere, "weight": 1}
