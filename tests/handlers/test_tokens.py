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


@pytest.mark.parametrize(
    "word", ["token_revoked", "account_inactive", "token_expired", "invalid_auth", "not_allowed_token_type"]
)
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


def test_a_refusal_that_is_no_matter_of_the_token_is_told_too(slack: StrictSlack) -> None:
    token = the_token(slack)
    slack.faults.next("auth.test", "team_access_not_granted")
    token.ask()
    assert token.refusal == "Slack refused (`team_access_not_granted`)."


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


@pytest.mark.parametrize("word", ["missing_scope", "not_allowed_token_type", "token_revoked"])
def test_every_app_token_that_opens_no_connection_is_told_with_the_way_out(slack: StrictSlack, word: str) -> None:
    assert app_token_refusal(refused(slack, word)) == MAKE_ONE.replace("invalid_auth", word)


def test_an_organisation_that_allows_no_connection_is_no_slack_that_is_away(
    slack: StrictSlack, caplog: pytest.LogCaptureFixture
) -> None:
    ConnectionLog().failed(refused(slack, "access_denied"))
    assert caplog.messages == [
        "Slack does not let this app open a Socket Mode connection (`access_denied`). Ask whoever administers your "
        "Slack workspace or organisation. Until then, commands and clicks do not arrive."
    ]


def test_of_an_answer_that_is_none_of_slacks_the_log_quotes_nothing(
    slack: StrictSlack, caplog: pytest.LogCaptureFixture
) -> None:
    error = refused(slack, "500")
    caplog.clear()
    ConnectionLog().failed(error)
    assert caplog.messages == [
        "Slack cannot be reached (status 500): commands and clicks do not arrive. I keep trying."
    ]


def test_too_many_connections_are_no_matter_of_the_token(slack: StrictSlack) -> None:
    assert app_token_refusal(refused(slack, "too_many_websockets")) == (
        "Slack allows no further connection of this app (`too_many_websockets`): end other installs that use it, or "
        "give each an app of its own."
    )
    assert app_token_refusal(refused(slack, "internal_error")) == ""
    assert app_token_refusal(OSError("invalid_auth")) == ""
