"""What people ask of operations, on a real store: begun once, cancelled by id, by subject or as the only one."""

from dataclasses import replace

import pytest

from bot.domain.commands.request import END, Command, vote_words
from bot.domain.comparison import COMPARE, Comparison, Question, comparison_in
from bot.domain.errors import NotAllowedError, SlotTakenError, StaleError, TransitionError, UsageError
from bot.domain.operation import Operation, OperationChange, OperationPhase, operation_id
from bot.engine.operation_ports import SaveOperation
from bot.engine.store_port import Became
from bot.operations.executor import Ask
from bot.operations.registry import Registry
from tests.bot.operations.scripted import Scripted, Works
from tests.builders import ALICE, BOB, CAROL
from tests.memory import PREFIX
from tests.operations import an_operation, an_operation_store


@pytest.fixture
def works(redis_url: str) -> Works:
    return Works(an_operation_store(redis_url))


def test_a_request_begins_an_operation_with_all_that_was_asked(works: Works) -> None:
    operation, now = works.begun(), works.clock.now()
    assert operation == an_operation(
        id=operation_id("delivery-1", now),
        started_at=now,
        since=now,
        decided_at=now,
        deadline=now + works.executor.within,
        revision=1,
        decision=operation.decision,
        by=ALICE,
    )
    assert works.store.inbox.became("delivery-1") == Became(operation=operation.id)


def test_a_request_that_comes_again_begins_nothing_more(works: Works) -> None:
    request = works.request()
    works.requests.decide(request)
    works.requests.decide(request)
    assert len(works.store.operations.under_way()) == 1


def test_a_request_that_an_older_redis_brings_back_is_done_already(works: Works) -> None:
    request = works.request()
    works.requests.decide(request)
    works.store.client.delete(f"{PREFIX}seen:{request.delivery}")
    works.store.inbox.receive(request)
    works.requests.decide(request)
    assert len(works.store.operations.under_way()) == 1
    assert works.store.inbox.requests(works.clock.now()) == []


def test_a_request_that_redis_forgot_before_it_was_decided_is_carried_out(works: Works) -> None:
    request = works.request()
    works.store.client.delete(f"{PREFIX}inbox", f"{PREFIX}inbox:at", f"{PREFIX}seen:{request.delivery}")
    works.requests.decide(request)
    assert works.only().id == operation_id(request.delivery, request.at)


def test_nothing_is_begun_for_somebody_who_asked_long_ago(works: Works) -> None:
    request = works.request()
    works.clock.forward(minutes=5, seconds=1)
    with pytest.raises(UsageError, match=r"^Nothing was done: I did not get to your `copy` within 5 min\."):
        works.requests.decide(request)


def test_a_second_one_on_the_same_subject_is_refused_by_name(works: Works) -> None:
    first = works.begun()
    with pytest.raises(SlotTakenError) as refused:
        works.requests.decide(works.request())
    assert str(refused.value) == (
        f"`copy models` (`{first.id}`) is running already. Wait until it is over, or cancel it: `cancel {first.id}`."
    )


def test_a_kind_that_this_program_does_not_know_is_refused(works: Works) -> None:
    request = works.request()
    works.executor = Scripted(name="other")
    with pytest.raises(UsageError, match=r"^This bot cannot `copy`"):
        works.requests.decide(request)


@pytest.mark.parametrize("word", ["models", "", "ID"])
def test_it_is_cancelled_by_its_subject_its_id_or_as_the_only_one(works: Works, word: str) -> None:
    operation = works.begun()
    works.requests.decide(works.request(operation.id if word == "ID" else word, cancels=True))
    assert works.load(operation.id).phase is OperationPhase.CANCELLING


def test_cancelling_twice_is_done_once(works: Works) -> None:
    works.begun()
    works.cancel()
    second = works.request(cancels=True)
    works.requests.decide(second)
    assert works.only().revision == 2
    assert works.store.inbox.became(second.delivery) == Became(operation=works.only().id)


def asked(works: Works) -> Operation:
    """Return an operation of Alice's that waits for approval."""
    works.executor.act = lambda operation: Ask(state=operation.state, lines=["Do it."], digest="a")
    operation = works.begun()
    works.look()
    return works.load(operation.id)


def test_whoever_started_it_cannot_approve_it(works: Works) -> None:
    operation = asked(works)
    with pytest.raises(NotAllowedError, match=r"^You started this, so your approval does not count\."):
        works.approve(operation, ALICE)
    assert works.load(operation.id) == operation


def test_a_button_of_an_earlier_question_approves_nothing(works: Works) -> None:
    operation = asked(works)
    with pytest.raises(StaleError, match=r"^This button is out of date\."):
        works.approve(operation, BOB, turn=operation.turn - 1)
    assert works.load(operation.id) == operation


def test_words_that_approved_an_earlier_question_approve_nothing(works: Works) -> None:
    operation = asked(works)
    kept = works.request(operation.id, approves=True, by=BOB)
    works.clock.forward(seconds=5)
    works.executor.act = lambda operation: Ask(state=operation.state, lines=["Do more."], digest="b")
    works.approve(operation, CAROL)
    works.look()
    again = works.load(operation.id)
    with pytest.raises(StaleError, match=r"^It asks for something else since you approved\."):
        works.requests.decide(kept)
    assert works.load(operation.id) == again


def test_an_approval_that_waited_long_approves_nothing(works: Works) -> None:
    operation = asked(works)
    request = works.request(operation.id, approves=True, by=BOB)
    works.clock.forward(minutes=5, seconds=1)
    with pytest.raises(UsageError, match=r"^Nothing was done: I did not get to your `approve` within 5 min\."):
        works.requests.decide(request)
    assert works.load(operation.id) == operation


def test_a_finished_operation_cannot_be_cancelled(works: Works) -> None:
    operation = works.begun()
    works.look()
    with pytest.raises(TransitionError, match=r"^You can't cancel `copy models`: it is done."):
        works.requests.decide(works.request(operation.id, cancels=True))


@pytest.mark.parametrize(
    ("word", "said"),
    {
        "": "Several operations are under way. Name one: `ID-2` (copy b), `ID-1` (copy a).",
        "other": (
            "No operation works on `other`. "
            "Name one by its id, which is on its card. A rollout is stopped by `rollback` or `pause`."
        ),
        "o-00000000": (
            "There is no operation `o-00000000`. "
            "Another install of the bot may have it. "
            "If Redis has lost it, look for what it made, which carries this id, and ask again."
        ),
    }.items(),
)
def test_an_unclear_cancel_is_answered_with_what_to_name(works: Works, word: str, said: str) -> None:
    first = works.begun("a")
    works.clock.forward(seconds=1)
    second = works.begun("b")
    with pytest.raises(UsageError) as refused:
        works.requests.decide(works.request(word, cancels=True))
    assert str(refused.value) == said.replace("ID-1", first.id).replace("ID-2", second.id)


def test_words_that_were_kept_cancel_no_operation_that_began_later(works: Works) -> None:
    kept = works.request(cancels=True)
    works.clock.forward(seconds=5)
    operation = works.begun()
    with pytest.raises(UsageError) as refused:
        works.requests.decide(kept)
    assert str(refused.value) == (
        f"`copy models` (`{operation.id}`) began after you typed this, so it was not cancelled. "
        "Type it again if you mean that one."
    )
    assert works.load(operation.id) == operation


@pytest.mark.parametrize("name", ["rollback", "status", "cancel", "vote"])
def test_an_executor_takes_no_word_that_there_is(name: str) -> None:
    with pytest.raises(ValueError, match="already"):
        Registry((Scripted(name=name),))


def voting(works: Works) -> Operation:
    """Return an operation that asks people one question."""
    operation = works.begun()
    question = Question(prompt="Why?", new="Because.", old="No.", new_is_a=True)
    state = {"do": "votes", "comparison": Comparison().asking([question]).dumps()}
    asks = replace(operation, kind=COMPARE, state=state, revision=2, decision="asks")
    works.store.operations.save(SaveOperation(change=OperationChange(after=asks), expected=operation.decision))
    return asks


def vote(works: Works, operation: Operation, choice: str, by: str) -> None:
    words = Command(verb=END, subject=operation.id, operation=vote_words(1, choice))
    request = replace(works.request(operation.id), command=words, by=by, delivery=f"vote-{by}-{choice}")
    works.store.inbox.receive(request)
    works.requests.decide(request)


def test_votes_are_kept_with_their_voters_and_the_operation_is_due_at_once(works: Works) -> None:
    operation = voting(works)
    for by, choice in ((ALICE, "a"), (BOB, "same"), (ALICE, "b")):
        vote(works, operation, choice, by)
    after = works.load(operation.id)
    (votes,) = comparison_in(after).votes
    assert ({by: each.choice for by, each in votes.items()}, after.revision) == ({ALICE: "b", BOB: "same"}, 5)
    assert operation.id in works.store.operations.claim_due(works.clock.now())
    assert works.store.operations.events(operation.id, 1) == []


def test_a_vote_that_comes_twice_counts_once(works: Works) -> None:
    operation = voting(works)
    for _ in range(2):
        vote(works, operation, "a", ALICE)
    assert works.load(operation.id).revision == 3


def test_a_vote_ends_only_for_somebody_who_names_it(works: Works) -> None:
    operation = voting(works)
    with pytest.raises(UsageError) as refused:
        works.requests.decide(works.request("", cancels=True))
    assert str(refused.value) == (
        f"Only the vote of `{operation.name}` is under way here. "
        f"`cancel {operation.id}` ends it for everybody, and no vote counts."
    )
    assert works.load(operation.id) == operation


def test_people_may_vote_on_the_first_question_before_the_last_one_is_there(works: Works) -> None:
    operation = voting(works)
    early = replace(operation, state={**operation.state, "do": "tell", "put": 0}, revision=3, decision="early")
    works.store.operations.save(SaveOperation(change=OperationChange(after=early), expected=operation.decision))
    with pytest.raises(TransitionError, match=r"^The vote is over\."):
        vote(works, early, "a", ALICE)
    put = replace(early, state={**early.state, "put": 1}, revision=4, decision="put")
    works.store.operations.save(SaveOperation(change=OperationChange(after=put), expected=early.decision))
    vote(works, put, "a", BOB)
    (votes,) = comparison_in(works.load(put.id)).votes
    assert list(votes) == [BOB]


def test_a_bot_that_knows_no_votes_would_refuse_one_and_cancel_nothing() -> None:
    words = vote_words(1, "a")
    assert (words.kind, words.approves, Registry((Scripted(),)).named(words.kind)) == ("vote", False, None)
