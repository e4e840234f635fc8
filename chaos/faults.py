"""What each kind of fault does to the bots, Valkey, the API server and Slack, and what it hits."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial

import redis

from chaos.cast import Cast
from chaos.rival import Rival
from chaos.schedule import API, PROMETHEUS, SLACK, Blow, Kind, Schedule
from sandbox.bot_process import BotProcess
from sandbox.fake_prometheus import Mood
from sandbox.strict_slack.methods import METHODS
from sandbox.strict_slack.workspace import block_id

BOTS = (Kind.KILL, Kind.FREEZE, Kind.LONG_FREEZE)
STORE = (Kind.STORE_KILL, Kind.STORE_FREEZE, Kind.STORE_FLUSH, Kind.STORE_OLDER)
MET_WITHIN = 10.0
"""A fault that has hit nothing yet lasts up to so many seconds longer: other faults may keep the bots away from it."""

LAST_MOMENT = 0.05
"""Seconds from a bot's decision until it is sure to be in its log."""

Hit = tuple[float, str]
"""When a fault struck, and what it hit."""


class Faults:
    """Carries out the plan, each blow in its own thread."""

    def __init__(self, cast: Cast, stopping: threading.Event) -> None:
        self._cast, self._stopping = cast, stopping
        self._rival = Rival(cast)
        self._one_mood = threading.Lock()
        self._locks = {server: threading.Lock() for server in (*(bot.server for bot in cast.bots), cast.valkey.server)}

    def run(self, plan: Schedule) -> None:
        """Strike every blow of the plan, and return when all are over."""
        with ThreadPoolExecutor(32, "blow") as pool:
            try:
                for future in as_completed([pool.submit(self._strike, blow) for blow in plan.blows]):
                    future.result()
            except BaseException:
                self._stopping.set()
                raise

    def _strike(self, blow: Blow) -> None:
        if self._stopping.wait(max(0.0, self._cast.ledger.begun + blow.at - time.time())):
            return
        with self._alone(blow):
            since, hit = self._work(blow)(blow)
            self._cast.ledger.strike(blow.kind, since, hit)

    def _alone(self, blow: Blow) -> AbstractContextManager[object]:
        """Return the lock that keeps two blows off the same process."""
        if blow.kind in BOTS:
            return self._locks[self._bot(blow).server]
        return self._locks[self._cast.valkey.server] if blow.kind in STORE else nullcontext()

    def _work(self, blow: Blow) -> Callable[[Blow], Hit]:
        if blow.kind in (Kind.WATCH_CUT, Kind.WATCH_SILENT):
            return self._break_watches
        if blow.kind in API:
            return self._api
        if blow.kind in SLACK:
            return self._slack
        if blow.kind in PROMETHEUS:
            return self._numbers
        return {
            Kind.KILL: self._stop_bot,
            Kind.FREEZE: self._stop_bot,
            Kind.LONG_FREEZE: self._stop_bot,
            Kind.STORE_KILL: self._stop_store,
            Kind.STORE_FREEZE: self._stop_store,
            Kind.STORE_FLUSH: self._flush,
            Kind.STORE_OLDER: self._go_back,
            Kind.SLACK_DELETED: self._delete_card,
            Kind.SLACK_KICKED: self._kick,
        }.get(blow.kind, self._rival.strike)

    # --- bots

    def _stop_bot(self, blow: Blow) -> Hit:
        bot = self._bot(blow)
        role = "leader" if bot.leads() else "follower"
        outage = self._killed(bot) if blow.kind is Kind.KILL else bot.server.frozen()
        with outage:
            since = time.time()
            self._cast.ledger.hit(blow.kind, role, *self._in_hand())
            self._stopping.wait(blow.seconds)
        return since, f"{bot.server.name}, {role}, {blow.seconds:.1f} s"

    @contextmanager
    def _killed(self, bot: BotProcess) -> Iterator[None]:
        """Kill a bot for the block, and record what was decided in its last moment: nobody may hear of that."""
        before = self._inbox()
        self._stopping.wait(LAST_MOMENT)
        with bot.server.killed(partial(_start, bot)):
            self._cast.ledger.cut_short |= before - self._inbox()
            yield

    def _inbox(self) -> frozenset[str]:
        try:
            return self._cast.memory.inbox()
        except redis.RedisError:
            return frozenset()

    def _bot(self, blow: Blow) -> BotProcess:
        return random.Random(blow.seed).choice(self._cast.bots)

    def _in_hand(self) -> list[str]:
        """Name the work in hand: requests in the inbox, and decisions that are not on their routes yet."""
        try:
            inbox, pending = self._cast.memory.waiting()
        except redis.RedisError:
            return []
        return ["request in hand"] * inbox + ["unwritten decision"] * pending

    # --- Valkey

    def _stop_store(self, blow: Blow) -> Hit:
        valkey = self._cast.valkey
        outage = valkey.server.killed(valkey.start) if blow.kind is Kind.STORE_KILL else valkey.server.frozen()
        self._cast.ledger.hit(blow.kind, *self._in_hand(), "everybody's connections")
        since = time.time()
        with outage:
            self._stopping.wait(blow.seconds)
        return since, f"{blow.seconds:.1f} s"

    def _flush(self, blow: Blow) -> Hit:
        held = self._cast.memory.flush()
        return time.time(), f"{len(held.records)} records"

    def _go_back(self, blow: Blow) -> Hit:
        copy = self._cast.folder / "older"
        since = self._cast.memory.copy(copy)
        self._stopping.wait(blow.seconds)
        self._cast.memory.go_back(copy, since)
        return since, f"{time.time() - since:.1f} s"

    # --- the API server

    def _api(self, blow: Blow) -> Hit:
        late = random.Random(blow.seed).uniform(0.3, 2.5)
        since, before = time.time(), self._met(blow)
        method = "PATCH" if blow.kind is Kind.API_LOST else ""
        with self._cast.proxy.failing(API[blow.kind], method=method, seconds=late):
            self._stopping.wait(blow.seconds)
            self._wait_until(lambda: self._met(blow) > before)
        return since, f"{blow.seconds:.1f} s"

    def _break_watches(self, blow: Blow) -> Hit:
        """Break the watches that run. If none runs because of another fault, wait for one."""
        since, before = time.time(), self._met(blow)

        def is_met() -> bool:
            self._cast.proxy.inject(API[blow.kind])
            self._stopping.wait(0.2)
            return self._met(blow) > before

        self._wait_until(is_met)
        return since, ""

    def _met(self, blow: Blow) -> int:
        return self._cast.hits(blow.kind).total()

    def _wait_until(self, is_met: Callable[[], bool]) -> None:
        deadline = time.time() + MET_WITHIN
        while not is_met() and time.time() < deadline and not self._stopping.is_set():
            self._stopping.wait(0.05)

    # --- Slack

    def _slack(self, blow: Blow) -> Hit:
        since, dice, before = time.time(), random.Random(blow.seed), self._met(blow)
        with ExitStack() as stack:
            for method in METHODS:  # not private answers: Slack takes each once, and they are what people were told
                kind = dice.choice(SLACK[blow.kind])
                fault = self._cast.slack.faults.begin(kind, method=method, retry_after=dice.randint(1, 3))
                stack.callback(self._cast.slack.faults.lift, fault)
            self._stopping.wait(blow.seconds)
            self._wait_until(lambda: self._met(blow) > before)
        return since, f"{blow.seconds:.1f} s"

    # --- Prometheus

    def _numbers(self, blow: Blow) -> Hit:
        prometheus = self._cast.prometheus
        with self._one_mood:
            since, before = time.time(), prometheus.asked
            prometheus.mood = PROMETHEUS[blow.kind]
            try:
                self._stopping.wait(blow.seconds)
                self._wait_until(lambda: prometheus.asked > before)
            finally:
                prometheus.mood = Mood.WELL
            self._cast.ledger.hit(blow.kind, *["query"] * (prometheus.asked - before))
        return since, f"{blow.seconds:.1f} s"

    def _delete_card(self, blow: Blow) -> Hit:
        """Delete one of the newest cards, as a person who may do so would."""
        dice = random.Random(blow.seed)
        cards = [card for card in self._cast.slack.cards() if block_id(card).startswith("card:")]
        if not cards:
            return time.time(), "no card yet"
        card = dice.choice(cards[-20:])
        self._cast.slack.remove(card["channel"], card["ts"], "U0ALICE001")
        self._cast.ledger.hit(blow.kind, "card")
        return time.time(), block_id(card)

    def _kick(self, blow: Blow) -> Hit:
        since = time.time()
        channel = random.Random(blow.seed).choice(sorted({site.channel for site in self._cast.sites}))
        facts, before = self._cast.slack.channels[channel], len(self._cast.slack.calls)
        facts["is_member"] = False

        def met() -> list[str]:
            return [name for name, words in self._cast.slack.calls[before:] if words.get("channel") == channel]

        try:
            self._stopping.wait(blow.seconds)
            self._wait_until(lambda: bool(met()))
        finally:
            facts["is_member"] = True
        self._cast.ledger.hit(blow.kind, *met())
        return since, f"{channel}, {blow.seconds:.1f} s"


def _start(bot: BotProcess) -> None:
    bot.server.start()
    bot.server.wait_ready(bot.is_live)
