"""Whether Redis, Slack and Prometheus answer as they should, for `check-config`: every no, as a sentence."""

from collections.abc import Iterable, Sequence
from http.client import HTTPException

from slack_sdk.errors import SlackApiError, SlackClientError

from bot.config.settings import Settings, TerminalSettings
from bot.domain.errors import MetricsError, StoreError
from bot.domain.evidence import EvidenceRules
from bot.gates.numbers.query import ALIVE, RUNNING, any_of, selecting
from bot.prometheus.client import PrometheusClient, client_of
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


def numbers_of(rules: EvidenceRules, namespaces: Sequence[str], now: float) -> str:
    """Say what Prometheus has of model servers and pickers. Raises MetricsError, also if it has nothing of servers."""
    if not rules.prometheus:
        raise MetricsError("The policy names no Prometheus (`evidence.prometheus`).")
    client = client_of(rules)
    servers = _count(client, "pod", RUNNING, namespaces, rules, now)
    pickers = _count(client, "job, service", ALIVE, namespaces, rules, now)
    where = ", ".join(f"`{namespace}`" for namespace in namespaces)
    if not servers:
        raise MetricsError(
            f"Prometheus has no numbers of model servers in {where}.", hint="docs/gates.md says what it has to scrape."
        )
    seen = f"{_named(servers, 'model server')} and {_named(pickers, 'endpoint picker')}"
    return f"Prometheus has numbers of {seen} in {where}."


def _named(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _count(
    client: PrometheusClient,
    by: str,
    names: Iterable[str],
    namespaces: Sequence[str],
    rules: EvidenceRules,
    now: float,
) -> int:
    """Count once what has several engines or names, or is scraped by several replicas of Prometheus."""
    where = f'namespace=~"{any_of(namespaces)}"{selecting(rules.labels)}'
    query = f'count(count by (namespace, {by}) ({{__name__=~"{any_of(names)}",{where}}}))'
    return sum(int(value) for series in client.now(query, now) for value in series.values.values())


def _no_answer(error: Exception) -> str:
    said = f"refused (`{refusal(error).error}`)" if isinstance(error, SlackApiError) else "did not answer"
    return f"Slack {said} when it was asked for a Socket Mode connection."
