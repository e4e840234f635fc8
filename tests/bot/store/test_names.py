import pytest

from bot.domain.errors import StoreError
from bot.store.connection import connect
from bot.store.names import KEPT, SlackNames
from tests.builders import ALICE, BOB
from tests.memory import PREFIX, prefix
from tests.shell import NOWHERE


def test_a_name_is_remembered_for_a_while(redis_url: str) -> None:
    with connect(redis_url) as client:
        names = SlackNames(client, prefix)
        names.remember(BOB, "Bob")
        names.remember(BOB, "Bob Example")
        assert (names.of(BOB), names.of(ALICE)) == ("Bob Example", "")
        left = client.ttl(f"{PREFIX}name:{BOB}")
        assert KEPT.total_seconds() - 60 < int(str(left)) <= KEPT.total_seconds()


def test_without_redis_it_is_the_store_that_failed() -> None:
    with connect(NOWHERE) as client, pytest.raises(StoreError, match=r"Redis does not answer\."):
        SlackNames(client, prefix).of(BOB)
