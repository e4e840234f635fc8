"""Whatever is typed, the grammar answers with a Command or a UsageError."""

import time

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.commands.grammar import parse
from bot.domain.commands.tokens import unescaped, words
from bot.domain.commands.values import is_name
from bot.domain.errors import UsageError
from bot.domain.prose import visible
from bot.domain.verbs.registry import verbs

POOL = "vllm-llama3-8b-instruct-new"
SEEN = st.characters(exclude_categories=["C", "Z"]).filter(lambda character: visible(character) == character)
TYPED = st.text(alphabet=SEEN, min_size=1, max_size=200)
QUOTES = ["“", "”", "'", '"', "`"]
KEYS = ["reason=", "steps=", "every=", "pool=", "approve=all", "--", "—reason"]
ODD = ["%", ",", "=", "<@U1|x>", "<https://x|y>", "&lt;", "\u00a0", "\ud800", "\x00", "roll", "back", "10"]
FRAGMENTS = st.sampled_from([*(verb.name for verb in verbs()), *QUOTES, *KEYS, *ODD, POOL])


@given(st.one_of(st.text(), st.lists(st.one_of(FRAGMENTS, st.text(max_size=5))).map(" ".join)))
def test_parse_answers_with_a_command_or_a_usage_error(text: str) -> None:
    try:
        command = parse(text)
    except UsageError as refusal:
        assert str(refusal)  # noqa: PT017
        return
    assert not command.subject or is_name(command.subject)
    assert (command.start is not None) == (command.verb in ("start", "check"))
    assert len(command.reason) <= 3000
    assert command.reason.encode()[:0] == b""


@given(TYPED)
def test_a_quoted_reason_arrives_as_it_was_typed(reason: str) -> None:
    typed = reason.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert parse(f'pause {POOL} reason="{typed}"').reason == reason


@given(st.text())
def test_no_word_is_lost_or_made_up(text: str) -> None:
    assert "".join("".join(word.raw.split()) for word in words(text)) == "".join(unescaped(text).split())


def test_a_long_line_of_apostrophes_is_read_at_once() -> None:
    before = time.process_time()
    reason = parse("pause x " + "'a " * 900).reason
    assert reason == " ".join(["'a"] * 900)
    assert len(words("'a " * 20_000)) == 20_000
    assert time.process_time() - before < 2
