"""Somebody else writes our weights: what people at Slack see of it, and the three ways out."""

from tests.builders import ALICE, BOB, CANARY, CAROL, STABLE
from tests.scenarios.play import Play

DRIFTED = "*Paused because somebody else wrote to the route*: "


def test_drift_is_shown_and_adopted_restored_or_rolled_back(play: Play) -> None:
    before = play.spec()
    play.bot()
    play.start(f"{CANARY} 10 every=1h")
    play.see("10 %")
    play.world.edit_weights(60, 40)
    play.see("paused")
    (state,) = [block["text"]["text"] for block in play.card()["blocks"] if block["block_id"].endswith("state")]
    assert "`kubectl-edit` changed the weights (old/new): 90/10 before, 60/40 now. Written <!date^" in state
    play.press("adopt")
    play.see("40 %")
    play.world.edit_weights(100, 0, by="argocd-controller")
    play.press("restore")
    play.until("40 % again", lambda: play.world.weights() == [(STABLE, 60), (CANARY, 40)])
    play.world.edit_weights(100, 0, by="argocd-controller")
    undone = f"{DRIFTED}`argocd-controller` changed the weights (old/new): 60/40 before, 100/0 now."
    play.until("undone twice", lambda: play.thread().count(undone) == 2)
    play.press("rollback", CAROL)
    play.see("rolled back")
    assert play.spec() == before
    play.tells(
        f"<@{ALICE}> started the rollout at 10 %, from `{STABLE}`.",
        f"{DRIFTED}`kubectl-edit` changed the weights (old/new): 90/10 before, 60/40 now.",
        f"<@{BOB}> adopted 40 %.",
        undone,
        f"<@{BOB}> restored 40 %.",
        undone,
        f"*<@{CAROL}> rolled back.* All traffic goes to `{STABLE}`.",
    )
