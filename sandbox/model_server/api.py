"""The HTTP API of a model server: completions and chat, models and adapters, health and metrics."""

import asyncio
import json
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from sandbox.model_server import answers
from sandbox.model_server.answers import Question
from sandbox.model_server.behaviour import Behaviour, changed
from sandbox.model_server.metrics import Metrics, Names
from sandbox.model_server.slots import Slots

BEHAVIOUR_PATH = "/sandbox/behaviour"
"""GET says how it behaves, POST changes some of it; no model server of the field has this."""
POD_HEADER = "x-inference-pod"
"""The header in which the simulator of llm-d says which pod answered. vLLM and SGLang say nothing."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ModelServer:
    """One model with its adapters. It names ``pod`` in its answers, unless that is empty.

    The pods of one Deployment answer alike, and those of another one otherwise.
    """

    def __init__(self, model: str, adapters: list[str], names: Names, behaviour: Behaviour, *, pod: str) -> None:
        self._model, self._adapters, self._behaviour, self._pod = model, adapters, behaviour, pod
        self._voice = pod.rsplit("-", 2)[0]  # that of its Deployment
        self._slots = Slots(lambda: self._behaviour.slots)
        self._metrics = Metrics(names, model, self._slots, lambda: self._behaviour.slots)

    def app(self) -> web.Application:
        """Return the program that serves it."""
        app = web.Application(middlewares=[self._named])
        app.router.add_post("/v1/completions", self._complete)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_get("/v1/models", self._list_models)
        app.router.add_post("/v1/load_lora_adapter", self._load)
        app.router.add_post("/v1/unload_lora_adapter", self._unload)
        app.router.add_get("/health", self._health)
        app.router.add_get("/metrics", self._scrape)
        app.router.add_get(BEHAVIOUR_PATH, self._behave)
        app.router.add_post(BEHAVIOUR_PATH, self._behave)
        return app

    @web.middleware
    async def _named(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Name the pod in the answer, and count it."""
        answer = await handler(request)
        if not answer.prepared:
            self._name(answer)
        if request.path.startswith("/v1/"):
            self._metrics.answered(request.path, request.method, answer.status)
        return answer

    def _name(self, answer: web.StreamResponse) -> None:
        if self._pod:
            answer.headers[POD_HEADER] = self._pod

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        begun = time.perf_counter()
        try:
            body = json.loads(await request.read())
            asked = answers.question(body, default_model=self._model, is_chat=request.path.endswith("chat/completions"))
        except ValueError as error:
            return _refuse(400, str(error))
        if asked.model not in (self._model, *self._adapters):
            return _refuse(404, f"The model `{asked.model}` does not exist.")
        if random.random() < self._behaviour.fails:
            return _refuse(self._behaviour.status, "The engine failed.")
        async with self._slots.one():
            self._metrics.adapters[asked.model] += asked.model != self._model
            try:
                return await self._answer(request, asked, begun)
            finally:
                self._metrics.adapters[asked.model] -= asked.model != self._model

    async def _answer(self, request: web.Request, asked: Question, begun: float) -> web.StreamResponse:
        """Take the time that a model takes, then say it in one piece or word by word."""
        now = self._behaviour
        pace = 1 + random.uniform(-now.spread, now.spread)
        await asyncio.sleep(pace * (now.first_token_ms + now.prompt_token_ms * asked.prompt_tokens) / 1000)
        self._metrics.first_token(time.perf_counter() - begun, asked.prompt_tokens)
        identity, each = f"cmpl-{uuid.uuid4().hex}", pace * now.token_ms / 1000
        words = answers.words_of(asked, self._voice)
        if asked.is_stream:
            answer = await self._stream(request, list(answers.pieces(asked, identity, words)), each)
        else:
            await asyncio.sleep(each * (asked.tokens - 1))
            answer = web.json_response(answers.whole(asked, identity, words))
        self._metrics.finished(seconds=time.perf_counter() - begun, tokens=asked.tokens, each=each)
        return answer

    async def _stream(self, request: web.Request, pieces: list[bytes], each: float) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        self._name(answer)
        await answer.prepare(request)
        cut = len(pieces) // 2 if random.random() < self._behaviour.cuts else None
        for number, piece in enumerate(pieces):
            if number:
                await asyncio.sleep(each)
            if number == cut and request.transport is not None:
                request.transport.abort()
            await answer.write(piece)
        await answer.write_eof()
        return answer

    async def _list_models(self, _: web.Request) -> web.Response:
        return web.json_response(answers.models([self._model, *self._adapters], self._model))

    async def _load(self, request: web.Request) -> web.Response:
        name = (await request.json())["lora_name"]
        if name not in self._adapters:
            self._adapters.append(name)
        return web.Response(text=f"Success: LoRA adapter '{name}' added successfully.")

    async def _unload(self, request: web.Request) -> web.Response:
        name = (await request.json())["lora_name"]
        if name not in self._adapters:
            return _refuse(404, f"The lora adapter '{name}' cannot be found.")
        self._adapters.remove(name)
        return web.Response(text=f"Success: LoRA adapter '{name}' removed successfully.")

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if self._behaviour.healthy else 503)

    async def _scrape(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"})

    async def _behave(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            change: Any = await request.json()
            try:
                self._behaviour = changed(self._behaviour, change)
            except ValueError as error:
                return _refuse(400, str(error))
            await self._slots.look_again()
        return web.json_response(asdict(self._behaviour))


def _refuse(status: int, message: str) -> web.Response:
    return web.json_response(answers.refusal(status, message), status=status)
