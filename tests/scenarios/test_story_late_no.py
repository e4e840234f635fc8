"""A gateway takes its yes back, while a controller writes the route's status all the time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.gateway import Answer
from sandbox.robot import Robot
from sandbox.world import World
from tests.builders import ALICE, CANARY, STABLE
from tests.scenarios.play import Play
from tests.statuses import GOOD, NO_BACKEND, a_condition, an_entry, writes

NOISE = "noise.example.com/controller"


@contextmanager
def noise(world: World) -> Iterator[None]:
    """Write a foreign entry of the route's status again and again, each time another one."""
    stopping = threading.Event()

    def write() -> None:
        count = 0
        while not stopping.wait(0.02):
            count += 1
            said = a_condition("Accepted", "False", "NotMine", f"look number {count}")
            parents = [an_entry(*GOOD), an_entry(said, controller=NOISE)]
            world.kube.merge(
                f"{world.route_path()}/status", {"status": {"parents": writes(*parents)(world.http_route())}}
            )

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def test_a_late_no_stops_the_rollout_and_the_card_says_it(play: Play, robot: Robot) -> None:
    robot.answer = Answer(parents=writes(an_entry(*GOOD)))
    play.bot()
    play.start(f"{CANARY} 10 every=1h")
    play.offers("advance")  # with the gateway's yes
    robot.answer = Answer(parents=writes(an_entry(*NO_BACKEND)))
    play.see("10 %, paused", seconds=5)
    why = (
        f"The gateway refused the route: Gateway `{play.world.namespace}/inference-gateway`: ResolvedRefs is False "
        "(BackendNotFound): endpoint picker: no service."
    )
    play.shows(why)
    assert play.world.weights() == [(STABLE, 90), (CANARY, 10)]
    play.tells(f"<@{ALICE}> started the rollout at 10 %, from `{STABLE}`.", f"Paused at 10 %: {why}")


def test_a_status_that_is_written_all_the_time_hides_no_edit_of_the_weights(play: Play, robot: Robot) -> None:
    robot.answer = Answer(silent=True)
    play.bot()
    with noise(play.world):
        play.start(f"{CANARY} 10 every=1h")
        play.see("10 %")
        play.world.edit_weights(60, 40)
        play.see("paused", seconds=5)


def test_a_gateway_that_loses_its_address_is_told_at_once(play: Play, robot: Robot) -> None:
    play.bot()
    play.start(f"{CANARY} 10 every=1h")
    play.offers("advance")  # with the gateway's yes
    robot.answer = Answer(not_programmed="no address")
    gateway = f"Gateway `{play.world.namespace}/inference-gateway`"
    play.tells(
        f"<@{ALICE}> started the rollout at 10 %, from `{STABLE}`.",
        f"*Trouble*: {gateway}: Programmed is False (AddressNotAssigned): no address.",
    )
