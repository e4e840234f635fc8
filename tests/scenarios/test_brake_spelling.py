"""A brake that somebody types in a hurry works, however it is spelled."""

from collections.abc import Iterator
from typing import NoReturn

import pytest

from bot.domain.errors import StoreError
from bot.domain.rollout import Phase
from bot.domain.sentences.what_happened import told
from sandbox.strict_slack import strict_slack
from tests.builders import CANARY, STABLE
from tests.scenarios.front import ROOM, Front
from tests.stage import Stage

LONG = "🔥 p99 " * 1500
CUT = f"{LONG[:2999].rstrip()}…"

TYPED = {
    "rollback OOM-kills everywhere": "OOM-kills everywhere",
    f"Rollback! {CANARY.title()}: 5xx": "5xx",
    f"roll back “{CANARY}” namespace=models 5xx=3%": "namespace=models 5xx=3%",
    "rollback <@U0BOB00001|bob> said\nso :fire: 🔥 &lt;now&gt;": "@bob said so :fire: 🔥 <now>",
    "rollback pool=Vllm_New pool= --pool": "pool=Vllm_New",
}


@pytest.fixture
def front(stage: Stage) -> Iterator[Front]:
    with strict_slack() as slack:
        front = Front(stage, slack)
        yield front
        front.handlers.close()


@pytest.mark.parametrize(("text", "reason"), TYPED.items(), ids=TYPED)
def test_a_brake_is_done_and_its_odd_words_are_the_reason(front: Front, text: str, reason: str) -> None:
    rollout_id = front.stage.started(10).rollout.id
    assert front.types(text) == [f"Done: `{CANARY}` is rolled back and all traffic goes to `{STABLE}` again."]
    after = front.stage.load(rollout_id).rollout
    assert (after.phase, after.why, front.stage.world.weights()) == (Phase.ROLLED_BACK, reason, [(STABLE, 1)])


TOO_LONG = (
    f"The reason was too long: I left its last {len(LONG.strip()) - len(CUT) + 1:,} characters out, "
    "so put them in the thread."
)


def test_a_reason_that_is_too_long_is_cut_and_that_is_said(front: Front) -> None:
    front.stage.started(10)
    assert front.acknowledged(f"rollback {LONG}") == f"Got it: `rollback`. {TOO_LONG}"
    front.handlers.close()
    note = front.stage.note()
    assert note is not None
    assert (note.phase, note.why) == (Phase.ROLLED_BACK, CUT)


def test_so_it_is_while_redis_is_away(front: Front) -> None:
    front.stage.started(10)
    front.stage.memory.always("receive", away)
    assert front.acknowledged(f"rollback {LONG}") == (
        f"Redis does not answer. I roll back from the record on the route and tell the channel. {TOO_LONG}"
    )
    front.handlers.close()
    note = front.stage.note()
    assert note is not None
    assert (note.phase, note.why) == (Phase.ROLLED_BACK, CUT)


@pytest.mark.parametrize("redis_is_away", [False, True])
def test_where_slack_does_not_say_who_rolls_back_everybody_reads_that(front: Front, redis_is_away: bool) -> None:
    rollout_id = front.stage.started(10).rollout.id
    front.slack.faults.begin("lost", method="users.info")
    if redis_is_away:
        front.stage.memory.always("receive", away)
    front.acknowledged("rollback p99")
    front.handlers.close()
    entry = front.stage.load(rollout_id)
    thread = [str(sentence) for sentence in told(front.stage.store.events(rollout_id, 0), entry)]
    posted = [str(message["text"]) for message in front.slack.cards(ROOM)]
    (line,) = [text for text in (*thread, *posted) if "rolled back" in text]
    assert "(not checked: Slack did not say who that is) rolled back" in line
    assert front.stage.world.weights() == [(STABLE, 1)]


def away() -> NoReturn:
    raise StoreError("Redis does not answer.")
