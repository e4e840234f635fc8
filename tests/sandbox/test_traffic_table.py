"""The table of `python -m sandbox traffic`."""

from sandbox.load.ledger import Record
from sandbox.load.table import table


def a_record(pool: str, first_token: float, **fields: object) -> Record:
    known = {"at": 1.0, "kind": "short", "status": 200, "took": 1.0, "is_whole": True}
    return Record(**{**known, "pool": pool, "first_token": first_token, **fields})  # type: ignore[arg-type]


def test_each_pool_has_its_share_and_its_times() -> None:
    records = [*(a_record("llama", number / 100) for number in range(1, 10)), a_record("llama-new", 0.08)]

    assert table(records).splitlines() == [
        "pool                                share  requests      p50      p95   to the first byte",
        "llama                               90.0%         9    50 ms    86 ms",
        "llama-new                           10.0%         1    80 ms    80 ms",
        "failed: none of 10",
    ]


def test_what_failed_is_named() -> None:
    records = [a_record("llama", 0.1), a_record("", 0.0, status=503), a_record("llama", 0.1, is_whole=False)]

    assert table(records).splitlines()[-1] == "failed: 1 x 503, 1 x cut of 3"


def test_before_the_first_answer_it_says_so() -> None:
    assert table([]) == "No request was answered yet.\n"
