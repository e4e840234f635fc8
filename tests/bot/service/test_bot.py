"""The parts of a running bot, put together and not started."""

from bot.config.settings import read_settings
from bot.service.bot import assemble
from sandbox.apiserver import ApiServer


def test_readyz_says_what_to_do_about_a_redis_that_refuses(api_server: ApiServer, redis_url: str) -> None:
    bot = assemble(
        read_settings(
            {
                "SLACK_BOT_TOKEN": "xoxb-1-bot",
                "SLACK_SIGNING_SECRET": "0123456789abcdef",
                "REDIS_URL": redis_url.replace("//", "//nobody:wrong@"),
                "KUBECONFIG": str(api_server.kubeconfig()),
            }
        )
    )
    said = {name: check() for name, check in bot.checks().items()}
    bot.handlers.close()
    bot.cluster.close()
    refused = "Redis refused (`WRONGPASS`). Check the user and the password in `REDIS_URL`."
    assert said == {"Redis": refused, "Slack": ""}
