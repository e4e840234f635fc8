"""After a decision the thread gets charts, if gates saw numbers for it."""

from dataclasses import dataclass, field, replace
from typing import Any, cast

from bot.domain.chart import Chart, Line
from bot.domain.events import Event, EventKind
from bot.domain.evidence import EvidenceRules
from bot.domain.gate import Figure
from bot.domain.rollout import Change, Entry
from bot.engine.pictures import tell_with_charts
from bot.prometheus.client import PrometheusClient
from bot.service.parts import put_together
from sandbox.apiserver import ApiServer
from sandbox.fake_prometheus import fake_prometheus
from sandbox.process import wait_until
from sandbox.world import World
from tests.stage import Stage, a_stage

CHART = Chart(title="Errors", unit="%", times=("12:00",), lines=(Line("new", (9.5,)),))
FIGURES = (Figure("errors", "9.5 %", "0 %"),)


@dataclass
class Drawing:
    """Gates that draw what a test wants."""

    charts: tuple[Chart, ...] = (CHART,)
    asked: list[Entry] = field(default_factory=list)

    def history(self, entry: Entry) -> tuple[Chart, ...]:
        self.asked.append(entry)
        return self.charts


def told(stage: Stage, gates: Drawing, entry: Entry, figures: tuple[Figure, ...] = FIGURES) -> list[Event]:
    """Tell of a decision that gates saw these figures for, and return what is in the stream besides the start."""
    event = Event(kind=EventKind.STEPPED, at=stage.clock.now(), figures=figures)
    tell_with_charts(Change(after=entry.rollout, events=(event,)), stage.store, cast(Any, gates), stage.clock)
    return [each for each in stage.store.events(entry.rollout.id, 0) if each.kind is not EventKind.STARTED]


def test_the_thread_gets_the_charts(stage: Stage) -> None:
    entry, gates = stage.started(10), Drawing()
    (event,) = told(stage, gates, entry)
    assert event == Event(kind=EventKind.PICTURE, at=stage.clock.now(), weight=10, charts=(CHART,))
    assert gates.asked == [stage.load(entry.rollout.id)]


def test_a_step_that_a_person_makes_gets_them_too(api_server: ApiServer, world: World, redis_url: str) -> None:
    with fake_prometheus() as prometheus:
        rules = EvidenceRules(prometheus=prometheus.url)
        stage = a_stage(api_server, world, redis_url, evidence=rules)
        ports = stage.routes, stage.memory, stage.kept.for_rebuild, stage.clock
        stage.parts = put_together(*ports, stage.policy, metrics=PrometheusClient(prometheus.url))
        entry = stage.started(50)  # it says that both pools have the same traffic
        stage.clock.forward(minutes=5)
        stage.say("advance")
        wait_until("the charts", lambda: stage.events(entry.rollout.id)[-2:] == [EventKind.PROMOTED, EventKind.PICTURE])


def test_a_decision_without_numbers_asks_for_none(stage: Stage) -> None:
    gates = Drawing()
    assert (told(stage, gates, stage.started(10), ()), gates.asked) == ([], [])


def test_what_cannot_be_drawn_is_not_told(stage: Stage) -> None:
    assert told(stage, Drawing(charts=()), stage.started(10)) == []


def test_charts_of_a_decision_that_is_overtaken_are_not_told(stage: Stage) -> None:
    entry = stage.started(10)
    assert told(stage, Drawing(), replace(entry, rollout=replace(entry.rollout, decision="older"))) == []


def test_a_hold_is_not_drawn(stage: Stage) -> None:
    entry, gates = stage.started(10), Drawing()
    held = Event(kind=EventKind.HELD, at=stage.clock.now(), figures=FIGURES)
    tell_with_charts(Change(after=entry.rollout, events=(held,)), stage.store, cast(Any, gates), stage.clock)
    assert gates.asked == []
