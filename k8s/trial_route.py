"""The HTTPRoute of a trial: like the real one, for requests with a header of ours, all to the new pool. Pure."""

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


def trial_route(route: Document, rule: int, canary: Pool, trial: str, header: str) -> dict[str, Any]:
    """Return the route of a trial: parents, hosts, filters and timeouts are those of the real one's rule.

    A mirror is left out, so that nobody else gets the trial's requests.
    """
    real, spec = rules_of(route)[rule], route["spec"]
    matches: Sequence[Mapping[str, Any]] = real.get("matches") or ({},)
    ours = {
        "matches": [_with(match, header, trial) for match in matches],
        "filters": [each for each in real.get("filters") or () if "requestMirror" not in each],
        "backendRefs": [_ref(route, canary)],
        **{key: real[key] for key in ("timeouts",) if key in real},
    }
    return {
        "apiVersion": route.get("apiVersion", "gateway.networking.k8s.io/v1"),
        "kind": "HTTPRoute",
        "metadata": {"name": name_of(trial), "namespace": namespace_of(route), "labels": {OF_TRIAL: trial}},
        "spec": {**{key: spec[key] for key in ("parentRefs", "hostnames") if key in spec}, "rules": [ours]},
    }


def is_stray(route: Document, now: datetime, older_than: timedelta) -> bool:
    """Say whether a route is of a trial that must be over."""
    return is_trial(route) and now - datetime.fromisoformat(route["metadata"]["creationTimestamp"]) > older_than


def _with(match: Mapping[str, Any], header: str, trial: str) -> Mapping[str, Any]:
    return {**match, "headers": [*(match.get("headers") or ()), {"name": header, "value": trial}]}


def _ref(route: Document, canary: Pool) -> Mapping[str, Any]:
    """Return the canary's backendRef as the real route has it or would have it, with all the weight."""
    wanted = (canary.group, "InferencePool", canary.namespace, canary.name)
    for each in (ref for rule in rules_of(route) for ref in refs_of(rule)):
        if backend_of(each, namespace_of(route)) == wanted:
            return {**each, "weight": 1}
    elsewhere = {"namespace": canary.namespace} if canary.namespace != namespace_of(route) else {}
    return {"group": canary.group, "kind": "InferencePool", "name": canary.name, **elsewhere, "weight": 1}
