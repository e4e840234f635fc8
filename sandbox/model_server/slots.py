"""The slots of a model server: so many requests run at once, and the others wait in line."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Slots:
    """``size`` says how many there are now."""

    def __init__(self, size: Callable[[], int]) -> None:
        self.running = 0
        self.waiting = 0
        self._size = size
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a slot, and hold it for the block."""
        self.waiting += 1
        try:
            async with self._freed:
                await self._freed.wait_for(lambda: self.running < self._size())
                self.running += 1
        finally:
            self.waiting -= 1
        try:
            yield
        finally:
            self.running -= 1
            await self.look_again()

    async def look_again(self) -> None:
        """Let those who wait look whether there is a slot now."""
        async with self._freed:
            self._freed.notify_all()
