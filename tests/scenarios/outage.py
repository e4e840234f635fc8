"""An engine that reaches the API server through a proxy, and short words for how that fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from bot.domain.access import Access
from bot.domain.prose import ended, moment, say, sentence
from bot.domain.rollout import Entry
from bot.domain.sentences.where_it_stands import state
from handlers.mrkdwn import mrkdwn
from k8s.connection import TimeoutClient
from sandbox.fault_proxy import FaultProxy
from sandbox.faults import Fault
from sandbox.process import wait_until
from tests.stage import Stage

SOON = (2.0, 0.3)
"""Seconds to connect and to answer: what a test can wait for."""

SAID = {
    Fault.REFUSED: "The API server could not be reached (asked for {what}).",
    Fault.RESET: "The API server broke off its answer (asked for {what}).",
    Fault.HUNG: "The API server did not answer in time (asked for {what}).",
    Fault.SLOW: "The API server did not answer in time (asked for {what}).",
    Fault.LOST: "The API server broke off its answer (asked for {what}).",
    Fault.UNKNOWN_TOKEN: "The API server does not know the bot (401). Check its token or kubeconfig.",
    Fault.TOO_MANY: "The API server answered 429 (asked for {what}).",
    Fault.BROKEN: "The API server answered 500 (asked for {what}).",
    Fault.UNAVAILABLE: "The API server answered 503 (asked for {what}).",
}
"""What people read of a fault that is none of the route's."""


@dataclass
class Outage:
    """A stage behind a proxy."""

    stage: Stage
    proxy: FaultProxy

    @contextmanager
    def of(self, fault: Fault, *, method: str = "", path: str = "", seconds: float = 1.0) -> Iterator[None]:
        """Fail within the block; the bot gives up soon there."""
        api = self.stage.cluster._api
        assert isinstance(api, TimeoutClient)
        patience, api.timeout = api.timeout, SOON
        with self.proxy.failing(fault, method=method, path=path, seconds=seconds):
            yield
        api.timeout = patience

    def after_the_next_save(self, fault: Fault, *, method: str = "") -> None:
        """Fail from when the next decision is in the store, before it is written."""
        self.stage.memory.after("save", lambda: self.proxy.inject(fault, method=method))

    def said(self, fault: Fault, what: str = "") -> str:
        """Return what is said of a fault: of our route, unless ``what`` names something else."""
        return SAID[fault].format(what=what or f"HTTPRoute `{self.stage.world.namespace}/{self.stage.world.route}`")

    def watch(self) -> None:
        """Keep copies of routes and pools as a bot does; nobody looks at what changes."""
        cluster, world = self.stage.cluster, self.stage.world
        cluster.watch(route_changed=lambda _: None, route_gone=lambda _: None, pool_gone=lambda _: None)
        wait_until("a copy", lambda: cluster.kept(world.namespace, world.route) is not None)

    def close(self) -> None:
        """End what runs, whatever fails."""
        self.proxy.lift()
        self.stage.cluster.close()


def card(entry: Entry) -> str:
    """Return what the card says first."""
    return mrkdwn(state(entry, Access()))


def not_written(since: datetime, said: str, *, goes_on: str = "I keep trying") -> str:
    """Return the card's line about a write that does not succeed."""
    return mrkdwn(say("Not written since {}: {} {} ⚠️", moment(since), ended(sentence(said)), goes_on))
