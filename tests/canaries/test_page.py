from canaries.page import section
from canaries.watching import Decided, Outcome


def ran(
    scenario: str, seed: int, *, is_honest: bool, ours: float | None, theirs: float | None, held: bool = False
) -> Outcome:
    decided = (
        Decided(by="rolloutbot", why="", at=ours, requests=30 + seed, bad=3, held=held),
        Decided(by="Flagger", why="", at=theirs, requests=60, bad=6),
    )
    return Outcome(scenario=scenario, seed=seed, is_honest=is_honest, decided=decided)


def test_both_tables_count_who_stopped_what_and_what_it_cost() -> None:
    outcomes = [
        ran("slow", 1, is_honest=False, ours=9.0, theirs=None),
        ran("slow", 3, is_honest=False, ours=None, theirs=20.0, held=True),
        ran("bursts", 1, is_honest=True, ours=None, theirs=5.0),
        ran("few requests", 2, is_honest=True, ours=None, theirs=None, held=True),
    ]
    lines = section(outcomes).splitlines()
    assert [line for line in lines if line.startswith("|")] == [
        "| new pool, at 10 % | rolloutbot     | cost   | Flagger | cost   |",
        "|-------------------|----------------|--------|---------|--------|",
        "| slow              | 1 of 2, 1 held | 32 / 3 | 1 of 2  | 60 / 6 |",
        "| new pool     | runs | rolloutbot | Flagger | held by rolloutbot at the end |",
        "|--------------|------|------------|---------|-------------------------------|",
        "| bursts       | 1    | 0          | 1       | 0                             |",
        "| few requests | 1    | 0          | 0       | 1                             |",
        "| all          | 2    | 0          | 1       | 1                             |",
    ]
