"""Whether Redis and Slack take what the environment says, for `check-config`: every no, as a sentence."""

from collections.abc import Sequence
from http.client import HTTPException

from slack_sdk.errors import SlackApiError, SlackClientError

from bot.config.settings import Settings, TerminalSettings
from bot.domain.errors import StoreError
from bot.store.clock import RedisClock
from bot.store.connection import connect, store_errors
from bot.store.installs import KEY
from handlers.app import web_client
from handlers.slack import Slack, SlackError, refusal
from handlers.tokens import app_token_refusal


def redis_faults(settings: TerminalSettings) -> Sequence[str]:
    """Ask Redis what a bot asks it: the time, a key of the bot's, and a script on it. Nothing is written."""
    client = connect(settings.redis_url.get_secret_value())
    try:
        RedisClock(client).ask()
        with store_errors():
            client.eval("return redis.call('EXISTS', KEYS[1])", 1, KEY)
    except StoreError as error:
        return [str(error)]
    finally:
        client.close()
    return []


def slack_faults(settings: Settings) -> Sequence[str]:
    """Ask Slack whether it takes the bot's token, and in Socket Mode the app's. No connection is opened."""
    client = web_client(settings.slack_bot_token.get_secret_value(), base_url=settings.slack_api_url)
    faults: list[str] = []
    try:
        Slack(client).identity()
    except SlackError as error:
        faults.append(str(error))
    if settings.slack_app_token is not None:
        try:
            client.apps_connections_open(app_token=settings.slack_app_token.get_secret_value())
        except (OSError, HTTPException, SlackClientError, ValueError) as error:
            faults.append(app_token_refusal(error) or _no_answer(error))
    return faults


def _no_answer(error: Exception) -> str:
    said = f"refused (`{refusal(error).error}`)" if isinstance(error, SlackApiError) else "did not answer"
    return f"Slack {said} when it was asked for a Socket Mode connection."
