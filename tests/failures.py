"""What a port may fail with, for tests that let its next call fail."""

from typing import NoReturn

from bot.domain.errors import ClusterError, RaceError, RefusedError, StoreError


def no_answer() -> NoReturn:
    raise ClusterError("The API server did not answer.")


def refused() -> NoReturn:
    raise RefusedError("The bot may not `patch` httproutes (403).")


def raced() -> NoReturn:
    raise RaceError("HTTPRoute changed since it was read.")


def no_redis() -> NoReturn:
    raise StoreError("Redis does not answer.")
