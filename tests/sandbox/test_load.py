"""The ledger of the load generator, and the users on a model server."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

from sandbox.load.ledger import Record, failures, line_of, read, shares
from sandbox.load.mix import KINDS, body, choose

GOOD = Record(at=1.0, kind="short", pool="old", status=200, first_token=0.1, took=0.2, is_whole=True)


def test_a_ledger_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    records = [GOOD, replace(GOOD, at=2.0, pool="new")]
    file.write_text("".join(map(line_of, records)) + '{"at": 3')

    assert read(file) == records


def test_what_went_wrong_is_counted_by_what_it_was() -> None:
    records = [
        GOOD,
        replace(GOOD, status=503, is_whole=True),
        replace(GOOD, is_whole=False),
        replace(GOOD, status=0, is_whole=False, error="ServerDisconnectedError: x"),
        replace(GOOD, status=503, pool=""),
    ]

    assert failures(records) == {"503": 2, "cut": 1, "ServerDisconnectedError": 1}


def test_a_stream_that_broke_off_is_cut_whatever_the_client_says() -> None:
    broken = replace(GOOD, is_whole=False, error="ClientPayloadError: x")

    assert failures([broken]) == {"cut": 1}


def test_the_shares_are_of_the_requests_that_a_pool_answered() -> None:
    records = [GOOD, GOOD, GOOD, replace(GOOD, pool="new"), replace(GOOD, pool="", status=503)]

    assert shares(records) == {"old": 0.75, "new": 0.25}
    assert shares([]) == {}


def test_every_kind_comes_as_often_as_its_share_says() -> None:
    chance = random.Random(7)

    found = Counter(choose(chance).name for _ in range(10_000))

    assert all(abs(found[kind.name] / 100 - kind.share) < 2 for kind in KINDS)
    assert set(found) == {kind.name for kind in KINDS}


def test_an_adapters_requests_name_the_adapter_and_a_chat_has_messages() -> None:
    kinds = {kind.name: kind for kind in KINDS}
    chance = random.Random(7)

    adapter = body(kinds["adapter"], chance, "llama", "food")
    chat = body(kinds["chat stream"], chance, "llama", "food")

    assert (adapter["model"], len(adapter["prompt"].split())) == ("food", 12)
    assert (chat["model"], chat["stream"], [one["role"] for one in chat["messages"]]) == ("llama", True, ["user"])
