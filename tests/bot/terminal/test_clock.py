"""The time in a terminal: a laptop's clock may be minutes from that of the bots, and both decide on one rollout."""

from datetime import UTC, datetime, timedelta

from bot.config.settings import TerminalSettings, read_as
from bot.domain.commands.request import Command
from bot.domain.plan import Wishes
from bot.domain.rollout import Phase
from bot.service.assembly import shared_parts
from bot.store.clock import RedisClock
from bot.terminal.clock import TerminalClock
from bot.terminal.commands import Commands
from tests.builders import ALICE, CANARY, STABLE
from tests.shell import Terminal
from tests.stage import HandClock, Stage


def a_desk(stage: Stage, terminal: Terminal, **laptop_ahead: float) -> Commands:
    """Return a commands on a laptop whose clock is wrong, where the bots' are right."""
    stage.clock.set(datetime.now(UTC) - timedelta(seconds=5))
    terminal.write_policy("approvals: {at: []}")
    laptop = HandClock()
    laptop.forward(**laptop_ahead)
    settings = read_as(TerminalSettings, terminal.env)
    clock = TerminalClock(RedisClock(stage.redis, laptop))
    return Commands(shared_parts(settings, stage.redis, clock), ALICE, "C0INFER001")


def test_a_rollout_that_a_fast_laptop_began_and_rolled_back_is_over_for_the_bots(
    stage: Stage, terminal: Terminal
) -> None:
    commands = a_desk(stage, terminal, minutes=3)
    start = Command(verb="start", subject=CANARY, start=stage.words(10, Wishes()))
    commands.do(start, 0, lambda text: None)
    commands.do(Command(verb="rollback", subject=CANARY), 0, lambda text: None)
    stage.clock.set(datetime.now(UTC))
    assert stage.started(25).rollout.phase is Phase.PROGRESSING
    assert stage.world.weights() == [(STABLE, 75), (CANARY, 25)]


def test_words_on_a_laptop_that_is_behind_come_after_what_the_bots_decided(stage: Stage, terminal: Terminal) -> None:
    commands = a_desk(stage, terminal, minutes=-2)
    stage.started(10)
    commands.do(Command(verb="advance"), 0, lambda text: None)
    assert stage.world.weights() == [(STABLE, 75), (CANARY, 25)]


def test_a_command_asks_redis_for_the_time_once(stage: Stage, terminal: Terminal) -> None:
    def asked() -> int:
        calls = stage.redis.info("commandstats").get("cmdstat_time", {"calls": 0})["calls"]
        return int(calls)

    stage.started(10)
    before = asked()
    assert terminal("pause")[0] == 0
    assert asked() == before + 1
