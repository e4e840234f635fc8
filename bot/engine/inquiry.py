"""Answers: to a question at once, to an inquiry by its deadline. The person who asked hears if it passes."""

from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from threading import Thread
from typing import TypeVar

from bot.domain.commands.request import Request
from bot.domain.errors import LateError
from bot.domain.verbs.asking import Asking, Reply, Sources
from bot.domain.verbs.declaration import Kind
from bot.domain.verbs.registry import groups, verb_of

T = TypeVar("T")


def answer(request: Request, sources: Sources, *, program: str, now: datetime) -> Reply:
    """Answer a request; people type verbs after ``program``. Raises LateError, and what the verbs raise."""
    verb = verb_of(request.command.verb)
    asking = Asking(
        command=request.command,
        by=request.by,
        origin=request.origin,
        now=now,
        program=program,
        sources=sources,
        verbs=groups(),
    )
    if verb.kind is not Kind.INQUIRY:
        return verb.answer(asking)
    left = (request.at + verb.within - now).total_seconds()
    try:
        return _in_time(lambda: verb.answer(asking), left)
    except LateError:
        within = verb.within.total_seconds()
        raise LateError(
            f"I could not find that out within {within:g} s.", hint="Nothing was changed: ask again in a moment."
        ) from None


def _in_time(ask: Callable[[], T], seconds: float) -> T:
    """Ask in a thread of its own; raises LateError after some seconds without waiting for it any longer."""
    answered: Future[T] = Future()
    Thread(target=_settle, args=(answered, ask), name="inquiry", daemon=True).start()
    try:
        return answered.result(max(seconds, 0))
    except TimeoutError:
        if answered.done():
            raise  # the asking itself timed out, in its own words
        raise LateError("") from None


def _settle(answered: Future[T], ask: Callable[[], T]) -> None:
    try:
        answered.set_result(ask())
    except Exception as error:
        answered.set_exception(error)
