"""One kind of input against the stand, and what it costs the bot meanwhile."""

import random
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.whole_bot import cpu, memory
from hostile.kinds import Kind
from hostile.stand import HELD, Stand, slowest
from hostile.tried import Tried


@dataclass(frozen=True, slots=True)
class Row:
    """What one kind did, and what it cost the bot."""

    kind: str
    tried: Tried
    seconds: float
    before: float
    after: float
    slowest: float

    def cells(self) -> Sequence[str]:
        """Return the cells of the table."""
        tried = self.tried
        counts = (tried.tried, tried.refused, tried.harmless, len(tried.through))
        cost = (f"{self.seconds:.1f} s", f"{self.before:.0f} to {self.after:.0f} MiB", f"{self.slowest * 1000:.0f} ms")
        return (self.kind, *map(str, counts), *cost)


def attack(attacked: Stand, name: str, kind: Kind, count: int, seed: int) -> Row:
    """Try a kind, and probe /healthz meanwhile."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    server = attacked.bot.server
    used, before = cpu(server), memory(server)
    with _probing(attacked) as waits:
        tried = kind(attacked, random.Random(f"{seed} {name}"), count)
    if attacked.world.weights() != HELD:
        tried.through.append("the weights moved")
    return Row(name, tried, cpu(server) - used, before, memory(server), max(waits))


@contextmanager
def _probing(attacked: Stand) -> Iterator[list[float]]:
    """Ask /healthz ten times a second during the block, and yield how long each answer took."""
    waits, over = [slowest(attacked.bot.is_live)], threading.Event()

    def ask() -> None:
        while not over.is_set():
            waits.append(slowest(attacked.bot.is_live))
            time.sleep(0.1)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield waits
    finally:
        over.set()
        asking.join()
