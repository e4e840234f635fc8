"""What holds for every version of every route: the weights add up, and nobody else's fields change."""

import json
from collections.abc import Sequence

from bot.domain.rollout import TAKEN_BACK, Phase, Rollout, Rule
from chaos.checks.finding import Found
from chaos.checks.writes import Write, foreign_meta, ours
from chaos.evidence import Evidence
from k8s.document import locate, own_mirrors
from sandbox.kube import Object

Pair = tuple[int | None, int | None]


def sums(evidence: Evidence) -> Found:
    """Check that after each of our writes the pair adds up to 100, or is as it was before the start."""
    found = Found("weights add up, never all zero")
    for write in ours(evidence):
        found.cases += 1
        note = write.note
        if note is None:
            found.broken("", f"{write.route[1]}: version {write.after.number} has no annotation of ours")
            continue
        for place, (before, after) in enumerate(zip(_rules(write.before), _rules(write.after), strict=False)):
            if before == after:
                continue
            was, now = _pair(before, note), _pair(after, note)
            if was != now and not _is_right(now, note):
                found.broken(note.id, f"version {write.after.number}: rule {place} went from {was} to {now}")
            if not sum(ref.get("weight", 1) for ref in _refs(after)):
                found.broken(note.id, f"version {write.after.number}: all weights of rule {place} are 0")
    return found


def _is_right(now: Pair, note: Rollout) -> bool:
    stable, canary = now
    if note.phase in TAKEN_BACK:
        return any(stable == rule.stable_before and not canary for rule in note.rules)
    if note.phase in (Phase.FINISHED, Phase.CLEANED):
        return now == (None, 100)
    if note.step < 0 or note.mirror:
        return any(now == (rule.stable_before, rule.canary_before) for rule in note.rules)
    return stable is not None and canary is not None and stable + canary == 100 and canary == note.weight


def foreign_bytes(evidence: Evidence) -> Found:
    """Check that each of our writes changes only our two weights, our ref and our annotation."""
    found = Found("nobody else's fields changed")
    for write in ours(evidence):
        note = write.note
        if note is None:
            continue
        found.cases += 1
        if foreign_meta(write.before.document) != foreign_meta(write.after.document):
            found.broken(note.id, f"version {write.after.number}: metadata changed")
        for said in _spec(write, note):
            found.broken(note.id, f"version {write.after.number}: {said}")
    return found


def _spec(write: Write, note: Rollout) -> list[str]:
    before, after = write.before.document["spec"], write.after.document["spec"]
    said = [key for key in {*before, *after} - {"rules"} if before.get(key) != after.get(key)]
    if len(_rules(write.before)) != len(_rules(write.after)):
        return [*said, "rules were added or removed"]
    places = dict(zip(locate(write.before.document, note), note.rules, strict=True))
    for place, (old, new) in enumerate(zip(_rules(write.before), _rules(write.after), strict=True)):
        rule = places.get(place)
        if rule is None and old != new:
            said.append(f"rule {place} does not belong to the rollout")
        if rule is not None:
            said += [f"rule {place}: {each}" for each in _rule(old, new, note, rule)]
            said += [f"rule {place}: {each}" for each in _filters(old, new, note)]
    return said


def _filters(old: Object, new: Object, note: Rollout) -> list[str]:
    """Compare the filters of a rule: only the rollout's own mirror may come and go."""
    (theirs, _), (left, ours) = (_apart(rule, note) for rule in (old, new))
    said = ["other filters changed"] if theirs != left else []
    if note.phase in TAKEN_BACK and ours:
        said.append("its mirror is still there after the roll back")
    if old.get("filters") != new.get("filters") and len(ours) != (1 if note.mirror else 0):
        said.append(f"{len(ours)} mirrors of ours at {note.weight} %")
    return said


def _apart(rule: Object, note: Rollout) -> tuple[list[Object], list[Object]]:
    """Return the filters of others, and those of the rollout."""
    ours, filters = own_mirrors(rule, note, note.namespace), rule.get("filters") or []
    return (
        [each for at, each in enumerate(filters) if at not in ours],
        [each for at, each in enumerate(filters) if at in ours],
    )


def _rule(old: Object, new: Object, note: Rollout, rule: Rule) -> list[str]:
    said = [key for key in {*old, *new} - {"backendRefs", "filters"} if old.get(key) != new.get(key)]
    names = (note.stable.name, note.canary.name)
    were, are = _refs(old), _refs(new)
    if [ref for ref in were if ref["name"] not in names] != [ref for ref in are if ref["name"] not in names]:
        said.append("other backendRefs changed")
    stayed = [ref["name"] for ref in were if ref["name"] in _names(are)]
    if stayed != [ref["name"] for ref in are if ref["name"] in _names(were)]:
        said.append("the order of the backendRefs changed")
    for name in names:
        said += _ref(name, were, are, note, rule)
    return said


def _ref(name: str, were: Sequence[Object], are: Sequence[Object], note: Rollout, rule: Rule) -> list[str]:
    """Compare one of our refs: only its weight may change, a new one must be a copy, a removed one had to go."""
    old, new = ([_weightless(ref) for ref in refs if ref["name"] == name] for refs in (were, are))
    if old == new:
        return []
    if not new:
        gone = note.stable.name if note.phase is Phase.FINISHED else note.canary.name
        fits = name == gone and (note.phase is Phase.FINISHED or rule.canary_before is None)
        return [] if fits else [f"{name} was removed"]
    if old:
        return [f"{name} changed in more than its weight"]
    sibling = next((ref for ref in were if ref["name"] == note.stable.name), None)
    pattern = json.loads(rule.stable_ref) if name == note.stable.name or sibling is None else sibling
    return [] if new == [_weightless({**pattern, "name": name})] else [f"{name} was added with other fields"]


def _weightless(ref: Object) -> Object:
    return {key: value for key, value in ref.items() if key != "weight"}


def _names(refs: Sequence[Object]) -> set[str]:
    return {str(ref["name"]) for ref in refs}


def _rules(version: object) -> list[Object]:
    document: Object = version.document  # type: ignore[attr-defined]
    rules: list[Object] = document["spec"].get("rules") or []
    return rules


def _refs(rule: Object) -> list[Object]:
    refs: list[Object] = rule.get("backendRefs") or []
    return refs


def _pair(rule: Object, note: Rollout) -> Pair:
    weights = {ref["name"]: int(ref.get("weight", 1)) for ref in _refs(rule)}
    return weights.get(note.stable.name), weights.get(note.canary.name)
