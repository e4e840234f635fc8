from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.commands.request import START
from bot.domain.errors import StoreError, UnreadableError
from bot.domain.operation import Operation, OperationChange, OperationEvent, OperationEventKind, OperationPhase
from bot.engine.operation_encoding import operation_json, read_operation
from bot.engine.operation_ports import SaveOperation
from bot.engine.store_port import Became, Saved
from bot.store.operations import CLAIM_AHEAD
from tests.builders import NOON, a_request
from tests.memory import PREFIX
from tests.operations import RUNNING, OperationStore, an_operation, an_operation_store

EVENT = OperationEvent(kind=OperationEventKind.PROGRESSED, at=NOON, said="Copied 1.")
NEXT = an_operation(revision=3, decision="d3", state={"next": 2, "names": ["a", "ü"], "deep": {"is": None}})
DONE = an_operation(phase=OperationPhase.DONE, revision=4, decision="d4", state={})

OLDEST = (
    '{"v": 1, "operation": {"id": "o-7f3a2c01", "kind": "copy", "subject": "models", "parameters": {"count": "3"}, '
    '"reason": "", "channel": "C0INFER001", "started_by": "U0ALICE001", "started_at": "2026-11-23T12:00:00Z", '
    '"phase": "running", "since": "2026-11-23T12:00:00Z", "deadline": "2026-11-23T12:30:00Z", "state": {"next": 1}, '
    '"revision": 2, "decision": "d2", "decided_at": "2026-11-23T12:00:00Z", "turn": 1}}'
)


@pytest.fixture
def store(redis_url: str) -> OperationStore:
    return an_operation_store(redis_url)


def a_save(operation: Operation, expected: str | None = None, request: str | None = None) -> SaveOperation:
    change = OperationChange(after=operation, events=(EVENT,), due=None if operation.is_over else NOON)
    return SaveOperation(change=change, expected=expected, request=request)


def test_a_decision_is_saved_once_however_often_it_is_sent(store: OperationStore) -> None:
    assert [store.operations.save(a_save(RUNNING)) for _ in range(2)] == [Saved.YES, Saved.YES]
    assert store.operations.load(RUNNING.id) == RUNNING
    assert store.operations.events(RUNNING.id, 0) == [EVENT]


def test_a_decision_on_an_older_decision_is_lost(store: OperationStore) -> None:
    store.operations.save(a_save(RUNNING))
    assert store.operations.save(a_save(NEXT, "d2")) is Saved.YES
    assert store.operations.save(a_save(replace(NEXT, decision="other"), "d2")) is Saved.LOST
    assert store.operations.load(RUNNING.id) == NEXT


def test_a_request_is_decided_once(store: OperationStore) -> None:
    request = a_request(START)
    store.inbox.receive(request)
    assert store.operations.save(a_save(RUNNING, request=request.delivery)) is Saved.YES
    assert store.operations.save(a_save(NEXT, "d2", request=request.delivery)) is Saved.DECIDED
    assert store.operations.save(a_save(NEXT, "d2", request="never seen")) is Saved.FORGOTTEN
    assert store.inbox.became(request.delivery) == Became(operation=RUNNING.id)


def test_one_operation_at_a_time_works_on_a_subject(store: OperationStore) -> None:
    other = an_operation(id="o-00000002", kind="delete", decision="o2")
    store.operations.save(a_save(RUNNING))
    assert store.operations.save(a_save(other)) is Saved.TAKEN
    assert store.operations.on("models") == RUNNING.id
    store.operations.save(a_save(DONE, "d2"))
    assert store.operations.on("models") is None
    assert store.operations.save(a_save(other)) is Saved.YES


def test_a_failed_one_is_not_cleaned_up_while_another_works_on_its_subject(store: OperationStore) -> None:
    failed = an_operation(phase=OperationPhase.FAILED, decision="d3")
    store.operations.save(a_save(RUNNING))
    store.operations.save(a_save(failed, "d2"))
    store.operations.save(a_save(an_operation(id="o-00000002", decision="o2")))
    cleaning = an_operation(phase=OperationPhase.CANCELLING, decision="d4")
    assert store.operations.save(a_save(cleaning, "d3")) is Saved.TAKEN


def test_a_due_operation_is_claimed_and_comes_again_if_nobody_goes_on(store: OperationStore) -> None:
    store.operations.save(a_save(RUNNING))
    looks = [NOON - timedelta(seconds=1), NOON, NOON, NOON + CLAIM_AHEAD]
    assert [store.operations.claim_due(look) for look in looks] == [[], [RUNNING.id], [], [RUNNING.id]]


def test_a_finished_operation_is_neither_due_nor_under_way_and_expires(store: OperationStore) -> None:
    store.operations.save(a_save(RUNNING))
    store.operations.save(a_save(an_operation(id="o-00000002", subject="other", started_at=NOON + CLAIM_AHEAD)))
    store.operations.save(a_save(DONE, "d2"))
    assert [operation.id for operation in store.operations.under_way()] == ["o-00000002"]
    assert store.operations.claim_due(NOON + timedelta(days=1)) == ["o-00000002"]
    kept = [store.client.ttl(f"{PREFIX}{kind}:{RUNNING.id}") for kind in ("r", "events")]
    assert kept == [90 * 86400, 90 * 86400]


def test_an_operation_that_is_cleaned_up_later_stays_until_that_is_over(store: OperationStore) -> None:
    store.operations.save(a_save(an_operation(phase=OperationPhase.FAILED)))
    store.operations.save(a_save(an_operation(phase=OperationPhase.CANCELLING, decision="d3"), "d2"))
    assert store.client.ttl(f"{PREFIX}r:{RUNNING.id}") == -1
    assert [operation.phase for operation in store.operations.under_way()] == [OperationPhase.CANCELLING]


def test_a_decision_makes_the_card_dirty_and_wakes_the_board(redis_url: str) -> None:
    woken: list[str] = []
    store = an_operation_store(redis_url, fell_behind=lambda: woken.append("woken"))
    store.operations.save(a_save(RUNNING))
    assert (store.inbox.dirty(10), woken) == ({RUNNING.id: "1"}, ["woken"])
    assert store.inbox.load(RUNNING.id) is None
    assert store.inbox.entries() == []


def test_nothing_goes_on_while_redis_has_lost_data(store: OperationStore) -> None:
    store.operations.save(a_save(RUNNING))
    store.client.hdel(f"{PREFIX}store", "epoch")
    assert store.operations.claim_due(NOON) == []
    with pytest.raises(StoreError, match="Redis has lost data"):
        store.operations.save(a_save(NEXT, "d2"))


def test_an_operation_that_redis_lost_is_not_claimed_again(store: OperationStore) -> None:
    store.operations.save(a_save(RUNNING))
    store.client.delete(f"{PREFIX}r:{RUNNING.id}")
    assert store.operations.claim_due(NOON) == []
    assert store.client.exists(f"{PREFIX}operations", f"{PREFIX}operations:due") == 0


def test_a_redis_that_does_not_answer_is_said_to() -> None:
    away = an_operation_store("redis://127.0.0.1:1/0").operations
    with pytest.raises(StoreError, match="Redis does not answer"):
        away.claim_due(NOON)


def test_a_record_of_another_version_is_left_alone_and_hides_no_other(store: OperationStore) -> None:
    store.operations.save(a_save(RUNNING))
    store.operations.save(a_save(an_operation(id="o-00000002", subject="other")))
    store.client.hset(f"{PREFIX}r:o-00000002", "operation", '{"v": 2}')
    assert store.operations.under_way() == [RUNNING]
    with pytest.raises(UnreadableError, match="another version"):
        store.operations.load("o-00000002")


def test_the_oldest_stored_operation_is_still_read() -> None:
    assert read_operation(OLDEST) == RUNNING
    assert read_operation(operation_json(NEXT)) == NEXT


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"v": 1}', '{"v": 1, "operation": {"id": 7}}', "{" * 2000])
def test_an_unknown_operation_is_refused_in_words(text: str) -> None:
    with pytest.raises(UnreadableError):
        read_operation(text)


def test_operations_of_other_slots_work_on_a_subject_at_the_same_time(store: OperationStore) -> None:
    other = an_operation(id="o-00000002", kind="compare", decision="o2", slot="compare:r-1")
    third = an_operation(id="o-00000003", kind="compare", decision="o3", slot="compare:r-1")
    store.operations.save(a_save(RUNNING))
    assert store.operations.save(a_save(other)) is Saved.YES
    assert store.operations.save(a_save(third)) is Saved.TAKEN
    assert store.operations.on("compare:r-1") == other.id


def test_the_last_operation_of_a_slot_is_found_after_its_end_too(store: OperationStore) -> None:
    running = an_operation(slot="warm:default/chat")
    done = replace(DONE, slot=running.slot)
    assert store.operations.last(running.slot) is None
    store.operations.save(a_save(running))
    store.operations.save(a_save(done, running.decision))
    assert (store.operations.last(running.slot), store.operations.on(running.slot)) == (done, None)
    again = an_operation(id="o-00000002", decision="o2", slot=running.slot)
    store.operations.save(a_save(again))
    assert store.operations.last(running.slot) == again
