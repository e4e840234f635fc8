"""Whole bots: two installs on one Redis do not meet, and an install that nobody named is the same in a terminal."""

import pytest
import redis
from typer.testing import CliRunner

from bot.__main__ import app
from bot.store.keys import ROOT, prefix_of
from sandbox.process import wait_until
from tests.builders import CANARY
from tests.memory import PREFIX
from tests.scenarios.play import Bot, Play


def test_two_installs_on_one_redis_each_have_a_leader_and_say_so_once(play: Play) -> None:
    bots = [play.cast(install=install) for install in ("one", "other")]
    for bot in bots:
        bot.start()
        wait_until("its leader", bot.leads, seconds=15)
    assert [said_of_others(bot) for bot in bots] == [
        [],
        ["this Redis also holds data of install one; install other leaves it alone"],
    ]


def said_of_others(bot: Bot) -> list[str]:
    return [line.split(": ", 1)[1] for line in bot.log().splitlines() if "also holds data" in line]


def begun(play: Play, *, install: str) -> Bot:
    """Start the first bot of an install, and wait until it has found that there is nothing to take up."""
    bot = play.cast(install=install).start()
    wait_until("an epoch", lambda: is_declared_whole(play.redis_url), seconds=15)
    return bot


def is_declared_whole(redis_url: str) -> bool:
    """Look at every install but the one that each test's database is made for."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        stores = [str(key) for key in client.scan_iter(prefix_of("*") + "store") if not str(key).startswith(PREFIX)]
        return any(client.hexists(store, "epoch") for store in stores)


@pytest.mark.parametrize("user", ["admin", "rolloutbot"])
def test_a_terminal_finds_what_a_bot_without_a_named_install_keeps(play: Play, user: str) -> None:
    bot = begun(play, install="")
    play.start()
    play.see("10 %")
    env = {
        "KUBECONFIG": str(play.api_server.kubeconfig(user)),
        "REDIS_URL": play.redis_url,
        "ROLLOUTBOT_CONFIG": str(play.folder / "bot-0.yaml"),
        "ROLLOUTBOT_INSTALL": "",
    }
    status = CliRunner().invoke(app, ["status"], env=env)
    assert (status.exit_code, CANARY in status.output) == (0, True)
    bot.server.kill()


def test_a_bot_goes_on_with_what_the_version_before_kept(play: Play) -> None:
    first = begun(play, install="before")
    play.start()
    play.see("10 %")
    first.server.kill()
    with redis.Redis.from_url(play.redis_url, decode_responses=True) as client:
        for key in client.scan_iter(f"{prefix_of('before')}*"):
            client.rename(key, ROOT + str(key).removeprefix(prefix_of("before")))
        client.delete(f"{ROOT}installs")
    second = play.cast(install="").start()
    wait_until("what it took over", lambda: "took over the data" in second.log(), seconds=10)
    play.say("status")
    play.until("the status", lambda: any(CANARY in said for said in play.private()))
    assert len(play.cards()) == 1
