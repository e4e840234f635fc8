"""What Slack holds: channels, people, messages and their history, triggers and reply addresses."""

import itertools
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, Literal

from sandbox.slack import BOT, GENERAL, INFERENCE, PEOPLE, TEAM
from sandbox.strict_slack.block_kit import faults

Words = Mapping[str, Any]
TRIGGER_LASTS = 3.0
REPLIES, REPLIES_LAST = 5, 30 * 60.0


class RefusedError(Exception):
    """Slack refuses a call, with its own error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One thing that happened to a message. ``by`` is the bot, or the person who deleted the message."""

    what: Literal["posted", "edited", "deleted"]
    at: float
    by: str
    channel: str
    ts: str
    thread_ts: str
    block_id: str
    text: str
    blocks: Sequence[Words]
    broadcast: bool = False


@dataclass(slots=True)
class ReplyTo:
    """An address for private answers, good for a few of them and half an hour."""

    user: str
    channel: str
    since: float
    uses: int = 0


@dataclass(repr=False)
class Workspace:
    """One workspace and its bot. ``now`` gives the time; everything else may change while it runs.

    ``channels`` hold Slack's facts (``is_member``, ``is_archived``, ``is_private`` …). A page of history has at most
    ``page`` messages. A message may be edited for ``edit_window`` seconds. ``enterprise`` is the id of the Enterprise
    organisation that the workspace belongs to; empty if it belongs to none.
    """

    now: Callable[[], float] = time.time
    channels: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {channel: {"is_member": True} for channel in (INFERENCE, GENERAL)}
    )
    users: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {user: {"name": name, "team_id": TEAM} for user, name in PEOPLE.items()}
    )
    messages: list[dict[str, Any]] = field(default_factory=list)
    journal: list[Happened] = field(default_factory=list)
    private: list[dict[str, Any]] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)
    homes: dict[str, dict[str, Any]] = field(default_factory=dict)
    triggers: dict[str, float | None] = field(default_factory=dict)
    replies: dict[str, ReplyTo] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By id: what was uploaded, and where it is shared."""
    url: str = ""
    edit_window: float | None = None
    page: int = 200
    enterprise: str = ""
    lock: RLock = field(default_factory=RLock)
    _newest: float = 0.0
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    # --- what is seen

    def cards(self, channel: str | None = None) -> list[dict[str, Any]]:
        """Return the messages in a channel, without thread replies, oldest first."""
        with self.lock:
            return [m for m in self.messages if "thread_ts" not in m and channel in (None, m["channel"])]

    def thread(self, ts: str) -> list[dict[str, Any]]:
        """Return the replies to a message, oldest first."""
        with self.lock:
            return [m for m in self.messages if m.get("thread_ts") == ts]

    def message(self, channel: str, ts: str) -> dict[str, Any]:
        """Return a message. A deleted one with replies is a tombstone."""
        for message in self.messages:
            if (message["channel"], message["ts"]) == (channel, ts) and message.get("subtype") != "tombstone":
                return message
        raise RefusedError("message_not_found")

    # --- what happens

    def add(self, channel: str, words: Words) -> dict[str, Any]:
        """Post a message as the bot. No two messages have the same time."""
        self._newest = max(self.now(), self._newest + 0.000_001)
        thread = words.get("thread_ts")
        reply = {"thread_ts": thread, "broadcast": bool(words.get("reply_broadcast"))} if thread else {}
        ours = {"user": BOT, "bot_id": "B0ROLLOUT1", "edits": 0}
        written = {"text": words["text"], "blocks": words["blocks"]}
        message = {"channel": channel, "ts": f"{self._newest:.6f}", **ours, **written, **reply}
        self.messages.append(message)
        self._note("posted", message, BOT)
        return message

    def edit(self, message: dict[str, Any], words: Words) -> None:
        """Edit a message as the bot."""
        message.update(text=words["text"], blocks=words["blocks"], edits=message["edits"] + 1)
        self._note("edited", message, BOT)

    def remove(self, channel: str, ts: str, by: str) -> None:
        """Delete a message; its replies stay."""
        with self.lock:
            message = self.message(channel, ts)
            self._note("deleted", message, by)
            if self.thread(ts):
                message.update(subtype="tombstone", user="USLACKBOT", bot_id="", text="", blocks=[])
            else:
                self.messages.remove(message)

    def trigger(self) -> str:
        """Return a new trigger. It opens one dialog, for three seconds."""
        with self.lock:
            trigger = f"{next(self._numbers)}.{secrets.token_hex(8)}"
            self.triggers[trigger] = self.now()
            return trigger

    def use_trigger(self, trigger: str) -> None:
        """Use up a trigger."""
        if trigger not in self.triggers:
            raise RefusedError("invalid_trigger_id")
        since = self.triggers[trigger]
        if since is None:
            raise RefusedError("exchanged_trigger_id")
        if self.now() - since > TRIGGER_LASTS:
            raise RefusedError("expired_trigger_id")
        self.triggers[trigger] = None

    def reply_to(self, user: str, channel: str) -> str:
        """Return the path of a new address for private answers."""
        with self.lock:
            path = f"/respond/{next(self._numbers)}/{secrets.token_hex(8)}"
            self.replies[path] = ReplyTo(user, channel, self.now())
            return path

    def answer_privately(self, path: str, words: Words) -> None:
        """Show one person a sentence."""
        reply = self.replies.get(path)
        if reply is None:
            raise RefusedError("no_such_url")
        if reply.uses >= REPLIES:
            raise RefusedError("used_url")
        if self.now() - reply.since > REPLIES_LAST:
            raise RefusedError("expired_url")
        if said := faults("text", words["blocks"]) if "blocks" in words else []:
            raise RefusedError(f"invalid_blocks: {said}")
        reply.uses += 1
        self.private.append({**words, "user": reply.user, "channel": reply.channel, "path": path})

    def place_for_file(self, name: str, length: int, alt_text: str) -> str:
        """Return the path to which a file is sent."""
        with self.lock:
            file = f"F{next(self._numbers):010}"
            self.files[file] = {"id": file, "name": name, "length": length, "alt_txt": alt_text, "content": b""}
            return f"/upload/{file}"

    def take_file(self, path: str, content: bytes) -> None:
        """Keep what was sent. Raises RefusedError if it is not what was announced."""
        file = self.files.get(path.rpartition("/")[2])
        if file is None or len(content) != file["length"]:
            raise RefusedError("invalid_upload")
        file["content"] = content

    def share_file(self, file: str, title: str, channel: str, thread_ts: str) -> dict[str, Any]:
        """Show a file that was sent in a thread. Raises RefusedError if it was not sent."""
        known = self.files.get(file)
        if known is None or not known["content"]:
            raise RefusedError("file_not_found")
        known.update(title=title, channel=channel, thread_ts=thread_ts)
        return {"id": file, "title": title}

    def _note(self, what: Literal["posted", "edited", "deleted"], message: Words, by: str) -> None:
        happened = Happened(
            what=what,
            at=self.now(),
            by=by,
            channel=message["channel"],
            ts=message["ts"],
            thread_ts=message.get("thread_ts", ""),
            block_id=block_id(message),
            text=message["text"],
            blocks=message["blocks"],
            broadcast=message.get("broadcast", False),
        )
        self.journal.append(happened)


def block_id(message: Words) -> str:
    """Return the id of a message's first block; empty if it has no blocks, or its first one has no id."""
    blocks = message.get("blocks") or [{}]
    return str(blocks[0].get("block_id", ""))
