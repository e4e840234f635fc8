"""Whole records of any content: what is read can be told, drawn and rolled back, and the rest is nobody's."""

import json
from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.access import Access
from bot.domain.decisions.by_route import adopted, judge
from bot.domain.rollout import Ask, Phase, Rollout
from bot.domain.sentences.what_it_waits_for import waits
from bot.engine.encoding import read_rollout, rollout_json
from bot.engine.notes import NO_KEYS, Notes, note_for, strays
from bot.engine.route_port import Proof, RouteCopy
from bot.terminal.names import Names, nameless
from bot.terminal.text import facts, line
from handlers import replies
from handlers.cards import draw
from handlers.mrkdwn import mrkdwn
from k8s.lost_rules import observe
from k8s.split import patch
from sandbox.strict_slack.block_kit import message_error
from tests.builders import BOB, CANARY, DRIFT, STABLE, a_rollout, an_entry, at

KEYED = Notes((b"our key",))
GROUP = {"group": "inference.networking.k8s.io", "kind": "InferencePool"}
REFS = [{**GROUP, "name": STABLE, "weight": 90}, {**GROUP, "name": CANARY, "weight": 10}]
ROUTE = {
    "metadata": {"namespace": "default", "name": "llm-route", "uid": "uid-1", "generation": 2, "annotations": {}},
    "spec": {"rules": [{"name": "matches:all", "backendRefs": REFS}]},
}
OURS = [
    a_rollout(),
    a_rollout(phase=Phase.PAUSED, drift=DRIFT, left=Phase.PROGRESSING, why="x"),
    a_rollout(phase=Phase.AWAITING_APPROVAL, ask=Ask(id="d1", step=1, approvals=(BOB,))),
    a_rollout(phase=Phase.ROLLED_BACK, why="because", by=BOB),
    a_rollout(phase=Phase.PROMOTED, step=3),
    a_rollout(phase=Phase.HOLDING, held_by=("a", "b"), why="`x` waits"),
]
ODD_TIMES = ["2020-01-01T00:00:00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "P99999D", "-PT5M", "1e3"]
ODD_WORDS = [
    "",
    "\ud800",
    "\x00",
    "x" * 20_000,
    "unix:\x1b[31m",
    "<!channel>",
    "\u202e",
    "`",
    "\n\nroot: x",
    "nan",
    "d2",
]
ODD_NUMBERS = [True, 0, -1, 1.5, 2**53, 10**400, float("nan"), float("inf"), 1_000_000, 253]
ODD: st.SearchStrategy[object] = st.sampled_from(
    [None, *ODD_NUMBERS, *ODD_WORDS, *ODD_TIMES, *(phase.value for phase in Phase), [], {}, [None], [100], [1, 100]]
)


@st.composite
def documents(draw: st.DrawFn, text: str) -> dict[str, Any]:
    """Return what a record is written in, after up to three changes anywhere in it."""
    document: dict[str, Any] = json.loads(text)
    for _ in range(draw(st.integers(0, 3))):
        inside: Any = document
        while True:
            keys = sorted(inside) if isinstance(inside, dict) else range(len(inside))
            key = draw(st.sampled_from(list(keys)))
            if not (isinstance(inside[key], dict | list) and inside[key]) or draw(st.integers(0, 3)) == 0:
                break
            inside = inside[key]
        inside[key] = deepcopy(draw(ODD))
    return document


@given(st.sampled_from(OURS).flatmap(lambda ours: documents(rollout_json(ours))))
def test_a_record_that_is_read_can_be_written_told_and_drawn(document: dict[str, Any]) -> None:
    rollout = read_rollout(json.dumps(document))
    if rollout is None:
        return
    assert read_rollout(rollout_json(rollout)) == rollout
    entry, access = an_entry(rollout), Access()
    card = draw(entry, access, n=1)
    assert message_error(card.text, list(card.blocks), most=4000) == ""
    for said in (replies.status([entry], access), replies.why(entry, waits(entry, access))):
        mrkdwn(said).encode()
    told = [*line(entry), *(value for _, value in facts(entry, access, Names({}, nameless)))]
    assert [each for each in told if not each.isprintable()] == []


@given(
    st.sampled_from(OURS),
    st.sampled_from(OURS).flatmap(lambda theirs: documents(NO_KEYS.write(theirs))),
    st.sampled_from([None, "2026-11-23T12:00:00Z", *ODD_TIMES]),
)
def test_a_note_without_our_signature_takes_a_rollout_nowhere_but_back(
    ours: Rollout, document: dict[str, Any], when: str | None
) -> None:
    if when is not None:
        document["rolled_back"] = {"decision": "d9", "at": when, "by": "unix:x", "why": "p99"}
    copy = a_copy(json.dumps(document), KEYED)
    means = note_for(copy, ours)
    observed = observe(ROUTE, ours)
    strays(copy, ours, observed)
    if copy.note is not None:
        assert copy.note.proof is Proof.UNSIGNED
    if means is None or means == ours:
        return
    assert means.phase is Phase.ROLLED_BACK
    judge(an_entry(ours), means, observed, holds_slot=True)
    after = adopted(an_entry(ours), means, at()).after
    assert read_rollout(rollout_json(after)) == after
    assert canary_after(after) == 0
    assert (after.plan, after.rules, after.started_by, after.reason) == (
        ours.plan,
        ours.rules,
        ours.started_by,
        ours.reason,
    )


def a_copy(text: str, notes: Notes) -> RouteCopy:
    place = {"namespace": "default", "name": "llm-route", "uid": "uid-1"}
    return RouteCopy(**place, generation=2, annotation=text, note=notes.read(text), document=ROUTE)


def canary_after(rollout: Rollout) -> int:
    """Return the weight that a patch leaves the canary."""
    weights = {ref["name"]: int(str(ref["weight"])) for ref in REFS}
    for operation in patch(ROUTE, rollout, KEYED.write(rollout), weights=True).operations:
        place = operation["path"].removeprefix("/spec/rules/0/backendRefs/").split("/")
        if operation["op"] == "remove":
            weights[str(REFS[int(place[0])]["name"])] = 0
        elif operation["op"] == "add" and place[-1] == "weight":
            weights[str(REFS[int(place[0])]["name"])] = operation["value"]
    return weights[CANARY]
