from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.access import Access
from bot.domain.events import Event, EventKind
from bot.domain.gate import MOST_ROUTES
from bot.domain.rollout import Acceptance, Ask, Entry, Hand, Phase, Rollout, Trouble
from bot.domain.weights import weight_there
from handlers.board.rollout_topic import RolloutTopic
from handlers.buttons import drawn
from handlers.cards import Card, draw
from handlers.mrkdwn import mrkdwn
from handlers.plan_line import plan_line
from sandbox.strict_slack.block_kit import faults
from tests.builders import ALICE, BOB, CAROL, DRIFT, NOON
from tests.handlers.records import (
    ANYBODY,
    NEW,
    OLD,
    TAKEN_OVER,
    a_rollout,
    an_entry,
    applied,
    awaiting,
    drifting,
    in_phase,
    ready,
)

UNREACHABLE = Trouble(since=NOON, reason="The API server did not answer.", attempts=4)


def card(entry: Entry, access: Access = ANYBODY) -> Card:
    return draw(entry, access, n=1)


def title(entry: Entry) -> str:
    return str(card(entry).blocks[0]["text"]["text"])


def part(entry: Entry, name: str, access: Access = ANYBODY) -> str:
    """Return the text of the block whose id ends in ``name``; empty if it is not drawn."""
    found = [block for block in card(entry, access).blocks if block["block_id"].endswith(f":{name}")]
    texts = [block.get("text") or block["elements"][0] for block in found]
    return str(texts[0]["text"]) if texts else ""


def date(minutes: float, style: str, fallback: str) -> str:
    return f"<!date^{int((NOON + timedelta(minutes=minutes)).timestamp())}^{style}|{fallback}>"


MARK = "card:r-7f3a2c01:1.3"


def section(name: str, text: str) -> dict[str, object]:
    return {"type": "section", "block_id": f"{MARK}:{name}", "text": marked(text), "expand": True}


def context(name: str, *lines: str) -> dict[str, object]:
    return {"type": "context", "block_id": f"{MARK}:{name}", "elements": [marked("\n".join(lines))]}


def marked(text: str) -> dict[str, object]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def test_the_whole_card_of_a_rollout_on_its_way() -> None:
    drawn = card(an_entry(a_rollout(step=0)))
    due, began = date(10, "{time}", "12:10 UTC"), date(-25, "{date_short_pretty} at {time}", "23 Nov 11:35 UTC")
    title = {"type": "plain_text", "text": f"{NEW}  ·  10 %", "emoji": False}
    assert drawn.text == f"{NEW}: 10 %. Next: 25 % at {due}. Now 10 % new, 90 % {OLD}."
    assert [block for block in drawn.blocks if block["type"] != "actions"] == [
        {"type": "header", "block_id": MARK, "text": title},
        section("state", f"*Next: 25 %* at {due}."),
        section("weights", "▰▱▱▱▱▱▱▱▱▱▱▱  *10 %* new · 90 % old\n*10* → 25 → 50 🔒 → 100 🔒"),
        context(
            "facts",
            f"🔒 needs 1 approval from any full member but <@{ALICE}>",
            "Ready: new 4/4, old 8/8  ·  a step every 10m",
            f"Old pool `{OLD}`",
            "Route `default/llm-route`, accepted",
        ),
        context("origin", f"<@{ALICE}> started it {began}  ·  r-7f3a2c01  ·  “H100 nodes”"),
    ]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (an_entry(), f"{NEW}  ·  25 %"),
        (an_entry(applied=applied(10)), f"{NEW}  ·  10 % → 25 %"),
        (an_entry(applied=None), f"{NEW}  ·  0 % → 25 %"),
        (an_entry(in_phase(Phase.ROLLED_BACK), applied=applied(25)), f"{NEW}  ·  25 % → 0 %"),
        (an_entry(in_phase(Phase.ROLLED_BACK)), f"{NEW}  ·  rolled back"),
        (an_entry(awaiting()), f"{NEW}  ·  25 %, wants 50 %"),
        (an_entry(TAKEN_OVER, applied=None), f"{NEW}  ·  20 % → 25 %"),
        (an_entry(replace(TAKEN_OVER, phase=Phase.PAUSED, step=-1)), f"{NEW}  ·  20 %, paused"),
        (an_entry(in_phase(Phase.PAUSED)), f"{NEW}  ·  25 %, paused"),
        (an_entry(a_rollout(phase=Phase.PAUSED, drift=DRIFT)), f"{NEW}  ·  paused"),
        (an_entry(in_phase(Phase.REFUSED), applied=None), f"{NEW}  ·  not started"),
    ],
)
def test_the_title_shows_what_the_route_has_and_what_is_wanted(entry: Entry, said: str) -> None:
    assert title(entry) == said


def test_a_wanted_weight_that_is_not_written_says_since_when_and_why() -> None:
    since = date(0, "{date_short_pretty} at {time}", "23 Nov 12:00 UTC")
    entry = an_entry(applied=applied(10), trouble=UNREACHABLE)
    assert part(entry, "state") == (
        "*25 % is wanted.* The route had *10 %* when last seen.\n"
        f"Not written since {since}: The API server did not answer. I keep trying as long as the gates pass ⚠️"
    )
    assert part(entry, "weights").startswith("▰▱▱▱▱▱▱▱▱▱▱▱  *10 %* new · 90 % old\n*10* → 25")


def test_a_pause_that_is_not_written_is_told_without_a_weight() -> None:
    entry = an_entry(in_phase(Phase.PAUSED), applied=applied(25), trouble=UNREACHABLE)
    since = date(0, "{date_short_pretty} at {time}", "23 Nov 12:00 UTC")
    assert part(entry, "state").endswith(
        f"\nMy note on the route has not been written since {since}: The API server did not answer. I keep trying ⚠️"
    )
    assert title(entry) == f"{NEW}  ·  25 %, paused"


def test_a_step_that_is_near_is_told_to_the_second() -> None:
    due = date(0.5, "{time_secs}", "12:00:30 UTC")
    assert (
        part(an_entry(a_rollout(step=0), step_due=NOON + timedelta(seconds=30)), "state") == f"*Next: 25 %* at {due}."
    )


def test_while_a_far_step_is_asked_for_the_plan_shows_no_step_between() -> None:
    asked = an_entry(a_rollout(phase=Phase.AWAITING_APPROVAL, step=0, ask=Ask(id="a1", step=3)))
    assert part(asked, "weights").endswith("\n*10* → 100 🔒")


def test_a_canary_that_is_taken_over_is_shown_with_what_it_has() -> None:
    assert part(an_entry(TAKEN_OVER, applied=None), "weights").startswith("▰▰▱▱▱▱▱▱▱▱▱▱  *20 %* new · 80 % old\n")
    nothing_written = an_entry(replace(TAKEN_OVER, phase=Phase.REFUSED), applied=applied(0))
    assert weight_there(nothing_written) == 20


@pytest.mark.parametrize("phase", [Phase.ROLLED_BACK, Phase.ENDED, Phase.PROGRESSING])
def test_a_missing_rule_is_told_even_when_the_rollout_is_over(phase: Phase) -> None:
    trouble = Trouble(
        since=NOON, reason="I could not find rule `chat` on the route, so nothing was written there.", attempts=0
    )
    told = part(an_entry(in_phase(phase), trouble=trouble), "state")
    assert told.endswith("\nI could not find rule `chat` on the route, so nothing was written there. ⚠️")


def test_a_roll_back_says_from_where_and_what_is_next() -> None:
    since = date(0, "{date_short_pretty} at {time}", "23 Nov 12:00 UTC")
    assert part(an_entry(in_phase(Phase.ROLLED_BACK)), "state") == (
        f"*Rolled back from 25 % by <@{BOB}>* {since}: errors on the new nodes.\n`start` it to try again."
    )


@pytest.mark.parametrize(
    ("by", "told"),
    [
        (
            BOB,
            f"*Ended by <@{BOB}>* SINCE: HTTPRoute is mine. I no longer manage the route; "
            "the weights stay as they were then, 25 % new.\n"
            "`rollback` works until another rollout starts on the route.",
        ),
        ("", "*Ended* SINCE: HTTPRoute is mine. I no longer manage the route."),
    ],
)
def test_an_end_without_a_person_says_nothing_about_weights(by: str, told: str) -> None:
    since = date(0, "{date_short_pretty} at {time}", "23 Nov 12:00 UTC")
    entry = an_entry(replace(in_phase(Phase.ENDED), by=by, why="HTTPRoute is mine."))
    assert part(entry, "state") == told.replace("SINCE", since)


def test_drift_says_who_what_when_and_what_each_way_out_writes() -> None:
    written = date(0, "{date_short_pretty} at {time}", "23 Nov 12:00 UTC")
    assert part(an_entry(drifting()), "state") == (
        "*Paused: somebody else wrote to the route.* `kubectl-edit` changed the weights (old/new): 75/25 before, "
        f"60/40 now. Written {written}. It stays as it is.\n"
        "Restore writes 25 % again. Adopt goes on from what is there."
    )


def test_a_fight_says_what_ends_it_and_offers_no_third_restore() -> None:
    hand = Hand(manager="argocd-controller", rule="Add the rule.")
    entry = an_entry(drifting(hand, restored=("argocd-controller", "argocd-controller")))
    assert part(entry, "state") == (
        "*Paused: somebody else wrote to the route.* You are fighting `argocd-controller`, which undid 2 restores "
        "(changed the weights (old/new): 75/25 before, 60/40 now). Add the rule. It stays as it is.\n"
        "When that is done, type `restore` to write 25 % again. Adopt goes on from what is there."
    )
    assert [verb.name for verb in drawn(entry)] == ["rollback", "adopt", "end", "why"]


def test_over_a_rule_that_is_gone_no_restore_is_offered() -> None:
    entry = an_entry(drifting(found=(None,)))
    assert part(entry, "state").endswith(
        "It stays as it is.\n"
        "A rule of the rollout, or the old pool in it, is gone from the route: put it back, or roll back."
    )
    assert [verb.name for verb in drawn(entry)] == ["rollback", "end", "why"]


def test_resumed_after_a_drift_nothing_is_said_to_be_written() -> None:
    entry = an_entry(applied=applied(25), step_due=None, acceptance=Acceptance.WAITING)
    assert part(entry, "state") == "*25 % is wanted* and not on the route yet."


def test_the_legend_of_the_lock_stays_during_an_ask() -> None:
    assert part(an_entry(awaiting()), "facts").startswith("🔒 needs 1 approval from any full member but")


def test_an_approval_names_who_is_asked_and_who_has_given_it() -> None:
    access = Access(approve=frozenset({ALICE, BOB, "U0CAROL001"}))
    rollout = awaiting(plan=replace(a_rollout().plan, approvals=2))
    entry = an_entry(replace(rollout, ask=Ask(id="a", step=2, approvals=(BOB,))))
    assert part(entry, "state", access).startswith(
        f"*50 % needs 1 approval* from <@U0CAROL001>. Approved by <@{BOB}> already.\nIt pauses "
    )


def test_weights_that_are_not_ours_are_not_drawn() -> None:
    entry = an_entry(a_rollout(phase=Phase.PAUSED, drift=DRIFT))
    assert "▰" not in part(entry, "weights")
    assert "25 % new" not in card(entry).text


def test_other_routes_that_send_to_the_old_pool_are_on_the_card_until_the_end() -> None:
    rollout = a_rollout()
    routes = (f"{rollout.namespace}/{rollout.route}", "default/chat-batch-route")
    seen = replace(ready(), stable_routes=routes)
    assert f"Old pool `{OLD}`, also of `default/chat-batch-route`\n" in part(an_entry(readiness=seen), "facts")
    finished = an_entry(a_rollout(phase=Phase.FINISHED), readiness=replace(seen, at=NOON - timedelta(seconds=1)))
    assert part(finished, "state") == (
        f"*Finished.* The route holds only the new pool. `default/chat-batch-route` still sends to `{OLD}`."
    )


def test_other_rules_of_the_same_route_that_send_to_the_old_pool_are_on_the_card_after_the_finish() -> None:
    rollout = a_rollout(phase=Phase.FINISHED)
    seen = replace(ready(), stable_routes=(f"{rollout.namespace}/{rollout.route}",), at=NOON)
    assert part(an_entry(rollout, readiness=seen), "state") == (
        f"*Finished.* The rollout's rules hold only the new pool. `default/llm-route` still sends to `{OLD}`."
    )


def test_many_other_routes_fit_on_the_card_and_after_the_finish() -> None:
    seen = replace(ready(), stable_routes=tuple(f"default/{'r' * 240}-{number}" for number in range(MOST_ROUTES)))
    for entry in (an_entry(readiness=seen), an_entry(a_rollout(phase=Phase.FINISHED), readiness=seen)):
        assert faults(card(entry).text, card(entry).blocks) == []
    names = ", ".join(f"`default/r{number}`" for number in range(10))
    for count, more in ((10, ""), (11, ", and more"), (MOST_ROUTES, ", and more")):
        few = replace(ready(), stable_routes=tuple(f"default/r{number}" for number in range(count)))
        finished = part(an_entry(a_rollout(phase=Phase.FINISHED), readiness=few), "state")
        assert finished == (
            f"*Finished.* The route holds only the new pool. `{OLD}` still has traffic from {names}{more}."
        )


def test_an_old_pool_that_cannot_serve_is_said_loudly() -> None:
    facts = part(an_entry(readiness=ready(stable=0)), "facts")
    assert "⚠️ *The old pool cannot take traffic back:* it has no ready endpoint.\n" in facts
    lacks = replace(ready(), stable_lack="Service `default/epp` has no port 8000.")
    facts = part(an_entry(a_rollout(phase=Phase.ROLLED_BACK), readiness=lacks), "facts")
    assert "⚠️ *The old pool cannot serve:* Service `default/epp` has no port 8000.\n" in facts


def test_a_new_pool_that_cannot_serve_is_said_unless_the_state_says_so() -> None:
    seen = replace(ready(), canary_lack="No pod is Ready.")
    said = [
        "*The new pool cannot serve:* No pod is Ready." in part(an_entry(rollout, readiness=seen), "facts")
        for rollout in (
            a_rollout(),
            in_phase(Phase.PAUSED),
            in_phase(Phase.HOLDING),
            in_phase(Phase.ROLLED_BACK),
            a_rollout(step=-1),
        )
    ]
    assert said == [True, True, False, False, True]


def test_other_peoples_words_are_no_markup() -> None:
    entry = an_entry(a_rollout(reason="<!channel> & <@U1>\nnew line"))
    assert part(entry, "origin").endswith("“&lt;!channel&gt; &amp; &lt;@U1&gt; new line”")


def test_long_names_keep_the_end_that_tells_them_apart() -> None:
    rollout = a_rollout(canary=replace(a_rollout().canary, name="a" * 240 + "-new"))
    assert title(an_entry(rollout)).endswith("aaa-new  ·  25 %")
    assert faults(card(an_entry(rollout)).text, card(an_entry(rollout)).blocks) == []


def test_a_long_plan_shows_what_is_near() -> None:
    plan = replace(a_rollout().plan, steps=tuple(range(1, 101)), approve_at=())
    line = mrkdwn(plan_line(an_entry(a_rollout(plan=plan, step=49))))
    assert line == "1 ✓ → … → 49 ✓ → *50* → 51 → 52 → 53 → … → 100"


def test_a_plan_that_is_done_is_not_drawn() -> None:
    """After `promote` its steps never were."""
    done = a_rollout(phase=Phase.PAUSED, left=Phase.PROMOTED, step=3)
    assert part(an_entry(done), "weights") == "▰▰▰▰▰▰▰▰▰▰▰▰  *100 %* new · 0 % old"


def test_a_finished_card_names_who_approved() -> None:
    given = [(BOB, 50), (CAROL, 50), (BOB, 100), (BOB, 100)]
    approvals = [Event(kind=EventKind.APPROVED, at=NOON, by=by, weight=weight) for by, weight in given]
    card = draw(an_entry(in_phase(Phase.FINISHED)), ANYBODY, n=1, past=approvals)
    origin = card.blocks[-1]["elements"][0]["text"]
    assert origin.split("\n")[1:] == [f"Approved by <@{BOB}> (50 %, 100 %) and <@{CAROL}> (50 %)"]


def test_the_most_approvals_fit_on_a_card() -> None:
    users = [f"U{number:010}" for number in range(40)]
    approvals = [Event(kind=EventKind.APPROVED, at=NOON, by=by, weight=mark) for by in users for mark in range(1, 101)]
    card = draw(an_entry(in_phase(Phase.FINISHED)), ANYBODY, n=1, past=approvals)
    assert faults(card.text, card.blocks) == []
    assert card.blocks[-1]["elements"][0]["text"].endswith("and 30 more")


def warned(count: int, rollout: Rollout) -> list[str]:
    """Return the lines that a card has of so many warnings of its start."""
    past = [Event(kind=EventKind.WARNED, at=NOON, reason=f"Warning {number} of `chat`.") for number in range(count)]
    topic = RolloutTopic(an_entry(rollout), ANYBODY, lambda after: past)
    blocks = [block for block in topic.draw(1).blocks if block["block_id"].endswith(":warned")]
    return [line for block in blocks for line in block["elements"][0]["text"].split("\n")]


def test_a_card_shows_what_the_start_warned_of_until_the_second_step() -> None:
    first, second, third = (f"⚠️ Warning {number} of `chat`." for number in range(3))
    starting, later = replace(in_phase(Phase.STARTING), step=0), replace(in_phase(Phase.PROGRESSING), step=1)
    assert warned(0, starting) == []
    assert warned(1, starting) == [first]
    assert warned(5, starting) == [first, second, third, "2 more in the thread"]
    assert warned(1, later) == []
    assert warned(1, replace(in_phase(Phase.ROLLED_BACK), step=0)) == []


def test_the_longest_warnings_fit_on_a_card() -> None:
    past = [Event(kind=EventKind.WARNED, at=NOON, reason="<@&" * 3000)] * 9
    card = draw(an_entry(replace(in_phase(Phase.STARTING), step=0)), ANYBODY, n=1, past=past)
    assert faults(card.text, card.blocks) == []


def test_the_same_record_is_the_same_card() -> None:
    assert card(an_entry()) == card(an_entry())


def test_only_the_card_of_a_rollout_that_is_through_asks_for_approvals() -> None:
    given = Event(kind=EventKind.APPROVED, at=NOON, by=BOB, weight=50)
    asked: list[int] = []

    def events(after: int) -> list[Event]:
        asked.append(after)
        return [replace(given, kind=EventKind.STARTED), given]

    topics = [RolloutTopic(an_entry(in_phase(phase)), ANYBODY, events) for phase in (Phase.FINISHED, Phase.PAUSED)]
    origins = [topic.draw(1).blocks[-1]["elements"][0]["text"] for topic in topics]
    assert ([f"Approved by <@{BOB}> (50 %)" in origin for origin in origins], asked) == ([True, False], [0])
