"""Whole stories: people at Slack, Socket Mode, the bot's own process, Valkey, the API server, the card."""

import json
from typing import Any

from bot.store.connection import connect
from tests.builders import ALICE, BOB, CANARY, CAROL, STABLE
from tests.memory import PREFIX
from tests.scenarios.play import Play, ended

POOL = {"group": "inference.networking.k8s.io", "kind": "InferencePool"}
STARTED = f"<@{ALICE}> started the rollout at 10 %, from `{STABLE}`."
AT_25 = "Stepped to *25 %*."
ASKED = "*50 % needs approval*."
TO_25 = [STARTED, AT_25, ASKED]
APPROVED = [f"<@{BOB}> approved 50 %.", "Stepped to *50 %*."]
FINISHED = ["*Promoted.* All traffic goes to the new pool.", f"*Finished.* The route dropped `{STABLE}`."]
WHOLE = [*TO_25, *APPROVED, *FINISHED]
WEIGHTS_WRITTEN = 5
"""10, 25, 50 and 100 %, and the old pool leaves: no rollout of these stories writes the weights more often."""


def the_guide(*pools: tuple[str, int]) -> dict[str, Any]:
    """Return the spec of the route as the guide's examples have it."""
    gateway = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "inference-gateway"}
    refs = [{**POOL, "name": name, "weight": weight} for name, weight in pools]
    matches = [{"path": {"type": "PathPrefix", "value": "/"}}]
    return {"parentRefs": [gateway], "rules": [{"backendRefs": refs, "matches": matches}]}


def to_25(play: Play) -> str:
    """Start a rollout that asks for approval at 25 %; return its card's ts."""
    play.start()
    play.see("25 %, wants 50 %")
    return str(play.card()["ts"])


def assert_whole(play: Play, card: str) -> None:
    """Wait for the end: the guide's route, one card and it is the same, every event and every step once."""
    play.see("100 %, finished", seconds=30)
    play.tells(*WHOLE)
    assert play.spec() == the_guide((CANARY, 100))
    assert (play.card()["ts"], play.changes()) == (card, WEIGHTS_WRITTEN)


def test_a_rollout_from_the_first_word_to_the_guides_last_route(play: Play) -> None:
    play.bot()
    play.start()
    play.until("10 %", lambda: play.spec() == the_guide((STABLE, 90), (CANARY, 10)))
    play.see("25 %, wants 50 %")
    play.press("approve", ALICE)
    play.told("You started this rollout, so your approval does not count. `why` says whose does.")
    assert play.world.weights() == [(STABLE, 75), (CANARY, 25)]
    play.press("approve", BOB)
    assert_whole(play, play.card()["ts"])


def test_a_roll_back_leaves_the_spec_as_it_was_byte_for_byte(play: Play) -> None:
    before = json.dumps(play.spec())
    play.bot()
    to_25(play)
    play.press("rollback", CAROL)
    play.see("rolled back")
    assert json.dumps(play.spec()) == before
    play.tells(*TO_25, f"*<@{CAROL}> rolled back.* All traffic goes to `{STABLE}`.")


def test_kill_9_and_a_restart_go_on_with_the_same_card(play: Play) -> None:
    bot = play.bot()
    play.start()
    play.until("a card", lambda: bool(play.cards()))  # on a busy machine it may be later than the first step
    card = play.card()["ts"]
    bot.server.kill()
    with connect(play.redis_url) as client:
        client.delete(f"{PREFIX}lease")  # as if the dead one's had run out: test_leadership.py waits for that
    bot.start()
    play.until("25 % by the next one's timer", lambda: play.world.weights()[-1] == (CANARY, 25))
    play.press("approve", BOB)
    assert_whole(play, card)


def test_sigterm_ends_it_cleanly_and_the_next_one_goes_on(play: Play) -> None:
    bot = play.bot()
    card = to_25(play)
    play.press("approve", BOB)
    play.until("50 %", lambda: play.world.weights() == [(STABLE, 50), (CANARY, 50)])
    assert ended(bot, seconds=10) == 0
    play.bot()
    assert_whole(play, card)


def test_every_verb_by_its_word(play: Play) -> None:
    play.bot()
    play.start(f"{CANARY} 10 every=1h bake=1h")
    play.see("10 %")
    play.say("pause looking at the latency")
    play.see("10 %, paused")
    play.say("resume")
    play.see("10 %")
    play.offers("advance")
    play.say("advance")
    play.see("25 %")
    play.offers("advance")
    play.say("advance")
    play.see("25 %, wants 50 %")
    play.say(f"reject {CANARY} p99 doubled")
    play.see("25 %, paused")
    play.say("resume")
    play.see("25 %, wants 50 %")
    play.say("promote")
    play.hears("*100 % needs approval*.")
    play.say("approve")
    play.see("100 %")
    play.offers("finish")
    play.say("finish")
    play.see("100 %, finished")
    play.say("end")
    play.see("ended")
    assert play.spec() == the_guide((CANARY, 100))
    play.tells(
        STARTED,
        f"<@{BOB}> paused it at 10 %: “looking at the latency”",
        f"<@{BOB}> resumed it.",
        f"<@{BOB}> stepped to *25 %*.",
        ASKED,
        f"<@{BOB}> rejected the step; paused at 25 %: “p99 doubled”",
        f"<@{BOB}> resumed it.",
        ASKED,
        "*100 % needs approval*.",
        f"*100 % approved by <@{BOB}>.* All traffic goes to the new pool.",
        f"*<@{BOB}> finished it.* The route dropped `{STABLE}`.",
        f"<@{BOB}> ended it and left the weights.",
    )


def test_a_rejection_by_button_asks_why_in_a_dialog(play: Play) -> None:
    play.bot()
    to_25(play)
    play.press("reject", BOB)
    assert play.dialog() == "Reject this step"
    play.submit("p99 doubled & <more>", BOB)
    play.see("25 %, paused")
    play.tells(*TO_25, f"<@{BOB}> rejected the step; paused at 25 %: “p99 doubled &amp; &lt;more&gt;”")
