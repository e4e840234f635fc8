from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.access import Access
from bot.domain.events import Event, EventKind
from bot.domain.rollout import Phase, Rollout
from bot.domain.telling import Audience, Tell
from handlers import replies
from handlers.cards import draw
from handlers.mrkdwn import mrkdwn
from handlers.thread import headline, is_broadcast, lines, message
from sandbox.strict_slack.block_kit import faults
from tests.builders import ALICE, BOB, CAROL, NOON
from tests.handlers.records import ANYBODY, NEW, OLD, ROOM, a_rollout, an_entry, awaiting, in_phase


def date(minutes: float, style: str, fallback: str) -> str:
    return f"<!date^{int((NOON + timedelta(minutes=minutes)).timestamp())}^{style}|{fallback}>"


COMMAND = "/rollout"
STARTED = Event(kind=EventKind.STARTED, at=NOON, by=ALICE, weight=10, reason="H100 <nodes>")
STEPPED = Event(kind=EventKind.STEPPED, at=NOON, weight=25)
WANTED = Event(kind=EventKind.APPROVAL_WANTED, at=NOON, weight=50)
REJECTED = Event(kind=EventKind.REJECTED, at=NOON, by=BOB, weight=25, reason="Rejected: latency doubled")
GATE = Event(kind=EventKind.ROLLED_BACK, at=NOON, weight=0, reason="Errors doubled.")
AGAIN = Event(kind=EventKind.WRITTEN_AGAIN, at=NOON, by=BOB, weight=0)
BRAKE = Event(kind=EventKind.ROLLED_BACK, at=NOON, by=BOB, weight=0)


def drawn(events: list[Event]) -> list[str]:
    return [mrkdwn(line) for line in lines(events, an_entry())]


def test_the_thread_tells_in_order() -> None:
    at = date(0, "{time}", "12:00 UTC")
    assert drawn([STARTED, STEPPED, WANTED, REJECTED, GATE, BRAKE, AGAIN]) == [
        f"{at}  <@{ALICE}> started the rollout at 10 %, from `{OLD}`: “H100 &lt;nodes&gt;”",
        f"{at}  Stepped to *25 %*.",
        f"{at}  *50 % needs approval*.",
        f"{at}  <@{BOB}> rejected the step; paused at 25 %: “latency doubled”",
        f"{at}  *Rolled back automatically.* All traffic goes to `{OLD}`: Errors doubled.",
        f"{at}  *<@{BOB}> rolled back.* All traffic goes to `{OLD}`.",
        f"{at}  <@{BOB}> wrote the roll back again.",
    ]


def test_the_channel_is_told_which_pool_and_who_is_asked() -> None:
    said = mrkdwn(headline([WANTED], 0, an_entry(awaiting()), ANYBODY))
    assert said == f"`{NEW}`: *50 % needs approval*. It waits for any full member but the starter."


def head(event: Event, *before: Event, rollout: Rollout | None = None, access: Access = ANYBODY) -> str:
    events = [*before, event]
    return mrkdwn(headline(events, len(before), an_entry(rollout or a_rollout()), access))


ONE_OF_TWO = Access(approve=frozenset({BOB, CAROL}))


def test_approvers_are_mentioned_where_they_are_asked_and_only_while_it_is_open() -> None:
    asked = f"`{NEW}`: *50 % needs approval*."
    assert head(WANTED, rollout=awaiting(), access=ONE_OF_TWO) == f"{asked} It waits for <@{BOB}> or <@{CAROL}>."
    assert head(WANTED, rollout=a_rollout(step=2), access=ONE_OF_TWO) == asked


def test_approvers_whom_a_new_card_names_are_not_mentioned_once_more_in_its_thread() -> None:
    asked = head(WANTED, STARTED, rollout=awaiting(), access=ONE_OF_TWO)
    assert asked == f"`{NEW}`: *50 % needs approval*."
    assert f"from <@{BOB}> or <@{CAROL}>" in draw(an_entry(awaiting()), ONE_OF_TWO, n=1).blocks[1]["text"]["text"]


def test_who_is_to_be_mentioned_is_so_beside_later_news_too() -> None:
    at = date(0, "{time}", "12:00 UTC")
    lasting = Event(kind=EventKind.NO_WAY_BACK, at=NOON, weight=25, reason="No picker.")
    asked = message([WANTED, lasting], an_entry(awaiting()), ONE_OF_TWO, first=1)
    dead = f"*The old pool `{OLD}` cannot take traffic back*: No picker."
    assert [block["text"]["text"] for block in asked.blocks] == [
        f"{at}  *50 % needs approval*. It waits for <@{BOB}> or <@{CAROL}>.\n{at}  `{NEW}`: {dead}"
    ]
    paused = Event(kind=EventKind.PAUSED, at=NOON, weight=25, reason="No.")
    stopped = message([paused, lasting], an_entry(), ANYBODY, first=1)
    assert [block["text"]["text"] for block in stopped.blocks] == [
        f"{at}  Paused at 25 %: No. <@{ALICE}> started it.\n{at}  `{NEW}`: {dead}"
    ]


def test_a_card_does_not_mention_approvers_before_they_are_asked() -> None:
    assert BOB not in str(draw(an_entry(), ONE_OF_TWO, n=1))


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (GATE, f"*Rolled back automatically.* All traffic goes to `{OLD}`: Errors doubled. <@{ALICE}> started it."),
        (Event(kind=EventKind.PAUSED, at=NOON, weight=25, reason="No."), f"Paused at 25 %: No. <@{ALICE}> started it."),
        (Event(kind=EventKind.PAUSED, at=NOON, by=BOB, weight=25), f"<@{BOB}> paused it at 25 %."),
        (BRAKE, f"*<@{BOB}> rolled back.* All traffic goes to `{OLD}`."),
        (
            Event(kind=EventKind.DRIFTED, at=NOON, weight=25, reason="`kubectl-edit` changed it."),
            f"*Paused because somebody else wrote to the route*: `kubectl-edit` changed it. <@{ALICE}> started it.",
        ),
        (
            Event(kind=EventKind.NO_WAY_BACK, at=NOON, weight=25, reason="No picker."),
            f"*The old pool `{OLD}` cannot take traffic back*: No picker.",
        ),
        (
            Event(kind=EventKind.NO_WAY_BACK, at=NOON, weight=0, reason="No picker."),
            f"*All traffic goes to the old pool `{OLD}`, which cannot serve*: No picker.",
        ),
        (Event(kind=EventKind.HELD_ON, at=NOON, weight=25, reason="No."), "Still held at 25 %: No."),
    ],
)
def test_the_starter_is_mentioned_where_it_stops_by_itself(event: Event, told: str) -> None:
    assert head(event) == f"`{NEW}`: {told}"


def test_a_message_goes_into_the_channel_as_the_policy_says() -> None:
    quiet = Tell(stops=Audience.THREAD, steps=Audience.MENTION)
    assert [is_broadcast([GATE, STEPPED], tell) for tell in (Tell(), quiet)] == [True, True]
    assert [is_broadcast([GATE], tell) for tell in (Tell(), quiet)] == [True, False]
    assert [is_broadcast([STARTED, STEPPED], tell) for tell in (Tell(), quiet)] == [False, True]
    note = message([STEPPED], an_entry(), ANYBODY, first=1, tell=quiet)
    assert note.text == f"{NEW}: Stepped to 25 %. <@{ALICE}> started it."


def test_the_channel_hears_everything_in_order_and_nothing_twice() -> None:
    at = date(0, "{time}", "12:00 UTC")
    note = message([STEPPED, WANTED], an_entry(awaiting()), ANYBODY, first=1)
    wanted = f"`{NEW}`: *50 % needs approval*. It waits for any full member but the starter."
    assert [block["text"]["text"] for block in note.blocks] == [f"{at}  Stepped to *25 %*.\n{at}  {wanted}"]
    assert note.text == f"{NEW}: 50 % needs approval. It waits for any full member but the starter."


def test_the_result_of_an_approval_is_not_told_as_the_approvers_own_step() -> None:
    approved = Event(kind=EventKind.APPROVED, at=NOON, by=BOB, weight=100)
    promoted = replace(approved, kind=EventKind.PROMOTED)
    note = message([approved, promoted], an_entry(), ANYBODY, first=1)
    at = date(0, "{time}", "12:00 UTC")
    assert [block["text"]["text"] for block in note.blocks] == [
        f"{at}  `{NEW}`: *100 % approved by <@{BOB}>.* All traffic goes to the new pool."
    ]
    stepped = [replace(approved, weight=50), replace(approved, kind=EventKind.STEPPED, weight=50)]
    assert drawn(stepped) == [
        f"{at}  <@{BOB}> approved 50 %.",
        f"{at}  Stepped to *50 %*.",
    ]


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (Event(kind=EventKind.REMINDER, at=NOON, weight=25, reason="No."), "Reminder: it still waits at 25 %: No."),
        (Event(kind=EventKind.ENDED, at=NOON, weight=25, reason="HTTPRoute is gone."), "Ended: HTTPRoute is gone."),
        (Event(kind=EventKind.ENDED, at=NOON, by=BOB, weight=25), f"<@{BOB}> ended it and left the weights."),
        (
            Event(kind=EventKind.PROMOTED, at=NOON, by=BOB, weight=100),
            f"*<@{BOB}> promoted it.* All traffic goes to the new pool.",
        ),
        (Event(kind=EventKind.FINISHED, at=NOON, weight=100), f"*Finished.* The route dropped `{OLD}`."),
    ],
)
def test_an_event_is_told_as_it_was_then(event: Event, told: str) -> None:
    assert drawn([event]) == [f"{date(0, '{time}', '12:00 UTC')}  {told}"]


@pytest.mark.parametrize("kind", list(EventKind))
def test_every_kind_of_event_has_a_sentence(kind: EventKind) -> None:
    note = message([Event(kind=kind, at=NOON, weight=25, reason="why")], an_entry(), ANYBODY, first=3)
    assert note.blocks[0]["block_id"] == "event:r-7f3a2c01:3-3"
    assert faults(note.text, note.blocks) == []
    assert "why" in note.text


def test_status_of_several_is_a_line_each() -> None:
    two = [an_entry(), an_entry(a_rollout(id="r-2", phase=Phase.PAUSED))]
    assert mrkdwn(replies.status(two, ANYBODY)).split("\n") == [
        f"`{NEW}`  25 %  ·  `default/llm-route`  ·  r-7f3a2c01  ·  <#{ROOM}>",
        f"`{NEW}`  25 %, paused  ·  `default/llm-route`  ·  r-2  ·  <#{ROOM}>",
    ]
    over = an_entry(in_phase(Phase.ROLLED_BACK))
    assert replies.status([over, *two], ANYBODY) == replies.status(two, ANYBODY)
    assert replies.status([over, over], ANYBODY) == replies.detail(over, ANYBODY)
