"""Tokens that Slack no longer takes."""

import pytest
from slack_sdk.errors import SlackApiError

from handlers.app import web_client
from handlers.connection_log import ConnectionLog
from handlers.slack import Slack
from handlers.tokens import BotToken, app_token_refusal
from sandbox.slack import APP_TOKEN, BOT_TOKEN
from sandbox.strict_slack import StrictSlack

SET_IT = "Set `SLACK_BOT_TOKEN` to the Bot User OAuth Token that your Slack app shows now, and restart the bot."
MAKE_ONE = (
    "Slack does not take `SLACK_APP_TOKEN` (`invalid_auth`). Make an App-Level Token with the scope "
    "`connections:write` in your Slack app, set it, and restart the bot."
)


def the_token(slack: StrictSlack, token: str = BOT_TOKEN) -> BotToken:
    return BotToken(Slack(web_client(token, base_url=slack.api_url)))


@pytest.mark.parametrize("word", ["token_revoked", "account_inactive", "token_expired", "invalid_auth"])
def test_a_revoked_token_is_told_once_with_the_way_out_and_so_is_its_end(
    slack: StrictSlack, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    token = the_token(slack)
    token.ask()
    assert token.refusal == ""
    revoked = slack.faults.begin(word)
    token.ask()
    token.ask()
    assert token.refusal == f"Slack refused (`{word}`). {SET_IT}"
    slack.faults.lift(revoked)
    token.ask()
    assert token.refusal == ""
    assert caplog.messages == [f"Slack refused (`{word}`). {SET_IT}", "Slack takes the bot's token again."]


@pytest.mark.parametrize("trip", ["500", "429", "lost", "fatal_error"])
def test_while_slack_is_away_its_last_word_counts(slack: StrictSlack, trip: str) -> None:
    well, wrong = the_token(slack), the_token(slack, "xoxb-other")
    for token in (well, wrong):
        token.ask()
        slack.faults.next("auth.test", trip)
        token.ask()
    assert (well.refusal, wrong.refusal) == ("", f"Slack refused (`invalid_auth`). {SET_IT}")


def refused(slack: StrictSlack, word: str = "") -> SlackApiError:
    if word:
        slack.faults.next("apps.connections.open", word)
    token = APP_TOKEN if word else "xapp-other"
    with pytest.raises(SlackApiError) as error:
        web_client(BOT_TOKEN, base_url=slack.api_url).apps_connections_open(app_token=token)
    return error.value


def test_a_refused_app_token_is_told_once_as_an_error_and_forgotten_when_it_works(
    slack: StrictSlack, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    connection = ConnectionLog()
    connection.failed(OSError())
    for _ in range(3):
        connection.failed(refused(slack))
    assert connection.refusal == MAKE_ONE
    connection.works()
    assert connection.refusal == ""
    assert [(record.levelname, record.getMessage()) for record in caplog.records[:2]] == [
        ("WARNING", "Slack cannot be reached (OSError): commands and clicks do not arrive. I keep trying."),
        ("ERROR", f"{MAKE_ONE} Until then, commands and clicks do not arrive."),
    ]
    assert [record.getMessage()[:24] for record in caplog.records[2:]] == ["Connected to Slack again"]


def test_too_many_connections_are_no_matter_of_the_token(slack: StrictSlack) -> None:
    assert app_token_refusal(refused(slack, "too_many_websockets")) == (
        "Slack allows no further connection of this app (`too_many_websockets`): end other installs that use it, or "
        "give each an app of its own."
    )
    assert app_token_refusal(refused(slack, "internal_error")) == ""
    assert app_token_refusal(OSError("invalid_auth")) == ""
