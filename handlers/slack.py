"""Slack's Web API: the calls that we make, and its failures as our errors."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.domain.chart import Chart
from bot.domain.errors import DependencyError
from bot.domain.sentences.charts import aloud
from bot.engine.lane import Lane
from handlers.cards import Card
from handlers.chart_image import png
from handlers.charts import charts_in, without_charts

log = logging.getLogger(__name__)

TIMEOUT = 5


class Fault(StrEnum):
    """What a failed call means for us."""

    LIMITED = "limited"  # 429: nothing happened, ask again later
    UNCLEAR = "unclear"  # no answer, or an unclear one: it may have happened
    CHANNEL = "channel"  # this channel cannot be written to; others can
    GONE = "gone"  # the message is not there, or can no longer be edited
    REFUSED = "refused"  # any other refusal of Slack's


_FAULTS = {
    "ratelimited": Fault.LIMITED,
    "rate_limited": Fault.LIMITED,
    **dict.fromkeys(("internal_error", "fatal_error", "request_timeout", "service_unavailable"), Fault.UNCLEAR),
    **dict.fromkeys(
        ("channel_not_found", "is_archived", "is_inactive", "not_in_channel", "restricted_action", "no_permission"),
        Fault.CHANNEL,
    ),
    **dict.fromkeys(
        (
            "message_not_found",
            "edit_window_closed",
            "cant_update_message",
            "thread_not_found",
            "cannot_reply_to_message",
        ),
        Fault.GONE,
    ),
}


class SlackError(DependencyError):
    """A call to Slack failed; ``error`` is Slack's own word for it."""

    def __init__(self, fault: Fault, error: str, *, retry_after: int = 0) -> None:
        super().__init__(_SENTENCES[fault].format(error=error), hint=_NEXT.get(error, ""))
        self.fault = fault
        self.error = error
        self.retry_after = retry_after


_SENTENCES = {
    Fault.LIMITED: "Slack asked us to slow down.",
    Fault.UNCLEAR: "Slack did not answer.",
    Fault.CHANNEL: "Slack does not let me write to the channel (`{error}`).",
    Fault.GONE: "The message is gone (`{error}`).",
    Fault.REFUSED: "Slack refused (`{error}`).",
}


TOKEN_WORDS = frozenset(
    {"invalid_auth", "not_authed", "not_allowed_token_type", "token_revoked", "token_expired", "account_inactive"}
)
"""What Slack answers to a token that it does not take."""

_NEXT = {
    **dict.fromkeys(
        TOKEN_WORDS,
        "Set `SLACK_BOT_TOKEN` to the Bot User OAuth Token that your Slack app shows now, and restart the bot.",
    ),
    "missing_scope": "Install the Slack app again, with the scopes of `manifests/slack-app.yaml`.",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are in Slack."""

    team: str
    enterprise: str
    user: str
    bot: str
    workspace: str = ""  # its address in a browser, https://NAME.slack.com/


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """One of our messages: when it was posted, and its first block's id."""

    ts: str
    block_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """Our messages on one page of history; ``next`` is where the next page begins, empty if there is none."""

    found: Sequence[FoundMessage]
    next: str


class Slack:
    """The calls, each bounded in time, none retried without our knowledge."""

    def __init__(self, client: WebClient) -> None:
        self._client = client
        self._identity: Identity | None = None
        self._draws_charts = True
        self._pictures = Lane("picture", 1)  # several slow calls, for which no card should wait

    def identity(self, *, again: bool = False) -> Identity:
        """Return who we are: asked once, and ``again`` on demand."""
        if again or self._identity is None:
            answer = _call(self._client.auth_test)
            words = (str(answer.get(key) or "") for key in ("team_id", "enterprise_id", "user_id", "bot_id", "url"))
            self._identity = Identity(*words)
        return self._identity

    @property
    def workspace(self) -> str:
        """Return the address of our workspace; empty if Slack has not been asked yet who we are, or it is none."""
        address = self._identity.workspace if self._identity else ""
        return address if re.fullmatch(r"https?://[A-Za-z0-9.:-]+/", address) else ""

    def post(self, channel: str, card: Card, *, thread_ts: str = "", broadcast: bool = False) -> str:
        """Post a message and return its ts. A workspace that knows no charts gets words, and then pictures."""
        plain = without_charts(card)
        if plain is None or self._draws_charts:
            try:
                return self._post(channel, card, thread_ts=thread_ts, broadcast=broadcast)
            except SlackError as error:
                if plain is None or error.error != "invalid_blocks":
                    raise
        ts = self._post(channel, plain, thread_ts=thread_ts, broadcast=broadcast)
        self._draws_charts = False  # until the next start: then Slack may have learnt it
        self._pictures.take(lambda: self._upload(channel, thread_ts or ts, charts_in(card)), key=thread_ts or ts)
        return ts

    def close(self) -> None:
        """Wait a moment for pictures that are on their way: nobody sends them again."""
        self._pictures.settle(TIMEOUT)
        self._pictures.stop_line()

    def _upload(self, channel: str, thread_ts: str, charts: Sequence[Chart]) -> None:
        """Put pictures into a thread. They are posted once at most: the message before has said the same in words."""
        files = [
            {"content": png(chart), "filename": "chart.png", "title": chart.title, "alt_txt": str(aloud([chart]))}
            for chart in charts
        ]
        try:
            _call(self._client.files_upload_v2, channel=channel, thread_ts=thread_ts, file_uploads=files)
        except SlackError as error:
            log.info("charts were told in words only: %s", error)

    def _post(self, channel: str, card: Card, *, thread_ts: str, broadcast: bool) -> str:
        thread = {"thread_ts": thread_ts, "reply_broadcast": broadcast} if thread_ts else {}
        quiet = {"unfurl_links": False, "unfurl_media": False}
        words = {"channel": channel, "text": card.text, "blocks": card.blocks}
        return str(_call(self._client.chat_postMessage, **words, **thread, **quiet)["ts"])

    def update(self, channel: str, ts: str, card: Card) -> None:
        """Replace a message."""
        _call(self._client.chat_update, channel=channel, ts=ts, text=card.text, blocks=card.blocks)

    def delete(self, channel: str, ts: str) -> None:
        """Delete one of our messages; it may be gone already."""
        try:
            _call(self._client.chat_delete, channel=channel, ts=ts)
        except SlackError as error:
            if error.fault is not Fault.GONE:
                raise

    def page(self, channel: str, prefix: str, since: datetime, thread_ts: str = "", cursor: str = "") -> Page:
        """Read a page of a channel's history, newest first, or of a thread, oldest first.

        It returns our messages whose first block id begins with ``prefix``.
        """
        where = {"channel": channel, "oldest": f"{since.timestamp():.6f}", "limit": 200, "inclusive": True}
        method: Callable[..., Any] = self._client.conversations_history
        if thread_ts:
            method, where = self._client.conversations_replies, where | {"ts": thread_ts}
        answer = _call(method, **where, **({"cursor": cursor} if cursor else {}))
        found = [
            FoundMessage(str(message["ts"]), block) for message, block in self._ours(answer) if block.startswith(prefix)
        ]
        return Page(found, str((answer.get("response_metadata") or {}).get("next_cursor") or ""))

    def _ours(self, answer: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], str]]:
        us = self.identity()
        messages = answer.get("messages") or []
        ours = [message for message in messages if message.get("user") == us.user or message.get("bot_id") == us.bot]
        return [(message, str(blocks[0].get("block_id", ""))) for message in ours if (blocks := message.get("blocks"))]

    def person(self, user: str) -> Mapping[str, Any]:
        """Return what Slack knows of somebody."""
        known: Mapping[str, Any] = _call(self._client.users_info, user=user)["user"]
        return known

    def channel(self, channel: str) -> Mapping[str, Any]:
        """Return what Slack knows of a channel."""
        known: Mapping[str, Any] = _call(self._client.conversations_info, channel=channel)["channel"]
        return known

    def open_view(self, trigger_id: str, view: Mapping[str, Any]) -> None:
        """Open a dialog for the person whose click this was, within three seconds of it."""
        _call(self._client.views_open, trigger_id=trigger_id, view=view)

    def publish_home(self, user: str, view: Mapping[str, Any]) -> None:
        """Show somebody the home tab."""
        _call(self._client.views_publish, user_id=user, view=view)


def _call(method: Callable[..., Any], **words: Any) -> Mapping[str, Any]:
    try:
        answer: Mapping[str, Any] = method(**words).data
    except SlackApiError as error:
        raise refusal(error) from error
    except (OSError, HTTPException, SlackClientError, ValueError) as error:
        raise SlackError(Fault.UNCLEAR, type(error).__name__) from error
    return answer


def refusal(error: SlackApiError) -> SlackError:
    """Return what an answer that is no success means for us."""
    answer: Any = error.response
    status = getattr(answer, "status_code", 0)
    word = str(answer.get("error") or "unknown") if hasattr(answer, "get") else "unknown"
    if status == 429 or _FAULTS.get(word) is Fault.LIMITED:
        return SlackError(Fault.LIMITED, word, retry_after=_seconds(answer.headers))
    if status >= 500 or " " in word:  # the body is not an answer from Slack
        return SlackError(Fault.UNCLEAR, f"status {status}")
    return SlackError(_FAULTS.get(word, Fault.REFUSED), word)


def _seconds(headers: Mapping[str, Any]) -> int:
    value = next((value for key, value in headers.items() if key.lower() == "retry-after"), "")
    text = str(value[0] if isinstance(value, list) else value)
    return min(max(int(text), 1), 600) if text.isdigit() else 30
