"""Every sentence that names people, against the policy: exactly those who may, whatever the lists and the phase are."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from bot.domain.access import Access, permit
from bot.domain.decisions.by_people import decide
from bot.domain.errors import NotAllowedError, TransitionError
from bot.domain.events import Event, EventKind
from bot.domain.prose import Prose
from bot.domain.rollout import Acceptance, Ask, Entry, Phase
from bot.domain.sentences.what_it_waits_for import waits
from bot.domain.sentences.where_it_stands import state
from bot.domain.verbs.registry import verb_of
from handlers.plan_line import lock_rule
from handlers.thread import headline
from tests.builders import ALICE, BOB, CAROL, DRIFT, NOON, PASS, a_request, at
from tests.handlers.records import a_rollout, an_entry, applied, awaiting, in_phase

PEOPLE = {ALICE, BOB, CAROL}
LISTS = [frozenset[str](), frozenset({ALICE}), frozenset({BOB}), frozenset({ALICE, CAROL})]
POLICIES = [Access(run=run, approve=approve, rollback=back) for run, approve, back in product(LISTS, repeat=3)]

TWO = replace(a_rollout().plan, approvals=2)
BY_STARTER = replace(a_rollout().plan, requester_may_approve=True)
LOST = replace(DRIFT, found=(None,))
ENTRIES = {
    **{phase.value: an_entry(in_phase(phase)) for phase in Phase},
    "not yet written": an_entry(applied=applied(10)),
    "a roll back not yet written": an_entry(in_phase(Phase.ROLLED_BACK), applied=applied(25)),
    "waits for the gateway": an_entry(acceptance=Acceptance.WAITING),
    "drifted": an_entry(a_rollout(phase=Phase.PAUSED, drift=DRIFT)),
    "drifted, and a rule is gone": an_entry(a_rollout(phase=Phase.PAUSED, drift=LOST)),
    "the starter may approve": an_entry(awaiting(plan=BY_STARTER)),
    "one of two has approved": an_entry(replace(awaiting(plan=TWO), ask=Ask(id="a1", step=2, approvals=(BOB,)))),
    "ended by the cluster": an_entry(a_rollout(phase=Phase.ENDED)),
    "ended and followed": an_entry(a_rollout(phase=Phase.ENDED, by=BOB), is_followed=True),
    "finished and followed": an_entry(in_phase(Phase.FINISHED), is_followed=True),
}
ALL = pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
WANTED = Event(kind=EventKind.APPROVAL_WANTED, at=NOON, weight=50)


def may(entry: Entry, access: Access, verb: str) -> set[str]:
    """Return who may use a verb now, by asking for it."""
    return {user for user in PEOPLE if not _is_refused(entry, access, verb, user)}


def _is_refused(entry: Entry, access: Access, verb: str, user: str) -> bool:
    request = a_request(verb, by=user, subject=entry.rollout.id, turn=entry.rollout.turn, reason="p99")
    try:
        permit(access, verb_of(verb).access, request)
        decide(entry, request, PASS, at(1, by=user))
    except NotAllowedError:
        return True
    except TransitionError:
        return verb == "approve"  # who has approved already
    return False


def named(words: str) -> set[str]:
    """Return whom words name."""
    found = set(re.findall(r"U0\w+", words))
    return PEOPLE - found if "full member" in words else found


def clauses(said: Prose) -> Iterator[tuple[str, str]]:
    """Yield who is said to be able to do what."""
    for part in re.split(r"[.;] ?", str(said)):
        if " can " in part:
            who, what = part.split(" can ", 1)
            yield from ((who, verb) for verb in re.findall(r"`(\w+)`", what))


@ALL
def test_why_names_for_each_verb_exactly_who_may(entry: Entry) -> None:
    for access in POLICIES:
        for who, verb in clauses(waits(entry, access).who):
            assert (verb, named(who)) == (verb, may(entry, access, verb))


@ALL
def test_why_names_no_verb_that_does_not_work_and_always_the_brake_where_it_does(entry: Entry) -> None:
    for access in POLICIES:
        verbs = [verb for _, verb in clauses(waits(entry, access).who)]
        assert [verb for verb in verbs if not verb_of(verb).works_now(entry.rollout)] == []
        if entry.can_go_back and access.run != access.rollback and "approve" not in verbs:
            assert "rollback" in verbs
        assert entry.can_go_back or "rollback" not in verbs or not entry.is_applied


APPROVERS = re.compile(r"needs \d approvals? from ([^.\n]*)")
GO_ON = re.compile(r"Waits for (.*?) to resume(?:,)? or (?:(.*) )?to roll back")


@ALL
def test_the_card_names_exactly_who_may_approve_resume_and_roll_back(entry: Entry) -> None:
    open_ask = replace(entry, rollout=replace(entry.rollout, ask=Ask(id="a1", step=2), phase=Phase.AWAITING_APPROVAL))
    for access in POLICIES:
        said = str(state(entry, access)).replace("*", "")
        for who in APPROVERS.findall(said):
            assert named(who) == may(entry, access, "approve")
        for who in APPROVERS.findall(str(lock_rule(entry, access))):
            assert named(who) == may(open_ask, access, "approve")
        for first, second in GO_ON.findall(said):
            assert named(first) == may(entry, access, "resume")
            assert named(second or first) == may(entry, access, "rollback")


@pytest.mark.parametrize("name", ["awaiting_approval", "one of two has approved", "the starter may approve"])
def test_the_channel_reads_exactly_who_may_approve(name: str) -> None:
    entry = ENTRIES[name]
    for access in POLICIES:
        told = str(headline([WANTED], 0, entry, access)).split("It waits for ")[1]
        told = told.replace("the starter", ALICE)
        given = set(entry.rollout.ask.approvals) if entry.rollout.ask else set()
        assert named(told) - (given if not access.approve else set()) == may(entry, access, "approve")


@pytest.mark.parametrize("verb", ["approve", "reject", "advance", "rollback"])
def test_a_refusal_names_only_who_may(verb: str) -> None:
    listed = verb_of(verb).access
    for access in POLICIES:
        able = may(an_entry(awaiting()), access, verb)
        for user in PEOPLE - access.of(listed) if access.of(listed) else ():
            with pytest.raises(NotAllowedError) as refused:
                permit(access, listed, a_request(verb, by=user))
            assert named(str(refused.value)) == (set() if verb == "approve" else able)
