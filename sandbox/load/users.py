"""Users that send requests to a gateway at a steady rate, whether earlier ones are answered or not."""

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from sandbox.dataplane.deployments import deployment_of
from sandbox.load.ledger import Record
from sandbox.load.mix import LONG_STREAM, Kind, body, choose
from sandbox.model_server.api import POD_HEADER

GIVE_UP_SECONDS = 120.0
REST_SECONDS = 0.1
"""Between two long streams of one user: they may fail at once."""


@dataclass(frozen=True, kw_only=True)
class Users:
    """``record`` gets each request when it is over."""

    url: str
    model: str
    adapter: str
    record: Callable[[Record], None]
    chance: random.Random
    host: str = ""
    """The host name that they ask for; empty: the address."""
    only: str = ""
    """The one kind of requests that they send; empty: a mix."""

    async def ask_at(self, rate: float, streams: int, stopping: asyncio.Event) -> None:
        """Send ``rate`` requests a second, and ``streams`` long ones at any time; then wait for the last answers."""
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=GIVE_UP_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as group:
            for _ in range(streams):
                group.create_task(self._keep_streaming(session, stopping))
            due = time.monotonic()
            while not stopping.is_set():
                group.create_task(self.ask(session, choose(self.chance, self.only)))
                due += self.chance.expovariate(rate)
                await _wait(stopping, due - time.monotonic())

    async def _keep_streaming(self, session: aiohttp.ClientSession, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self.ask(session, LONG_STREAM)
            await _wait(stopping, REST_SECONDS)

    async def ask(self, session: aiohttp.ClientSession, kind: Kind) -> None:
        """Send one request and record what became of it."""
        at, begun = time.time(), time.perf_counter()
        pool, status, first, is_whole, error = "", 0, 0.0, False, ""
        asks = body(kind, self.chance, self.model, self.adapter)
        try:
            headers = {"Host": self.host} if self.host else {}
            async with session.post(self.url + kind.path, json=asks, headers=headers) as answer:
                pool, status = deployment_of(answer.headers.get(POD_HEADER, "")), answer.status
                text = b""
                async for chunk in answer.content.iter_any():
                    first = first or time.perf_counter() - begun
                    text += chunk
                is_whole = ended(kind, status, text)
        except Exception as problem:  # whatever it was, somebody has no whole answer
            error = f"{type(problem).__name__}: {problem}"
        self.record(
            Record(
                at=at,
                kind=kind.name,
                pool=pool,
                status=status,
                first_token=round(first, 4),
                took=round(time.perf_counter() - begun, 4),
                is_whole=is_whole,
                error=error,
            )
        )


async def _wait(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), max(0.0, seconds))
    except TimeoutError:
        return


def ended(kind: Kind, status: int, text: bytes) -> bool:
    """Return whether an answer came to its end. A refusal does, if it can be read."""
    try:
        if status != 200:
            return "error" in json.loads(text)
        last = _last_event(text) if kind.is_stream else json.loads(text)
        return last["choices"][0]["finish_reason"] is not None
    except (ValueError, KeyError, TypeError, IndexError):
        return False


def _last_event(text: bytes) -> Any:
    """Return the last event of a stream before its end. Raises ValueError if the end is missing."""
    *events, end = text.decode().removesuffix("\n\n").split("\n\n")
    if end != "data: [DONE]":
        raise ValueError("The stream was cut.")
    return json.loads(events[-1].removeprefix("data: "))
