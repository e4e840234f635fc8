"""The methods of Slack's Web API that the bot uses, and what each refuses."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sandbox.slack import BOT, TEAM
from sandbox.strict_slack.block_kit import message_error, view_faults
from sandbox.strict_slack.workspace import RefusedError, Words, Workspace

Answer = dict[str, Any]
CONNECT = "apps.connections.open"
"""The only method that takes the app's token."""

POST_TEXT, UPDATE_TEXT = 40_000, 4_000


def _whoami(slack: Workspace, words: Words) -> Answer:
    organisation = {"enterprise_id": slack.enterprise} if slack.enterprise else {}
    us = {"team_id": TEAM, "user_id": BOT, "bot_id": "B0ROLLOUT1", "url": "https://sandbox.slack.com/"}
    return {**us, **organisation}


def _post(slack: Workspace, words: Words) -> Answer:
    channel = _channel(slack, words)
    if slack.channels[channel].get("is_archived"):
        raise RefusedError("is_archived")
    _take(words, most=POST_TEXT)
    thread = words.get("thread_ts")
    if thread and not any(message["ts"] == thread for message in slack.cards(channel)):
        raise RefusedError("thread_not_found")
    return {"channel": channel, "ts": slack.add(channel, words)["ts"]}


def _update(slack: Workspace, words: Words) -> Answer:
    channel = _channel(slack, words)
    if slack.channels[channel].get("is_archived"):
        raise RefusedError("is_inactive")
    message = slack.message(channel, words["ts"])
    if message["user"] != BOT:
        raise RefusedError("cant_update_message")
    if slack.edit_window is not None and slack.now() - float(message["ts"]) > slack.edit_window:
        raise RefusedError("edit_window_closed")
    _take(words, most=UPDATE_TEXT)
    slack.edit(message, words)
    return {"channel": channel, "ts": message["ts"]}


def _delete(slack: Workspace, words: Words) -> Answer:
    channel = _channel(slack, words)
    if slack.message(channel, words["ts"])["user"] != BOT:
        raise RefusedError("cant_delete_message")
    slack.remove(channel, words["ts"], BOT)
    return {"channel": channel, "ts": words["ts"]}


def _history(slack: Workspace, words: Words) -> Answer:
    channel = _channel(slack, words)
    shown = [m for m in slack.messages if m["channel"] == channel and m.get("broadcast", True)]
    return _page(slack, [m for m in shown if _since(m, words)][::-1], words)


def _replies(slack: Workspace, words: Words) -> Answer:
    channel = _channel(slack, words)
    parent = [message for message in slack.cards(channel) if message["ts"] == words["ts"]]
    if not parent:
        raise RefusedError("thread_not_found")
    return _page(slack, parent + [m for m in slack.thread(words["ts"]) if _since(m, words)], words)


def _since(message: Words, words: Words) -> bool:
    oldest = float(words.get("oldest", 0))
    is_inclusive = str(words.get("inclusive", "")).lower() in ("1", "true")
    return float(message["ts"]) > oldest or (is_inclusive and float(message["ts"]) == oldest)


def _page(slack: Workspace, messages: list[dict[str, Any]], words: Words) -> Answer:
    at, most = int(words.get("cursor") or 0), min(int(words.get("limit", 100)), slack.page)
    more = str(at + most) if at + most < len(messages) else ""
    return {"messages": messages[at : at + most], "response_metadata": {"next_cursor": more}}


def _upload_url(slack: Workspace, words: Words) -> Answer:
    path = slack.place_for_file(str(words["filename"]), int(words["length"]), str(words.get("alt_txt") or ""))
    return {"upload_url": f"{slack.url}{path}", "file_id": path.rpartition("/")[2]}


def _uploaded(slack: Workspace, words: Words) -> Answer:
    channel = _channel(slack, {"channel": words["channel_id"]})
    asked = words["files"]
    named = json.loads(asked) if isinstance(asked, str) else asked
    files = [slack.share_file(each["id"], str(each["title"]), channel, str(words["thread_ts"])) for each in named]
    return {"files": files}


def _user(slack: Workspace, words: Words) -> Answer:
    known = slack.users.get(words["user"])
    if known is None:
        raise RefusedError("user_not_found")
    return {"user": {"id": words["user"], **known}}


def _conversation(slack: Workspace, words: Words) -> Answer:
    known = slack.channels.get(words["channel"])
    if known is None or (known.get("is_private") and not known.get("is_member")):
        raise RefusedError("channel_not_found")
    return {"channel": {"id": words["channel"], **known}}


def _open(slack: Workspace, words: Words) -> Answer:
    slack.use_trigger(str(words.get("trigger_id")))
    slack.views.append({"id": f"V{len(slack.views):010}", **_view(words, "modal")})
    return {"view": slack.views[-1]}


def _publish(slack: Workspace, words: Words) -> Answer:
    user = str(words["user_id"])
    _user(slack, {"user": user})
    slack.homes[user] = {"id": f"VH{user}", **_view(words, "home")}
    return {"view": slack.homes[user]}


def _view(words: Words, kind: str) -> dict[str, Any]:
    view: dict[str, Any] = json.loads(words["view"]) if isinstance(words["view"], str) else words["view"]
    if view["type"] != kind or view_faults(view):
        raise RefusedError("invalid_arguments")
    return view


def _channel(slack: Workspace, words: Words) -> str:
    """Return a channel, if the bot is in it: it must be, to read or write."""
    channel = str(words["channel"])
    _conversation(slack, words)
    if not slack.channels[channel].get("is_member"):
        raise RefusedError("not_in_channel")
    return channel


def _take(words: Words, *, most: int) -> None:
    error = message_error(str(words.get("text") or ""), words.get("blocks") or [], most=most)
    if error:
        raise RefusedError(error)


def _connect(slack: Workspace, words: Words) -> Answer:
    """Name the place of a Socket Mode connection. Nobody listens there: this stand-in speaks HTTP only."""
    return {"url": "ws://127.0.0.1:1/"}


METHODS: Mapping[str, Callable[[Workspace, Words], Answer]] = MappingProxyType(
    {
        CONNECT: _connect,
        "auth.test": _whoami,
        "chat.postMessage": _post,
        "chat.update": _update,
        "chat.delete": _delete,
        "conversations.history": _history,
        "conversations.replies": _replies,
        "conversations.info": _conversation,
        "files.completeUploadExternal": _uploaded,
        "files.getUploadURLExternal": _upload_url,
        "users.info": _user,
        "views.open": _open,
        "views.publish": _publish,
    }
)
