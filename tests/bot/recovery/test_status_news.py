"""What a changed status leads to: the rollout of that route listens, once for however many changes."""

from typing import cast

import pytest

from bot.domain.errors import StoreError, UnreadableError
from bot.engine.store_port import Store
from bot.recovery.status_news import StatusNews


class Slots:
    """A store that knows which rollout has a route, or had it last."""

    def __init__(self) -> None:
        self.is_away = False

    def slot(self, route_uid: str) -> str | None:
        if self.is_away:
            raise StoreError("Redis does not answer.")
        return {"uid-1": "r-1"}.get(route_uid)

    def latest(self, route_uid: str) -> str | None:
        return {"uid-2": "r-2"}.get(route_uid)


def news(heard: list[str], slots: Slots) -> StatusNews:
    return StatusNews(cast(Store, slots), heard.append)


def test_a_route_is_listened_to_once_however_often_its_status_was_written() -> None:
    heard: list[str] = []
    told = news(heard, Slots())
    for uid in ("uid-1", "uid-1", "uid-2", "uid-3", "uid-1"):
        told.status_changed(uid)
    told.sweep()
    told.sweep()
    assert sorted(heard) == ["r-1", "r-2"]


def test_what_the_store_does_not_answer_for_is_listened_to_at_the_next_sweep() -> None:
    heard, slots = list[str](), Slots()
    told = news(heard, slots)
    slots.is_away = True
    told.status_changed("uid-1")
    told.sweep()
    slots.is_away = False
    told.sweep(goes_on=lambda: False)
    assert heard == []
    told.sweep()
    assert heard == ["r-1"]


@pytest.mark.parametrize("broken", [ZeroDivisionError(), UnreadableError("It has version 99.")])
def test_a_rollout_that_breaks_the_program_or_cannot_be_read_does_not_hide_others(broken: Exception) -> None:
    heard: list[str] = []

    def hear(rollout_id: str) -> None:
        heard.append(rollout_id)
        raise broken

    told = StatusNews(cast(Store, Slots()), hear)
    for uid in ("uid-1", "uid-2"):
        told.status_changed(uid)
    told.sweep()
    told.sweep()
    assert sorted(heard) == ["r-1", "r-2"]
