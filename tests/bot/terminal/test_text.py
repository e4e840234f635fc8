"""Prose as a terminal draws it: nobody's words steer it, and everything is whole."""

from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain.errors import StoreError
from bot.domain.events import Event, EventKind
from bot.domain.prose import Channel, Person, moment, said, say
from bot.terminal.names import Names, nameless
from bot.terminal.text import drawn, story
from tests.builders import ALICE, BOB, NOON, a_rollout, an_entry

NOBODY = Names({}, nameless)


def test_a_terminal_shows_no_marks_but_those_of_code() -> None:
    prose = say("*Paused by {}*, since {}: `{}` in {}", Person(BOB), moment(NOON), "llama", Channel("C0INFER001"))
    assert drawn(prose, NOBODY) == f"Paused by {BOB}, since 23 Nov 12:00 UTC: `llama` in C0INFER001"


@given(st.text(), st.text())
@example("\x1b[31m\r\n<@U1> *b* &amp; <!date^1^x|y>", "\x1b]0;title\x07")
def test_nobodys_words_and_names_steer_a_terminal(text: str, name: str) -> None:
    prose = say("{} {} {} `{}`", text, said(text, 5), Person(BOB), text)
    shown = drawn(prose, Names({}, lambda user: name))
    assert shown.isprintable()
    assert shown.count("`") >= 2


def test_other_peoples_words_are_shown_as_they_are() -> None:
    words = "<@U1> *b* &amp; <!date^1^x|y>"
    assert drawn(said(words, 3), NOBODY) == words


def test_people_are_called_as_in_slack_then_by_unix_user_then_by_id() -> None:
    in_slack = {BOB: "Bob Example"}
    names = Names({"alice": ALICE, "bob": BOB}, lambda user: in_slack.get(user, ""))
    assert drawn(say("{}, {}, {}", Person(ALICE), Person(BOB), Person("U0CAROL001")), names) == (
        "alice, Bob Example, U0CAROL001"
    )


def test_a_redis_that_does_not_answer_is_waited_for_once() -> None:
    asked: list[str] = []

    def silent(user: str) -> str:
        asked.append(user)
        raise StoreError("Redis does not answer.")

    shown = drawn(say("{} {} {}", Person(ALICE), Person(BOB), Person(ALICE)), Names({}, silent))
    assert (shown, asked) == (f"{ALICE} {BOB} {ALICE}", [ALICE])


def test_what_happened_is_told_without_the_charts_that_a_terminal_cannot_show() -> None:
    stepped = Event(kind=EventKind.STEPPED, at=NOON, weight=25)
    picture = Event(kind=EventKind.PICTURE, at=NOON, weight=25)
    told = story([stepped, picture], an_entry(a_rollout()), NOBODY)
    assert [time for time, _ in told] == [f"{NOON:%Y-%m-%d %H:%M:%S}"]
