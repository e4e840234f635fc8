import pytest

from bot.store.store import RedisStore
from tests.memory import a_store


@pytest.fixture
def store(redis_url: str) -> RedisStore:
    return a_store(redis_url)
