from hypothesis import given
from hypothesis import strategies as st

from bot.domain.prose import (
    NAME,
    Channel,
    Code,
    Person,
    Prose,
    Short,
    Strong,
    Text,
    capitalised,
    clock,
    ended,
    joined,
    moment,
    one_line,
    plain,
    said,
    say,
    sentence,
    to_the_second,
)
from tests.builders import BOB, NOON


def test_a_sentence_is_its_words_its_marks_and_its_values() -> None:
    assert say("*{} % by {}* `{}` or `pause`, {when}.", 25, Person(BOB), "llama", when=clock(NOON)) == Prose(
        (
            Strong(Prose((Text("25"), Text(" % by "), Person(BOB)))),
            Text(" "),
            Code("llama", NAME),
            Text(" or "),
            Code("pause"),
            Text(", "),
            clock(NOON),
            Text("."),
        )
    )


def test_a_log_reads_it_plain() -> None:
    prose = say(
        "*Paused by {}* or {} in {} at {}, {}, {}: {}",
        Person(BOB),
        Person("unix:al ice"),
        Channel("C0INFER001"),
        clock(NOON),
        to_the_second(NOON),
        moment(NOON),
        say("`{}`", "a`b"),
    )
    assert str(prose) == (
        "Paused by U0BOB00001 or unix:alice in C0INFER001 at 12:00 UTC, 12:00:00 UTC, 23 Nov 12:00 UTC: `ab`"
    )


def test_slack_users_are_called_as_the_reader_knows_them() -> None:
    assert plain(say("{} and {}", Person(BOB), Person("")), lambda user: f"<{user}>") == f"<{BOB}> and somebody"


@given(st.text())
def test_a_value_means_only_itself(text: str) -> None:
    kept = one_line(text)
    assert say("{}{name}", text, name=text) == Prose((Text(kept), Text(kept)) if kept else ())
    assert say("*{}*`{}`", text, text).pieces[1:] == (Code(kept, NAME),)


@given(st.text(alphabet="`a \n"))
def test_a_sentence_that_is_kept_as_a_string_loses_nothing(text: str) -> None:
    assert str(sentence(text)) == text


def test_in_a_sentence_that_is_kept_as_a_string_only_backticks_in_pairs_are_code() -> None:
    assert sentence("`a` *b* `c") == Prose((Code("a"), Text(" *b* `c")))


def test_other_peoples_words_are_on_one_line_and_bounded() -> None:
    assert said(" p99\n\t`doubled`\x1b ", 9) == Prose((Short(Prose((Text("p99 `doubled`"),)), 9),))
    assert said(" \n", 9) == Prose()


def test_joining_leaves_empty_parts_out() -> None:
    assert str(joined(", ", (say("a"), Prose(), say("{}", ""), say("b")))) == "a, b"


def test_a_sentence_begins_with_a_capital_and_ends_once() -> None:
    assert [str(capitalised(each)) for each in (say("any member"), say("{}", Person(BOB)), Prose())] == [
        "Any member",
        BOB,
        "",
    ]
    assert [str(ended(say("{}", text))) for text in ("no", "no.", "no!", "")] == ["no.", "no.", "no!", ""]
