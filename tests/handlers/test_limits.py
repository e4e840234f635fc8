"""Every record makes a message that Slack takes, and nobody's words become markup."""

import re
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.access import Access
from bot.domain.chart import MOST_POINTS, Chart, Line
from bot.domain.events import Event, EventKind
from bot.domain.gate import Figure, Finding, GateAnswer
from bot.domain.plan import Plan
from bot.domain.rollout import Acceptance, Applied, Ask, Entry, Phase, Pool, Rollout, Trouble
from bot.domain.sentences.what_it_waits_for import waits
from handlers import replies
from handlers.cards import draw
from handlers.charts import without_charts
from handlers.mrkdwn import mrkdwn
from handlers.thread import MOST, message
from sandbox.strict_slack.block_kit import faults, texts, units
from tests.bot.domain.decisions.every_state import reachable
from tests.builders import DRIFT, NOON, RULE
from tests.handlers.records import a_rollout, ready

WORST = "& < > é — 🚀 `code` *bold* <!channel> <@U123> <https://x.y|z>\n"
words = st.one_of(
    st.just(""), st.text(max_size=200), st.just((WORST * 100)[:3000]), st.just("🚀" * 3000), st.just("&" * 3000)
)
names = st.one_of(
    st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,60}[a-z0-9])?", fullmatch=True), st.just("a" * 253), st.just("x-" * 126 + "y")
)
users = st.one_of(st.sampled_from(["U0ALICE001", "U0BOB00001", ""]), st.just("unix:alice <x>"))
groups = st.one_of(st.just(frozenset[str]()), st.just(frozenset(f"U{n:010}" for n in range(50))))
steps = st.one_of(st.just((10, 25, 50, 100)), st.just(tuple(range(1, 101))), st.just((100,)), st.just((99, 100)))


@st.composite
def rollouts(draw_: st.DrawFn) -> Rollout:
    chosen = draw_(steps)
    step = draw_(st.integers(-1, len(chosen) - 1))
    asked = draw_(st.integers(0, len(chosen) - 1))
    plan = Plan(
        steps=chosen,
        interval=draw_(st.sampled_from([timedelta(seconds=1), timedelta(minutes=10), timedelta(days=30)])),
        bake=timedelta(minutes=30),
        approve_at=draw_(st.sampled_from([(), (50, 100), chosen])),
        approvals=draw_(st.integers(0, 50)),
        requester_may_approve=draw_(st.booleans()),
    )
    given_ = tuple(f"U{n:010}" for n in range(draw_(st.integers(0, 50))))
    return a_rollout(
        id=draw_(st.sampled_from(["r-7f3a2c01", "r-" + "f" * 60])),
        channel=draw_(st.sampled_from(["C0INFER001", "", "<!channel>"])),
        phase=draw_(st.sampled_from(list(Phase))),
        reason=draw_(words),
        why=draw_(words),
        by=draw_(users),
        started_by=draw_(users),
        stable=Pool("default", draw_(names)),
        canary=Pool("default", draw_(names)),
        namespace=draw_(names),
        route=draw_(names),
        plan=plan,
        step=step,
        base=draw_(st.integers(-1, step)),
        rules=(RULE,) * draw_(st.integers(1, 3)),
        drift=draw_(st.sampled_from([None, DRIFT])),
        left=draw_(st.sampled_from([None, Phase.PROGRESSING, Phase.PROMOTED])),
        ask=draw_(st.sampled_from([None, Ask(id="a", step=asked, approvals=given_)])),
        revision=draw_(st.integers(1, 10**6)),
        turn=draw_(st.integers(0, 10**6)),
    )


cells = st.sampled_from(["", "queue", "12 ms", WORST, "🚀" * 300, "&" * 300])
figures = st.lists(st.builds(Figure, name=cells, new=cells, old=cells), max_size=25).map(tuple)


@st.composite
def charts(draw_: st.DrawFn) -> Chart:
    """Charts as the gates draw them, whose names are always the same."""
    times = tuple(f"{number:02}:00" for number in range(draw_(st.sampled_from([1, MOST_POINTS]))))
    values = tuple(100.0 / each for each in range(1, len(times) + 1))
    lines = tuple(Line(f"{name}, p{q}", values) for name in ("new", "old") for q in (50, 95))
    return Chart(title="Errors", unit="percent", times=times, lines=lines)


findings = st.builds(
    Finding,
    gate=st.sampled_from(["errors", "latency", "gpu_temperature"]),
    answer=st.sampled_from(list(GateAnswer)),
    reason=cells,
    evidence=cells,
    standing=cells,
)


@st.composite
def entries(draw_: st.DrawFn) -> Entry:
    rollout = draw_(rollouts())
    there = draw_(st.integers(0, 100))
    decision = draw_(st.sampled_from(["d2", rollout.decision]))
    applied = Applied(revision=1, decision=decision, weight=there, at=NOON)
    trouble = Trouble(since=NOON, reason=draw_(words), attempts=draw_(st.sampled_from([0, 3])))
    return Entry(
        rollout=rollout,
        applied=draw_(st.sampled_from([None, applied])),
        acceptance=draw_(st.sampled_from(list(Acceptance))),
        due=draw_(st.sampled_from([None, NOON, NOON + timedelta(days=3)])),
        trouble=draw_(st.sampled_from([None, trouble])),
        readiness=draw_(st.sampled_from([None, ready(), ready(0, 0)])),
        findings=tuple(draw_(st.lists(findings, max_size=11))),
    )


events = st.builds(
    Event,
    kind=st.sampled_from(list(EventKind)),
    at=st.just(NOON),
    by=users,
    unix_user=st.sampled_from(["", "alice", "<x>" * 100]),
    weight=st.one_of(st.none(), st.integers(0, 100)),
    reason=words,
    figures=st.one_of(st.just(()), figures),
    charts=st.one_of(st.just(()), st.tuples(charts(), charts(), charts())),
)
EVENT = Event(kind=EventKind.REMINDER, at=NOON, weight=25)
MARKS = re.compile(r"`|(?<![^\W_])[*_~]|[*_~](?![^\W_])|^&gt;", re.MULTILINE)
MARKUP = re.compile(r"<(?!@[UW][A-Z0-9]+>|#C[A-Z0-9]+>|!date\^[0-9]+\^)")


@settings(max_examples=120, deadline=None)
@given(entries(), groups, st.integers(0, 10**6))
def test_slack_takes_every_card(entry: Entry, group: frozenset[str], n: int) -> None:
    card = draw(entry, Access(start=group, run=group, approve=group, rollback=group), n=n)
    assert faults(card.text, card.blocks) == []
    assert card.blocks[0]["block_id"].startswith(f"card:{entry.rollout.id}:{n}.")
    assert not [text for text in [card.text, *texts(card.blocks[1:])] if MARKUP.search(text)]


@settings(max_examples=80, deadline=None)
@given(entries(), st.lists(events, min_size=1, max_size=5), words, words)
def test_the_marks_of_a_card_and_its_thread_do_not_depend_on_what_people_say(
    entry: Entry, happened: list[Event], first: str, second: str
) -> None:
    def marks(said: str) -> list[str]:
        told = f"because {said}"
        why = "No endpoint." if entry.rollout.phase is Phase.HOLDING else told  # a gate gives it
        spoken = replace(entry, rollout=replace(entry.rollout, by="U0BOB00001", drift=None, reason=told, why=why))
        thread = [
            replace(event, by="U0BOB00001", reason=told)
            for event in happened
            if event.kind not in (EventKind.HELD, EventKind.HELD_ON)
        ]
        card, note = draw(spoken, Access(), n=1), message([*thread, EVENT], spoken, Access(), first=1)
        return [mark for text in [*texts(card.blocks[1:]), *texts(note.blocks)] for mark in MARKS.findall(text)]

    assert marks(first) == marks(second)


def test_slack_takes_the_card_of_every_state_that_the_engine_can_reach() -> None:
    cards = [draw(world.entry, Access(), n=1) for world in reachable()]
    assert [fault for card in cards for fault in faults(card.text, card.blocks)] == []


@settings(max_examples=60, deadline=None)
@given(st.lists(events, min_size=1, max_size=MOST), entries(), groups)
def test_slack_takes_every_thread_message(happened: list[Event], entry: Entry, group: frozenset[str]) -> None:
    note = message(happened, entry, Access(approve=group), first=1)
    assert faults(note.text, note.blocks) == []
    if plain := without_charts(note):
        assert faults(plain.text, plain.blocks) == []
    assert note.blocks[0]["block_id"] == f"event:{entry.rollout.id}:1-{len(happened)}"
    assert not [text for text in [note.text, *texts(note.blocks)] if MARKUP.search(text)]


@settings(max_examples=30, deadline=None)
@given(st.lists(entries(), min_size=1, max_size=30), groups)
def test_slack_takes_every_private_answer(found: list[Entry], group: frozenset[str]) -> None:
    access = Access(run=group, rollback=group, approve=group)
    for said in (
        replies.status(found, access),
        replies.why(found[0], waits(found[0], access)),
        replies.detail(found[0], access),
    ):
        assert 1 <= units(mrkdwn(said)) <= 8000
        assert not MARKUP.search(mrkdwn(said))
