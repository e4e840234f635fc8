"""Prose as Slack draws it: nobody's words become markup, and what is bounded stays in its bounds."""

import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain.prose import (
    Channel,
    Code,
    Person,
    Prose,
    Verbatim,
    clock,
    moment,
    plain,
    said,
    say,
    sentence,
    short,
    to_the_second,
)
from bot.domain.sentences.reasons import reason
from handlers.mrkdwn import mrkdwn, spoken, units
from tests.builders import BOB, NOON

NASTY = "& < > <!channel> <@U123> <https://x.y|z> `code` *bold* _it_ ~gone~ 🚀\n> quote"
words = st.one_of(st.text(), st.text(alphabet="<>&`*_~@!# aU1|\n🚀"), st.just(NASTY))

MARKS = re.compile(r"\A&gt;|[<>`\n]|&(?!(amp|lt|gt);)|(?<![^\W_])[*_~]|[*_~](?![^\W_])")
"""What Slack takes for markup, and half an entity."""

Draw = Callable[[Prose], str]
both = pytest.mark.parametrize("draw", [mrkdwn, spoken])


def test_the_marks_are_slacks() -> None:
    stamp = int(NOON.timestamp())
    prose = say(
        "*Paused by {}* at {} ({}, {}): `{}` in {}, `pause`",
        Person(BOB),
        clock(NOON),
        to_the_second(NOON),
        moment(NOON),
        "a<b",
        Channel("C0INFER001"),
    )
    times = (
        f"<!date^{stamp}^{{time}}|12:00 UTC> (<!date^{stamp}^{{time_secs}}|12:00:00 UTC>, "
        f"<!date^{stamp}^{{date_short_pretty}} at {{time}}|23 Nov 12:00 UTC>)"
    )
    assert mrkdwn(prose) == f"*Paused by <@{BOB}>* at {times}: `a&lt;b` in <#C0INFER001>, `pause`"
    assert spoken(prose) == f"Paused by <@{BOB}> at {times}: a&lt;b in <#C0INFER001>, pause"


def test_words_keep_what_slack_takes_for_no_mark() -> None:
    assert mrkdwn(say("{}", "p99_latency 5*3 a~b *so* _it_ `x`")) == "p99_latency 5*3 a~b ∗so∗ ˍitˍ ˋxˋ"


@both
@given(words)
@example(NASTY)
def test_nobodys_words_become_markup(draw: Draw, text: str) -> None:
    drawn = [
        draw(prose)
        for prose in (
            say("{}", text),
            said(text, 40),
            reason(text, BOB),
            say("{}", Person(f"unix:{text}")),
            say("{}", Channel(f"?{text}")),
        )
    ]
    assert [each for each in drawn if MARKS.search(each)] == []


@given(words)
@example(NASTY)
def test_no_name_ends_its_code(text: str) -> None:
    named = [mrkdwn(say("`{}`", text)), mrkdwn(say("{}", Code(text, 160)))]
    assert [each for each in named if not re.fullmatch(r"`([^`<>\n&]|&(amp|lt|gt);)+`", each)] == []
    assert not MARKS.search(spoken(say("`{}`", text)))


@given(words.filter(lambda text: "`" not in text))
def test_our_sentence_that_quotes_somebody_has_no_markup_but_code(text: str) -> None:
    assert not MARKS.search(mrkdwn(sentence(" ".join(text.split()))))


@both
@given(st.text(alphabet="aé 🚀\u00ad\u034f\u115f\u200b\u200d\u202e\u2066\u2800\u3164\ufe0f\uffa0\U000e0061\x1b\n\x85"))
def test_nothing_in_nobodys_words_is_hidden_or_turns_text_around(draw: Draw, text: str) -> None:
    drawn = f"{draw(say('{} `{}`', text, text))}{draw(said(text, 40))}{draw(reason(text, BOB))}"
    assert set(drawn) <= set("aé 🚀…`?")


@both
@given(words, st.integers(1, 100))
def test_a_shortened_text_fits_and_nothing_in_it_is_cut_in_half(draw: Draw, text: str, longest: int) -> None:
    prose = say("{} *{}* `{}` {}", text, text, text, Person(BOB))
    drawn = draw(short(prose, longest))
    assert units(drawn) <= longest
    whole = draw(prose)
    assert drawn == whole or whole.startswith(drawn.removesuffix("…"))
    assert drawn.count("`") % 2 == 0
    assert not re.search(r"&(?!(amp|lt|gt);)|<(?!@U0BOB00001>)", drawn)


def test_a_long_name_keeps_its_end() -> None:
    assert mrkdwn(say("`{}`", "a" * 240 + "-new")) == f"`{'a' * 27}…{'a' * 48}-new`"
    assert mrkdwn(say("`{}`", "")) == "`?`"


@both
@pytest.mark.parametrize("longest", range(1, 12))
def test_no_cut_makes_a_mark(draw: Draw, longest: int) -> None:
    words = "a_b*c~d_e*f"
    assert not MARKS.search(draw(said(words, longest)))
    assert not MARKS.search(spoken(say("{}", Code(words, longest))))


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ('sum(x{pod=~"a|b"}) > 5', '`sum(x{pod=~"a|b"}) &gt; 5`'),
        ("sum(x)\n  / sum(y)", "`sum(x) / sum(y)`"),
        ("sum(x) # per pod\n/ sum(y)", "see `gates`"),
        ("sum(x{pod=~`a`})", "see `gates`"),
        ("s" * 31, "see `gates`"),
    ],
)
def test_what_people_copy_is_shown_whole_or_not_at_all(text: str, drawn: str) -> None:
    prose = say("{}", Verbatim(text, 30, say("see `gates`")))
    assert mrkdwn(prose) == drawn
    assert plain(prose, str) == text
