"""What a backtest adds up, and says."""

import pytest

from bot.domain.backtest import Score, Scores
from bot.domain.gate import Finding, GateAnswer
from bot.domain.sentences.backtest import of_gate, of_scores


def a_finding(answer: GateAnswer, reason: str = "") -> Finding:
    return Finding(gate="errors", answer=answer, reason=reason)


def test_answers_are_counted_and_the_worst_one_is_kept() -> None:
    score = Score()
    for finding in (
        a_finding(GateAnswer.PASS),
        a_finding(GateAnswer.HOLD, "Doubtful."),
        a_finding(GateAnswer.FAIL, "Bad."),
        a_finding(GateAnswer.HOLD, "Doubtful again."),
    ):
        score = score.plus(finding)
    assert score == Score(passed=1, held=2, failed=1, worst="Bad.")
    assert of_gate("errors", score) == "`errors`: 1 of 4 windows passed, 2 held, 1 failed. The worst: Bad."


def test_it_is_read_as_it_was_written() -> None:
    scores = Scores(
        gates={"errors": Score(passed=3, worst="Bad.")}, windows=5, failed=1, held=2, thin=1, lacking=1, lack="None."
    )
    assert Scores.loads(scores.dumps()) == scores


GOOD, BAD = {"errors": Score(passed=6)}, {"errors": Score(passed=4, failed=2), "latency": Score(passed=6)}
HALVES = "6 windows of the last 24h of `chat`, one half of its servers against the other:"


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (Scores(gates=GOOD, windows=6), f"{HALVES} 0 false stops, 0 false holds."),
        (
            Scores(gates=BAD, windows=6, failed=2, held=1),
            f"{HALVES} 2 false stops, 1 false hold. If that is too often, raise the keys of those gates in the policy.",
        ),
        (
            Scores(gates=GOOD, windows=9, thin=2, lacking=1),
            f"{HALVES} 0 false stops, 0 false holds. 2 more had too few requests, 1 more had no "
            "requests or no numbers.",
        ),
        (
            Scores(windows=3, lacking=3, lack="Prometheus has no numbers."),
            "None of 3 windows of `chat` could be judged: Prometheus has no numbers.",
        ),
        (Scores(windows=3, thin=3), "None of 3 windows of `chat` could be judged: there were too few requests."),
    ],
)
def test_it_says_how_often_a_good_pool_would_have_been_stopped(scores: Scores, said: str) -> None:
    assert of_scores(scores, "chat", "24h") == said
