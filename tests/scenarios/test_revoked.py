"""A bot whose tokens and password nobody takes any more: what it says of each, and where."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import urllib3
from typer.testing import CliRunner

from bot.__main__ import app
from sandbox.apiserver import ApiServer
from sandbox.slack import APP_TOKEN, BOT_TOKEN
from sandbox.strict_slack import StrictSlack, strict_slack
from sandbox.valkey import Valkey
from tests.scenarios.front import Front
from tests.scenarios.play import Bot, bot_process
from tests.stage import Stage

SLACK = "Slack refused (`invalid_auth`). Set `SLACK_BOT_TOKEN` to the Bot User OAuth Token that your Slack app shows"
SOCKET = "Slack does not take `SLACK_APP_TOKEN` (`invalid_auth`). Make an App-Level Token with the scope"
REDIS = "Redis refused (`WRONGPASS`). Check the user and the password in `REDIS_URL`."
CLUSTER = "The API server does not know the bot (401). Check its token or kubeconfig."


@pytest.fixture
def slack() -> Iterator[StrictSlack]:
    with strict_slack() as running:
        yield running


@pytest.fixture
def environment(slack: StrictSlack, api_server: ApiServer, own_valkey: Valkey, tmp_path: Path) -> dict[str, str]:
    """Return an environment in which everything was good once."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        api_server.kubeconfig("rolloutbot").read_text().replace(api_server.tokens["rolloutbot"], "revoked")
    )
    with redis.Redis.from_url(own_valkey.url()) as client:
        client.execute_command(*["ACL", "SETUSER", "rolloutbot", "on", ">new", "~{rolloutbot}:*", "+@all"])
    return {
        "SLACK_API_URL": slack.api_url,
        "SLACK_BOT_TOKEN": "xoxb-revoked",
        "SLACK_APP_TOKEN": "xapp-revoked",
        "REDIS_URL": own_valkey.url().replace("//", "//rolloutbot:old@"),
        "KUBECONFIG": str(kubeconfig),
    }


def until(bot: Bot, *sentences: str) -> None:
    """Wait until a bot's /readyz says all of this."""
    bot.server.wait_ready(lambda: all(sentence in readyz(bot) for sentence in sentences))


def readyz(bot: Bot) -> str:
    try:
        return urllib3.request("GET", f"http://{bot.probes}/readyz", timeout=5, retries=False).data.decode()
    except urllib3.exceptions.HTTPError:
        return ""


def test_each_cause_is_named_with_its_way_out(environment: dict[str, str], tmp_path: Path) -> None:
    bot = bot_process("bot", tmp_path, environment)
    bot.server.start()
    until(bot, f"Redis: {REDIS}\n", f"Slack: {SLACK}", f"warning: {CLUSTER}\n")
    bot.wait_log(SOCKET)
    bot.wait_log(REDIS)
    log = bot.log()
    bot.server.kill()
    assert (log.count(SLACK), log.count(SOCKET), log.count(f"k8s.watch: {CLUSTER}")) == (1, 1, 1)
    assert "revoked" not in log


def test_check_config_names_each_too(environment: dict[str, str]) -> None:
    said = CliRunner().invoke(app, ["check-config", "--redis", "--slack"], env=environment)
    assert said.exit_code == 3
    assert [line[:60] for line in said.stderr.splitlines()] == [each[:60] for each in (REDIS, SLACK, SOCKET)]
    said = CliRunner().invoke(app, ["check-config", "--cluster"], env=environment)
    assert (said.exit_code, said.stderr) == (3, f"{CLUSTER}\n")
    good = {"SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_APP_TOKEN": APP_TOKEN}
    good["REDIS_URL"] = environment["REDIS_URL"].replace("old@", "new@")
    said = CliRunner().invoke(app, ["check-config", "--redis", "--slack"], env={**environment, **good})
    assert (said.exit_code, said.stdout.splitlines()[-1]) == (0, "Redis and Slack take the bot.")


def test_whoever_waits_is_told_in_private(stage: Stage, slack: StrictSlack) -> None:
    stage.started(10)
    slack.faults.begin("token_revoked", method="users.info")
    (said,) = Front(stage, slack).types("pause")
    assert said.split(" (ref")[0] == (
        "Slack refused (`token_revoked`). Set `SLACK_BOT_TOKEN` to the Bot User OAuth Token that your Slack app shows "
        "now, and restart the bot. Your request is kept and will be tried again"
    )
