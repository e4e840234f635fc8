"""A Redis that others use too: the bot as a user of its own, with the rights that SECURITY.md gives it."""

import re
from dataclasses import replace

import pytest
import redis

from bot.store.keys import ROOT
from sandbox.folders import CHECKOUT
from sandbox.valkey import Valkey
from tests.scenarios.play import Play
from tests.scenarios.test_story import assert_whole, to_25

PASSWORD = "secret"


@pytest.fixture
def as_user(play: Play, own_valkey: Valkey) -> Play:
    """Return a play whose bots are that user."""
    (rule,) = re.findall(r"`(ACL SETUSER [^`]*)`", (CHECKOUT / "SECURITY.md").read_text())
    with redis.Redis.from_url(own_valkey.url()) as client:
        client.execute_command(*rule.replace("PASSWORD", PASSWORD).split())
    return replace(play, redis_url=f"redis://rolloutbot:{PASSWORD}@127.0.0.1:{own_valkey.port}/0")


def test_the_whole_guide_needs_no_more_than_these_rights(as_user: Play) -> None:
    as_user.bot()
    card = to_25(as_user)
    as_user.press("approve")
    assert_whole(as_user, card)


def test_this_user_reads_nobody_elses_keys_and_changes_no_setting(as_user: Play) -> None:
    with redis.Redis.from_url(as_user.redis_url) as client:
        client.set(f"{ROOT}mine", "1")
        for command in (["GET", "theirs"], ["FLUSHALL"], ["CONFIG", "GET", "*"], ["ACL", "LIST"], ["KEYS", "*"]):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command)
