import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.slips import likely_meant
from bot.domain.verbs.registry import verbs

VERBS = tuple(verb.name for verb in verbs())
POOLS = ("vllm-llama3-8b-instruct", "vllm-llama3-8b-instruct-new", "qwen-coder", "embed")
KEYS = ("namespaces", "plan", "approvals", "access", "command", "terminal", "steps", "every", "bake")
ALL = (*VERBS, *POOLS, *KEYS)


@pytest.mark.parametrize(
    ("slip", "known", "meant"),
    [
        ("stauts", VERBS, "status"),
        ("strat", VERBS, "start"),
        ("rolback", VERBS, "rollback"),
        ("roll-back", VERBS, "rollback"),
        ("aprove", VERBS, "approve"),
        ("advacne", VERBS, "advance"),
        ("pasue", VERBS, "pause"),
        ("reusme", VERBS, "resume"),
        ("PAUSE", VERBS, "pause"),
        ("evry", KEYS, "every"),
        ("step", KEYS, "steps"),
        ("namespace", KEYS, "namespaces"),
        ("qwen-coderr", POOLS, "qwen-coder"),
        ("qwen_coder", POOLS, "qwen-coder"),
        ("vllm-llama3-8b-instruct-nwe", POOLS, "vllm-llama3-8b-instruct-new"),
        ("vllm-lama3-8b-instruct", POOLS, "vllm-llama3-8b-instruct"),
    ],
)
def test_a_typical_slip_is_found(slip: str, known: tuple[str, ...], meant: str) -> None:
    assert likely_meant(slip, known)[0] == meant


PLAIN = (
    "OOM-kills",
    "everywhere",
    "latency",
    "p99",
    "doubled",
    "errors",
    "in",
    "production",
    "timeouts",
    "please",
    "slow",
)


@pytest.mark.parametrize("word", PLAIN)
def test_a_plain_word_is_a_slip_of_nothing(word: str) -> None:
    assert likely_meant(word, ALL) == []


@given(st.sampled_from([name for name in ALL if len(name) >= 4]), st.data())
def test_one_letter_that_is_missing_wrong_or_doubled_is_forgiven(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(name) - 1))
    slip = data.draw(
        st.sampled_from(
            [name[:at] + name[at + 1 :], name[:at] + "_" + name[at + 1 :], name[:at] + name[at] + name[at:]]
        )
    )
    assert name in likely_meant(slip, [name])


def test_at_most_three_are_named() -> None:
    assert len(likely_meant("pool-a", [f"pool-{letter}" for letter in "bcdefg"])) == 3


def test_a_very_long_word_is_compared_with_nothing() -> None:
    assert likely_meant("x" * 101, ["x" * 101]) == []
