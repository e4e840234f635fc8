"""What a rollout does about a gateway's status: whose word it is, what of it is new, and what it proves."""

from collections.abc import Callable

import pytest

from bot.domain.plan import ALL_STEPS, Wishes
from bot.domain.rollout import Acceptance, Phase
from sandbox.gateway import Answer, same_status
from sandbox.process import wait_until
from sandbox.robot import Robot
from tests.builders import BOB, CANARY, STABLE
from tests.stage import Stage
from tests.statuses import GOOD, NO_BACKEND, OTHER, Json, a_condition, an_entry, writes


def say(stage: Stage, robot: Robot, *entries: Json) -> None:
    """Have the gateway write these entries from now on, and wait until they stand there."""
    robot.answer = Answer(parents=writes(*entries))
    wait_said(stage, writes(*entries))


def wait_said(stage: Stage, parents: Callable[[Json], list[Json]]) -> None:
    def is_there() -> bool:
        route = stage.world.http_route()
        return same_status(route.get("status") or {}, {"parents": parents(route)})

    wait_until("the gateway's status", is_there, seconds=5)


def begun(stage: Stage, robot: Robot, *entries: Json) -> str:
    """Start at 10 % under a gateway that says this before and after, and let the rollout hear it."""
    say(stage, robot, *entries)
    rollout_id = stage.start(10).rollout.id
    wait_said(stage, writes(*entries))
    stage.pass_time(seconds=1)
    return rollout_id


def warnings(stage: Stage, rollout_id: str) -> list[str]:
    return [event.reason for event in stage.store.events(rollout_id, 0) if event.kind.value == "warned"]


def step(stage: Stage, robot: Robot, *entries: Json) -> None:
    """Let one interval pass, and the gateway say this of what came of it."""
    stage.pass_time(minutes=10)
    wait_said(stage, writes(*entries))
    stage.pass_time(seconds=1)


FOREIGN = an_entry(a_condition("Accepted", "False", "NoMatchingParent", "not managed here"), GOOD[1], controller=OTHER)


def test_the_word_of_another_controller_is_a_note_and_rolls_nothing_back(stage: Stage, robot: Robot) -> None:
    rollout_id = begun(stage, robot, an_entry(*GOOD), FOREIGN)
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.acceptance) == (Phase.PROGRESSING, Acceptance.ACCEPTED)
    assert stage.world.weights() == [(STABLE, 90), (CANARY, 10)]
    assert warnings(stage, rollout_id) == [
        f"Controller `{OTHER}` says no for Gateway `{stage.world.namespace}/inference-gateway`, which is another "
        "controller's: that does not count."
    ]


def test_only_the_gateways_own_controller_accepts(stage: Stage, robot: Robot) -> None:
    rollout_id = begun(stage, robot, an_entry(*GOOD, controller=OTHER))
    assert stage.load(rollout_id).acceptance is Acceptance.WAITING


TWO = [{"name": "inference-gateway", "sectionName": "http"}, {"name": "inference-gateway", "sectionName": "old"}]
OF_HTTP = an_entry(*GOOD, sectionName="http")
OF_OLD = an_entry(a_condition("Accepted", "False", "NoMatchingListenerHostname", "no host"), GOOD[1], sectionName="old")


def test_a_parent_that_refused_before_the_start_is_told_and_the_rollout_runs(stage: Stage, robot: Robot) -> None:
    stage.world.edit({"spec": {"parentRefs": TWO}})
    rollout_id = begun(stage, robot, OF_HTTP, OF_OLD)
    assert warnings(stage, rollout_id) == [
        f"Listener `old` of Gateway `{stage.world.namespace}/inference-gateway`: Accepted is False "
        "(NoMatchingListenerHostname): no host. It was so before this rollout."
    ]
    step(stage, robot, OF_HTTP, OF_OLD)
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.acceptance) == (Phase.PROGRESSING, Acceptance.ACCEPTED)
    assert stage.world.weights() == [(STABLE, 75), (CANARY, 25)]


def test_a_refusal_of_one_parent_that_is_new_with_the_first_write_takes_it_back(stage: Stage, robot: Robot) -> None:
    stage.world.edit({"spec": {"parentRefs": TWO}})
    say(stage, robot, OF_HTTP, an_entry(*GOOD, sectionName="old"))
    rollout_id = stage.start(10).rollout.id
    say(stage, robot, OF_HTTP, OF_OLD)
    stage.pass_time(seconds=1)
    assert (stage.load(rollout_id).rollout.phase, stage.world.weights()) == (Phase.ROLLED_BACK, [(STABLE, 1)])


def test_a_rule_of_ours_that_the_gateway_drops_is_a_refusal(stage: Stage, robot: Robot) -> None:
    say(stage, robot, an_entry(*GOOD))
    rollout_id = stage.start(10).rollout.id
    say(stage, robot, an_entry(*GOOD, a_condition("PartiallyInvalid", "True", "UnsupportedValue", "Dropped Rule 1: x")))
    stage.pass_time(seconds=1)
    rollout = stage.load(rollout_id).rollout
    assert (rollout.phase, rollout.why) == (
        Phase.ROLLED_BACK,
        f"The gateway refused the route: Gateway `{stage.world.namespace}/inference-gateway`: PartiallyInvalid is "
        "True (UnsupportedValue): Dropped Rule 1: x",
    )


def test_a_part_of_the_route_that_is_dropped_stops_the_rollout_until_a_person_goes_on(
    stage: Stage, robot: Robot
) -> None:
    say(stage, robot, an_entry(*GOOD))
    rollout_id = stage.start(10).rollout.id
    part = an_entry(*GOOD, a_condition("PartiallyInvalid", "True", "UnsupportedValue", "some rules were dropped"))
    say(stage, robot, part)
    stage.pass_time(seconds=1)
    paused = stage.load(rollout_id)
    assert (paused.rollout.phase, paused.acceptance) == (Phase.PAUSED, Acceptance.REFUSED)
    assert paused.rollout.why == (
        f"The gateway does not take the whole route: Gateway `{stage.world.namespace}/inference-gateway`: "
        "PartiallyInvalid is True (UnsupportedValue): some rules were dropped"
    )
    stage.say("resume")
    stage.pass_time(minutes=10)
    assert stage.world.weights() == [(STABLE, 75), (CANARY, 25)]


def test_a_part_that_was_dropped_before_the_start_is_told_and_the_rollout_runs(stage: Stage, robot: Robot) -> None:
    dropped = an_entry(a_condition("Accepted", "False", "RouteRuleDropped", "Dropped Rule 2: no policy"), GOOD[1])
    rollout_id = begun(stage, robot, dropped)
    assert warnings(stage, rollout_id)[0].endswith("Dropped Rule 2: no policy. It was so before this rollout.")
    stage.pass_time(seconds=60)
    stage.pass_time(minutes=10)
    assert stage.world.weights() == [(STABLE, 75), (CANARY, 25)]


def test_a_no_that_came_while_people_were_asked_for_the_first_weight_is_no_answer_to_that_weight(
    stage: Stage, robot: Robot
) -> None:
    say(stage, robot, an_entry(*GOOD))
    rollout_id = stage.start(10, wishes=Wishes(approve_at=ALL_STEPS)).rollout.id
    no = an_entry(a_condition("Accepted", "False", "NoMatchingListenerHostname", "no listener"))
    say(stage, robot, no)
    stage.parts.ticker.hear(rollout_id)
    assert stage.load(rollout_id).rollout.phase is Phase.AWAITING_APPROVAL
    stage.say("approve", by=BOB)
    stage.wait_observed()
    stage.pass_time(seconds=61)
    assert (stage.load(rollout_id).rollout.phase, stage.world.weights()) == (
        Phase.PROGRESSING,
        [(STABLE, 90), (CANARY, 10)],
    )
    assert warnings(stage, rollout_id)[0].endswith("no listener. It was so before the first weight.")


def test_a_no_that_came_while_a_start_was_held_is_no_answer_to_its_first_weight(stage: Stage, robot: Robot) -> None:
    say(stage, robot, an_entry(*GOOD))
    stage.world.set_servers_ready(CANARY, 0)
    rollout_id = stage.start(10).rollout.id
    say(stage, robot, an_entry(a_condition("Accepted", "False", "NoMatchingListenerHostname", "no listener")))
    stage.pass_time(seconds=30)
    assert stage.load(rollout_id).rollout.phase is Phase.HOLDING
    stage.world.set_servers_ready(CANARY, 2)
    stage.pass_time(seconds=30)
    stage.wait_observed()
    stage.pass_time(seconds=61)
    assert (stage.load(rollout_id).rollout.phase, stage.world.weights()[1]) == (Phase.PROGRESSING, (CANARY, 10))


def test_a_no_that_was_over_before_the_first_weight_counts_when_it_comes_again(stage: Stage, robot: Robot) -> None:
    no = an_entry(a_condition("Accepted", "False", "NoMatchingListenerHostname", "no listener"))
    say(stage, robot, no)
    rollout_id = stage.start(10, wishes=Wishes(approve_at=ALL_STEPS)).rollout.id
    say(stage, robot, an_entry(*GOOD))
    robot.answer = Answer(silent=True)
    stage.say("approve", by=BOB)
    say(stage, robot, no)
    stage.pass_time(seconds=1)
    assert (stage.load(rollout_id).rollout.phase, stage.world.weights()) == (Phase.ROLLED_BACK, [(STABLE, 1)])


def test_no_step_is_taken_while_the_data_plane_does_not_have_the_last_one(stage: Stage, robot: Robot) -> None:
    behind = an_entry(*GOOD, a_condition("Reconciled", "False", "ReconciliationFailed", "GWCER104: no endpoint picker"))
    rollout_id = begun(stage, robot, behind)
    assert stage.load(rollout_id).acceptance is Acceptance.WAITING
    stage.pass_time(seconds=60)
    stage.pass_time(minutes=10)
    held = stage.load(rollout_id).rollout
    assert (held.phase, held.held_by, stage.world.weights()[1]) == (Phase.HOLDING, ("gateway",), (CANARY, 10))
    assert held.why == (
        f"Gateway `{stage.world.namespace}/inference-gateway`: Reconciled is False (ReconciliationFailed): "
        "GWCER104: no endpoint picker"
    )
    say(stage, robot, an_entry(*GOOD, a_condition("Reconciled", "True")))
    stage.pass_time(seconds=30)
    assert stage.world.weights()[1] == (CANARY, 25)


def test_a_gateway_that_is_no_longer_programmed_holds_the_next_step(stage: Stage, robot: Robot) -> None:
    say(stage, robot, an_entry(*GOOD))
    rollout_id = stage.start(10).rollout.id
    robot.answer = Answer(parents=writes(an_entry(*GOOD)), not_programmed="no address")
    wait_until("the gateway: not programmed", lambda: "no address" in str(stage.world.gateway_object()), seconds=5)
    stage.pass_time(seconds=61)
    stage.pass_time(minutes=10)
    held = stage.load(rollout_id).rollout
    assert (held.held_by, held.why) == (
        ("gateway",),
        f"Gateway `{stage.world.namespace}/inference-gateway`: Programmed is False (AddressNotAssigned): no address",
    )


def test_a_gateway_that_was_not_programmed_before_the_start_holds_nothing(stage: Stage, robot: Robot) -> None:
    robot.answer = Answer(not_programmed="no address")
    wait_until("the gateway: not programmed", lambda: "no address" in str(stage.world.gateway_object()), seconds=5)
    rollout_id = stage.started(10).rollout.id
    stage.step()
    assert (stage.load(rollout_id).acceptance, stage.world.weights()[1]) == (Acceptance.ACCEPTED, (CANARY, 25))
    assert warnings(stage, rollout_id)[0].endswith("no address. It was so before this rollout.")


def test_a_no_that_comes_after_the_yes_stops_the_rollout_at_once_and_once(stage: Stage, robot: Robot) -> None:
    rollout_id = begun(stage, robot, an_entry(*GOOD))
    say(stage, robot, an_entry(*NO_BACKEND))
    for _ in range(2):
        stage.ticker.hear(rollout_id)
    entry = stage.load(rollout_id)
    assert (entry.rollout.phase, entry.acceptance) == (Phase.PAUSED, Acceptance.REFUSED)
    assert (stage.events(rollout_id).count("paused"), stage.world.weights()[1]) == (1, (CANARY, 10))
    stage.pass_time(minutes=10)
    assert stage.world.weights()[1] == (CANARY, 10)


def test_a_no_that_nobody_heard_stops_the_next_step(stage: Stage, robot: Robot) -> None:
    rollout_id = begun(stage, robot, an_entry(*GOOD))
    say(stage, robot, an_entry(*NO_BACKEND))
    stage.pass_time(minutes=10)
    assert (stage.load(rollout_id).rollout.phase, stage.world.weights()[1]) == (Phase.PAUSED, (CANARY, 10))


def test_a_person_may_go_on_after_a_no_and_a_new_no_stops_again(stage: Stage, robot: Robot) -> None:
    rollout_id = begun(stage, robot, an_entry(*GOOD))
    say(stage, robot, an_entry(*NO_BACKEND))
    stage.ticker.hear(rollout_id)
    stage.say("resume")
    stage.ticker.hear(rollout_id)
    assert stage.load(rollout_id).rollout.phase is Phase.PROGRESSING
    say(stage, robot, an_entry(*GOOD))
    stage.ticker.hear(rollout_id)
    assert stage.load(rollout_id).acceptance is Acceptance.ACCEPTED
    say(stage, robot, an_entry(*NO_BACKEND))
    stage.ticker.hear(rollout_id)
    assert stage.load(rollout_id).rollout.phase is Phase.PAUSED


def test_a_data_plane_that_loses_the_route_after_the_yes_is_told_at_once_and_once(stage: Stage, robot: Robot) -> None:
    rollout_id = begun(stage, robot, an_entry(*GOOD))
    behind = (*GOOD, a_condition("Reconciled", "False", "ReconciliationFailed", "GWCER104: no endpoint picker"))
    for conditions in (behind, GOOD, behind):
        say(stage, robot, an_entry(*conditions))
        stage.ticker.hear(rollout_id)
    troubles = [one.reason for one in stage.store.events(rollout_id, 0) if one.kind.value == "trouble"]
    assert troubles == [
        f"Gateway `{stage.world.namespace}/inference-gateway`: Reconciled is False (ReconciliationFailed): "
        "GWCER104: no endpoint picker"
    ]
    assert stage.load(rollout_id).rollout.phase is Phase.PROGRESSING


def test_a_gateway_that_wavers_is_told_of_once_while_the_rollout_is_paused(stage: Stage, robot: Robot) -> None:
    rollout_id = begun(stage, robot, an_entry(*GOOD))
    for conditions in (NO_BACKEND, GOOD, NO_BACKEND, GOOD, NO_BACKEND):
        say(stage, robot, an_entry(*conditions))
        stage.ticker.hear(rollout_id)
    kinds = stage.events(rollout_id)
    assert (stage.load(rollout_id).acceptance, kinds.count("paused"), kinds.count("trouble")) == (
        Acceptance.REFUSED,
        1,
        0,
    )


def test_a_gateway_that_refuses_long_after_the_finish_is_not_listened_to(stage: Stage, robot: Robot) -> None:
    rollout_id = stage.started(100).rollout.id
    stage.say("finish")
    stage.wait_observed()
    stage.pass_time(seconds=1)
    say(stage, robot, an_entry(*NO_BACKEND))
    stage.ticker.hear(rollout_id)
    assert (stage.load(rollout_id).acceptance, "trouble" in stage.events(rollout_id)) == (Acceptance.ACCEPTED, False)


def test_an_answer_is_heard_when_the_status_changes(stage: Stage, robot: Robot) -> None:
    say(stage, robot, an_entry(a_condition("Accepted", "Unknown", "Pending")))
    rollout_id = stage.start(10).rollout.id
    stage.pass_time(seconds=20)
    stage.pass_time(seconds=1)
    say(stage, robot, an_entry(*GOOD))
    stage.ticker.hear(rollout_id)
    stage.pass_time(seconds=0)
    assert stage.load(rollout_id).acceptance is Acceptance.ACCEPTED


@pytest.mark.parametrize("seen", [0, 999])
def test_a_status_without_proof_never_counts_as_accepted_and_costs_the_time_of_silence(
    stage: Stage, robot: Robot, seen: int
) -> None:
    odd = an_entry(*({**one, "observedGeneration": seen} for one in GOOD))
    rollout_id = begun(stage, robot, odd)
    assert stage.load(rollout_id).acceptance is Acceptance.WAITING
    stage.pass_time(seconds=60)
    assert stage.load(rollout_id).acceptance is Acceptance.UNKNOWN
    stage.pass_time(minutes=10)
    stage.pass_time(seconds=61)
    assert stage.events(rollout_id).count("acceptance_unknown") == 1
    assert stage.world.weights()[1] == (CANARY, 25)
