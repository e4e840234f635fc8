"""Values for the tests of k8s/: records, route documents, and the API server's way to apply a JSON Patch."""

import copy
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonpatch

from bot.domain.plan import Plan
from bot.domain.rollout import Phase, Pool, Rollout, Rule
from bot.engine.encoding import annotation
from bot.engine.route_port import Guard
from k8s import split
from k8s.document import places, rule_key
from k8s.split import Patch

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
GROUP = "inference.networking.k8s.io"
OLD, NEW = "llama", "llama-new"
STABLE, CANARY = Pool("default", OLD), Pool("default", NEW)

Json = dict[str, Any]


def a_ref(name: str, weight: int | None = 1, **fields: Any) -> Json:
    ref = {"group": GROUP, "kind": "InferencePool", "name": name, **fields}
    return ref if weight is None else {**ref, "weight": weight}


def a_service(name: str, weight: int = 1) -> Json:
    return {"group": "", "kind": "Service", "name": name, "port": 80, "weight": weight}


def a_rule(*refs: Json, path: str = "/", **fields: Any) -> Json:
    return {"backendRefs": list(refs), "matches": [{"path": {"type": "PathPrefix", "value": path}}], **fields}


def a_route(*rules: Json, name: str = "llm-route", **metadata: Any) -> Json:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"namespace": "default", "name": name, "uid": f"uid-{name}", "generation": 1, **metadata},
        "spec": {"parentRefs": [{"name": "inference-gateway"}], "rules": list(rules)},
    }


def a_moving(document: Json, index: int = 0, *, stable: Pool = STABLE, canary: Pool = CANARY) -> Rule:
    """Take a rule into a rollout, as the survey does."""
    rule = document["spec"]["rules"][index]
    refs = rule["backendRefs"]
    (place,) = places(rule, stable, document["metadata"]["namespace"])
    taken = places(rule, canary, document["metadata"]["namespace"])
    return Rule(
        key=rule_key(rule),
        index=index,
        stable_ref=json.dumps(refs[place]),
        stable_index=place,
        stable_before=refs[place].get("weight", 1),
        canary_before=refs[taken[0]].get("weight", 1) if taken else None,
    )


def a_rollout(document: Json, *rules: Rule, **fields: Any) -> Rollout:
    meta = document["metadata"]
    record = Rollout(
        id="r-7f3a2c01",
        channel="C1",
        started_by="U1",
        started_at=NOW,
        reason="H100 nodes",
        namespace=meta["namespace"],
        route=meta["name"],
        route_uid=meta["uid"],
        stable=STABLE,
        canary=CANARY,
        rules=rules or (a_moving(document),),
        plan=Plan(
            steps=(10, 25, 50, 100), interval=timedelta(minutes=10), bake=timedelta(minutes=30), approve_at=(50, 100)
        ),
        phase=Phase.PROGRESSING,
        since=NOW,
        step=0,
        base=-1,
        revision=1,
        decision="d-1",
        decided_at=NOW,
        turn=1,
    )
    return replace(record, **fields)


class PatchRefusedError(Exception):
    """The API server would answer 422."""


def serve(document: Json, operations: Sequence[Json]) -> Json:
    """Apply a JSON Patch as the API server does: all or nothing, ``null`` matches an absent member of an object
    that is there, and a changed spec moves the generation."""
    after = copy.deepcopy(document)
    for operation in operations:
        try:
            after = _one(after, operation)
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as e:
            raise PatchRefusedError(str(operation)) from e
    if after["spec"] != document["spec"]:
        after["metadata"]["generation"] += 1
    return after


def _one(document: Json, operation: Json) -> Json:
    if operation["op"] == "test" and operation["value"] is None:
        parent, _, member = operation["path"].rpartition("/")
        holder = jsonpatch.JsonPointer(parent).resolve(document)
        name = member.replace("~1", "/").replace("~0", "~")
        if holder.get(name) is not None:
            raise jsonpatch.JsonPatchTestFailed(operation["path"])
        return document
    after: Json = jsonpatch.apply_patch(document, [operation])
    return after


def spec_of(document: Json) -> Json:
    spec: Json = document["spec"]
    return spec


def weights_of(document: Json, index: int = 0) -> list[tuple[str, int]]:
    return [(ref["name"], ref.get("weight", 1)) for ref in document["spec"]["rules"][index]["backendRefs"]]


def patch(document: Json, rollout: Rollout, *, weights: bool, guard: Guard = Guard.GENERATION) -> Patch:
    """Return the patch that writes a rollout, with an unsigned note."""
    return split.patch(document, rollout, annotation(rollout), weights=weights, guard=guard)
