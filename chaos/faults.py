"""The blows: what each kind of fault does to the bots, Valkey, the API server and Slack, and what it hit."""

import random
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, ExitStack, nullcontext

import redis

from chaos.bots import Bot
from chaos.cast import Cast
from chaos.rival import Rival
from chaos.schedule import API, SLACK, Blow, Kind, Schedule
from sandbox.faults import Fault
from sandbox.strict_slack.methods import METHODS

BOTS = (Kind.KILL, Kind.FREEZE, Kind.LONG_FREEZE)
STORE = (Kind.STORE_KILL, Kind.STORE_FREEZE, Kind.STORE_FLUSH, Kind.STORE_OLDER)
MET_WITHIN = 10.0
"""Seconds in which a fault meets something, whatever else has befallen the bots: so much longer it may last."""

Hit = tuple[float, str]
"""When a blow struck, and what it hit."""


class Faults:
    """Strikes when the plan says so, each blow in a thread of its own."""

    def __init__(self, cast: Cast, stopping: threading.Event) -> None:
        self._cast, self._stopping = cast, stopping
        self._rival = Rival(cast)
        self._store = threading.Lock()

    def run(self, plan: Schedule) -> None:
        """Strike every blow of the plan, and return when all of them are over."""
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
        """Return what keeps two blows from the same process."""
        if blow.kind in BOTS:
            return self._bot(blow).busy
        return self._store if blow.kind in STORE else nullcontext()

    def _work(self, blow: Blow) -> Callable[[Blow], Hit]:
        if blow.kind in API:
            return self._api
        if blow.kind in SLACK:
            return self._slack
        return {
            Kind.KILL: self._kill,
            Kind.FREEZE: self._freeze,
            Kind.LONG_FREEZE: self._freeze,
            Kind.STORE_KILL: self._kill_store,
            Kind.STORE_FREEZE: self._freeze_store,
            Kind.STORE_FLUSH: self._flush,
            Kind.STORE_OLDER: self._go_back,
            Kind.SLACK_DELETED: self._delete_card,
            Kind.SLACK_KICKED: self._kick,
        }.get(blow.kind, self._rival.strike)

    # --- bots

    def _kill(self, blow: Blow) -> Hit:
        bot = self._bot(blow)
        role = self._role(bot)
        since = time.time()
        bot.server.kill()
        self._cast.ledger.hit(blow.kind, role, *self._in_hand())
        self._stopping.wait(blow.seconds)
        bot.server.start()
        bot.server.wait_ready(bot.is_up)
        return since, f"{bot.server.name}, {role}"

    def _freeze(self, blow: Blow) -> Hit:
        bot = self._bot(blow)
        role = self._role(bot)
        since = time.time()
        bot.server.freeze()
        self._cast.ledger.hit(blow.kind, role, *self._in_hand())
        try:
            self._stopping.wait(blow.seconds)
        finally:
            bot.server.thaw()
        return since, f"{bot.server.name}, {role}, {blow.seconds:.1f} s"

    def _bot(self, blow: Blow) -> Bot:
        return random.Random(blow.seed).choice(self._cast.bots)

    def _role(self, bot: Bot) -> str:
        return "leader" if bot.leads() else "follower"

    def _in_hand(self) -> list[str]:
        """Name what was under way: requests that were taken in, and decisions on their way to the route."""
        try:
            inbox, pending = self._cast.memory.waiting()
        except redis.RedisError:
            return []
        return ["request in hand"] * inbox + ["unwritten decision"] * pending

    # --- Valkey

    def _kill_store(self, blow: Blow) -> Hit:
        self._cast.ledger.hit(blow.kind, *self._in_hand(), "everybody's connections")
        since = time.time()
        self._cast.valkey.server.kill()
        self._stopping.wait(blow.seconds)
        self._cast.valkey.start()
        return since, f"{blow.seconds:.1f} s"

    def _freeze_store(self, blow: Blow) -> Hit:
        self._cast.ledger.hit(blow.kind, *self._in_hand(), "everybody's connections")
        since = time.time()
        self._cast.valkey.server.freeze()
        try:
            self._stopping.wait(blow.seconds)
        finally:
            self._cast.valkey.server.thaw()
        return since, f"{blow.seconds:.1f} s"

    def _flush(self, blow: Blow) -> Hit:
        held = self._cast.memory.flush()
        self._cast.ledger.hit(blow.kind, *["record"] * len(held.records), *["request in the inbox"] * len(held.inbox))
        return time.time(), f"{len(held.records)} records"

    def _go_back(self, blow: Blow) -> Hit:
        copy = self._cast.folder / "older"
        since = self._cast.memory.copy(copy)
        self._stopping.wait(blow.seconds)
        held = self._cast.memory.go_back(copy, since)
        self._cast.ledger.hit(blow.kind, *["record"] * len(held.records), *["request in the inbox"] * len(held.inbox))
        return since, f"{time.time() - since:.1f} s"

    # --- the API server

    def _api(self, blow: Blow) -> Hit:
        since, fault = time.time(), API[blow.kind]
        if blow.kind in (Kind.WATCH_CUT, Kind.WATCH_SILENT):
            self._break_watches(fault)
            return since, ""
        method = "PATCH" if blow.kind is Kind.API_LOST else ""
        late = random.Random(blow.seed).uniform(0.3, 2.5)
        before = self._met(fault)
        with self._cast.proxy.failing(fault, method=method, seconds=late):
            self._stopping.wait(blow.seconds)
            self._wait_until(lambda: self._met(fault) > before)
        return since, f"{blow.seconds:.1f} s"

    def _break_watches(self, fault: Fault) -> None:
        """Break the watches that run; where none does, because of another fault, wait for one."""
        before = self._met(fault)

        def is_met() -> bool:
            self._cast.proxy.inject(fault)
            self._stopping.wait(0.2)
            return self._met(fault) > before

        self._wait_until(is_met)

    def _wait_until(self, is_met: Callable[[], bool]) -> None:
        deadline = time.time() + MET_WITHIN
        while not is_met() and time.time() < deadline and not self._stopping.is_set():
            self._stopping.wait(0.05)

    def _met(self, fault: Fault) -> int:
        return sum(count for (kind, _), count in self._cast.proxy.hits.items() if kind is fault)

    # --- Slack

    def _slack(self, blow: Blow) -> Hit:
        since, dice, before = time.time(), random.Random(blow.seed), self._met_in_slack(blow.kind)
        with ExitStack() as stack:
            for method in METHODS:  # but for private answers: those are sent once, and are what people were told
                kind = dice.choice(SLACK[blow.kind])
                fault = self._cast.slack.faults.begin(kind, method=method, retry_after=dice.randint(1, 3))
                stack.callback(self._cast.slack.faults.lift, fault)
            self._stopping.wait(blow.seconds)
            self._wait_until(lambda: self._met_in_slack(blow.kind) > before)
        return since, f"{blow.seconds:.1f} s"

    def _met_in_slack(self, kind: Kind) -> int:
        return sum(count for (fault, _), count in self._cast.slack.faults.hit.items() if fault in SLACK[kind])

    def _delete_card(self, blow: Blow) -> Hit:
        """Take the newest cards of a channel away, as a person with the right to do so would."""
        dice = random.Random(blow.seed)
        cards = [card for card in self._cast.slack.cards() if _is_card(card)]
        if not cards:
            return time.time(), "no card yet"
        card = dice.choice(cards[-20:])
        mark = str(card["blocks"][0]["block_id"])
        self._cast.slack.remove(card["channel"], card["ts"], "U0ALICE001")
        self._cast.ledger.hit(blow.kind, "card")
        return time.time(), mark

    def _kick(self, blow: Blow) -> Hit:
        since = time.time()
        channel = random.Random(blow.seed).choice(sorted({site.channel for site in self._cast.sites}))
        facts, before = self._cast.slack.channels[channel], len(self._cast.slack.calls)
        facts["is_member"] = False
        try:
            self._stopping.wait(blow.seconds)
        finally:
            facts["is_member"] = True
        met = [name for name, words in self._cast.slack.calls[before:] if words.get("channel") == channel]
        self._cast.ledger.hit(blow.kind, *met)
        return since, f"{channel}, {blow.seconds:.1f} s"


def _is_card(message: Mapping[str, object]) -> bool:
    blocks: object = message.get("blocks")
    return isinstance(blocks, list) and bool(blocks) and str(blocks[0].get("block_id", "")).startswith("card:")
