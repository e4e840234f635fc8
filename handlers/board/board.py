"""The board: keeps each topic's card and thread in Slack as the store says, and posts nothing twice.

The board claims a post in the store before it sends it. If no answer came, it looks for the message by its block id
before it posts again; the oldest one counts, and the board deletes its own duplicates. It saves what Slack shows only
over what it saw before, so a leader that froze and wakes up undoes nothing.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.errors import DependencyError, StoreError, UnreadableError
from bot.engine.store_port import BoardMemory as Memory
from bot.engine.store_port import Shown
from handlers.board.card_state import CardState, card_number, digest_of, last_event, recounted
from handlers.board.pace import REFUSED, UNANSWERED, Pace
from handlers.board.search import Searches, Stretch
from handlers.board.topic import Note, Topic, Topics
from handlers.board.waiting import Later, OvertakenError, Wait, Waiting
from handlers.cards import Card
from handlers.slack import Fault, FoundMessage, Slack, SlackError

log = logging.getLogger(__name__)

SETTLE = timedelta(seconds=10)
"""How long after a lost answer a message may still turn up."""

SKEW = timedelta(minutes=5)
"""How far Slack's clock and ours may be apart."""

LONGEST_SETTLE = timedelta(seconds=5)
"""The longest wait for a message that is on its way, whatever the clock says."""

LIMIT = 1000
UNREADABLE = "unreadable"
"""The lane of topics whose channel nobody knows."""
UPDATE, POST, HISTORY = "chat.update", "chat.postMessage", "conversations.history"


class Board:
    """Brings Slack up to date, one card at a time; only the leader runs it, and two of them do no harm.

    Cards of different channels may be brought up to date at once, those of one channel one after another.
    """

    def __init__(self, memory: Memory, topics: Topics, slack: Slack) -> None:
        self._memory, self._topics, self._slack = memory, topics, slack
        self._pace = Pace()
        self._searches = Searches(slack, self._pace)
        self._channels: dict[str, str] = {}
        self._waiting = Waiting()

    def behind(self) -> Mapping[str, Mapping[str, str]]:
        """Return the marks of the topics whose card or thread is behind, by channel; the most urgent come first, and
        those that failed come last.
        """
        known, dirty = self._channels, self._memory.dirty(LIMIT)
        self._channels = {topic_id: known.get(topic_id) or self._channel(topic_id) for topic_id in dirty}
        self._waiting.forget_all_but(dirty)
        self._searches.forget_all_but(dirty)
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for topic_id in sorted(dirty, key=self._pace.failures):
            found[self._channels[topic_id]][topic_id] = dirty[topic_id]
        return found

    def _channel(self, topic_id: str) -> str:
        """Return the channel of a topic, which never changes; empty if it has none."""
        try:
            topic = self._topics.load(topic_id)
        except UnreadableError:
            return UNREADABLE
        return topic.channel if topic else ""

    def waits_until(self, topic_id: str, mark: str, channel: str, now: datetime) -> datetime | None:
        """Return when to look at a card again; None if it can be brought up to date now."""
        blocked = max(self._pace.blocked_until(key, now) for key in (topic_id, channel))
        at = max(blocked, self._waiting.until(topic_id, mark, now))
        return at if at > now else None

    def bring(self, topic_id: str, mark: str, channel: str, now: datetime) -> datetime | None:
        """Bring one card and its thread up to date, or return when to try again."""
        try:
            self._bring_up_to_date(topic_id, mark, now)
        except Later as later:
            self._waiting.put_off(topic_id, mark, later.wait)
            return later.wait.until(now)
        except StoreError:
            raise
        except Exception as error:
            return self._note(topic_id, channel, error, now)
        self._pace.worked(topic_id)
        self._pace.worked(channel)
        return None

    def _note(self, topic_id: str, channel: str, error: Exception, now: datetime) -> datetime:
        """Leave this card alone for a while, and its whole channel if others there would fail too."""
        fault = error.fault if isinstance(error, SlackError) else None
        is_said_once = fault is Fault.UNCLEAR or isinstance(error, UnreadableError)  # Slack is away; nobody can read it
        if not (is_said_once and self._pace.failures(topic_id)):
            trace = None if isinstance(error, DependencyError) else error
            log.warning("Card of %s: %s", topic_id, error, exc_info=trace)
        backoff = UNANSWERED if fault is Fault.UNCLEAR else REFUSED
        self._pace.failed(topic_id, now, backoff)
        if fault in (Fault.UNCLEAR, Fault.CHANNEL):
            self._pace.failed(channel, now, backoff)
        return self._pace.blocked_until(topic_id, now)

    def _bring_up_to_date(self, topic_id: str, mark: str, now: datetime) -> None:
        topic = self._topics.load(topic_id)
        if topic is not None and topic.channel:  # one that was started in a terminal may have none
            _let_it_arrive(topic, now)
            stored = self._memory.shown(topic_id)
            shown = stored or Shown(channel=topic.channel, doubt=0)
            state = self._card(CardState(topic=topic, shown=shown, stored=stored, now=now))
            try:
                self._thread(state)
            except Later as later:
                raise Later(later.wait.or_sooner(state.again)) from None
            if state.again:
                raise Later(state.again)
        self._memory.clean(topic_id, mark)

    # --- the card ---------------------------------------------------------------------------------------------

    def _card(self, state: CardState) -> CardState:
        if state.is_doubtful or (not state.shown.ts and state.shown.claimed is not None):
            state = self._look_for_card(state)
        return self._update(state) if state.shown.ts else self._post(state)

    def _look_for_card(self, state: CardState) -> CardState:
        """Find a card that we may have posted: a claimed one, or any if the store has forgotten."""
        claimed = None if state.is_doubtful else state.shown.claimed
        number = f"{state.shown.posts}." if claimed else ""
        since = claimed or state.topic.started_at
        found = self._find(state, f"card:{state.id}:{number}", since)
        newest = max((card_number(message.block_id) for message in found), default=0)
        kept = self._keep_oldest(state, [message for message in found if card_number(message.block_id) == newest])
        if kept is not None:
            return self._save(state, ts=kept.ts, claimed=None, posts=newest, digest="")
        return state if state.shown.ts else self._save(state, claimed=None, doubt=None)

    def _update(self, state: CardState) -> CardState:
        card = state.topic.draw(state.shown.posts)
        digest = digest_of(card)
        if digest == state.shown.digest:
            return state
        try:
            self._edit(state, card)
        except Later as later:  # the thread need not wait for that
            return replace(state, again=later.wait)
        except SlackError as error:
            if error.fault is not Fault.GONE:
                raise
            return self._post(self._save(state, ts="", claimed=None, digest=""))
        return self._save(state, digest=digest)

    def _edit(self, state: CardState, card: Card) -> None:
        self._pace.wait_for(UPDATE, state.now)
        self._pace.take_edit(state.topic, state.now)
        try:
            self._slack.update(state.shown.channel, state.shown.ts, card)
        except SlackError as error:
            if error.fault in (Fault.UNCLEAR, Fault.LIMITED):
                self._pace.give_back(state.id, state.now)
            raise self._later(error, UPDATE, state.now) from error

    def _post(self, before: CardState) -> CardState:
        channel = before.shown.channel
        self._searches.forget(before.id)
        self._wait_to_post(before)
        state = self._save(before, claimed=before.now, posts=before.shown.posts + 1, digest="")
        card = state.topic.draw(state.shown.posts)
        ts = self._send(before, state, lambda: self._slack.post(channel, card))
        self._pace.drawn(state.topic, state.now)
        try:
            return self._save(state, ts=ts, claimed=None, digest=digest_of(card))
        except OvertakenError:
            self._give_way(state, ts)
            raise

    def _give_way(self, state: CardState, ts: str) -> None:
        """Delete our card, unless it is the one that the other leader found; a store that forgot looks again."""
        stored = self._memory.shown(state.id)
        if stored is not None and stored.doubt is None and stored.ts != ts:
            self._slack.delete(stored.channel, ts)

    # --- the thread -------------------------------------------------------------------------------------------

    def _thread(self, state: CardState) -> CardState:
        if state.is_doubtful:
            state = self._recount(state)
        elif state.shown.thread_claimed is not None:
            state = self._look_for_reply(state)
        while note := state.topic.note(state.shown.cursor, state.next_place):
            state = self._reply(state, note)
        return state if state.shown.thread_claimed is None else self._save(state, thread_claimed=None)

    def _recount(self, state: CardState) -> CardState:
        """Count what the thread tells already, if the store has forgotten events or how far the thread is."""
        since = state.topic.started_at
        found = self._find(state, f"event:{state.id}:", since, thread_ts=state.shown.ts)
        told = max((last_event(message.block_id) for message in found), default=0)
        cursor, forgotten = recounted(state.shown, told)
        self._searches.forget(state.id)
        return self._save(state, cursor=cursor, forgotten=forgotten, thread_claimed=None, doubt=None)

    def _look_for_reply(self, state: CardState) -> CardState:
        claimed = state.shown.thread_claimed or state.now
        kept = self._keep_oldest(state, self._find(state, state.next_mark, claimed, thread_ts=state.shown.ts))
        if kept is None:  # the claim stays until we post: whoever made it may be frozen, and its reply still come
            return state
        return self._save(state, cursor=last_event(kept.block_id) - state.shown.forgotten, thread_claimed=None)

    def _reply(self, before: CardState, note: Note) -> CardState:
        shown = before.shown
        self._wait_to_post(before)
        state = self._save(before, thread_claimed=before.now)
        card, loud = note.card, note.is_broadcast
        ts = self._send(
            before, state, lambda: self._slack.post(shown.channel, card, thread_ts=shown.ts, broadcast=loud)
        )
        try:
            return self._save(state, cursor=shown.cursor + note.events, thread_claimed=None)
        except OvertakenError:
            self._take_back(state, ts)
            raise

    def _take_back(self, state: CardState, ts: str) -> None:
        """Delete our reply if another leader has posted the same without finding ours."""
        shown = state.shown
        place = Stretch(shown.channel, state.next_mark, state.now - SKEW, shown.ts)
        if any(message.ts != ts for message in self._searches.find(state.topic, place, state.now)):
            self._slack.delete(shown.channel, ts)

    # --- what both need ---------------------------------------------------------------------------------------

    def _find(self, state: CardState, prefix: str, since: datetime, *, thread_ts: str = "") -> list[FoundMessage]:
        is_claimed = state.shown.claimed or state.shown.thread_claimed
        if state.now < since + SETTLE and is_claimed and not state.is_doubtful:
            raise Later(Wait(since + SETTLE))
        self._pace.wait_for(HISTORY, state.now)
        try:
            found = self._searches.find(
                state.topic, Stretch(state.shown.channel, prefix, since - SKEW, thread_ts), state.now
            )
        except SlackError as error:
            if error.fault in (Fault.REFUSED, Fault.GONE):  # we may not read the channel: better two cards than none
                log.warning("Cannot look for %s: %s", prefix, error)
                return []
            raise self._later(error, HISTORY, state.now) from error
        if not state.is_doubtful:
            self._searches.forget(state.id)
        return found

    def _keep_oldest(self, state: CardState, found: list[FoundMessage]) -> FoundMessage | None:
        for double in found[1:]:
            self._slack.delete(state.shown.channel, double.ts)
        return found[0] if found else None

    def _send(self, before: CardState, claimed: CardState, post: Callable[[], str]) -> str:
        """Post under a claim; if Slack clearly did not take it, put back what was stored ``before``."""
        try:
            return post()
        except SlackError as error:
            if error.fault is Fault.GONE:  # the card is gone: the next round posts a new one and its thread
                self._save(claimed, ts="", digest="", thread_claimed=None)
            elif error.fault is not Fault.UNCLEAR:
                self._memory.show(claimed.id, before.shown, was=claimed.stored)
            raise self._later(error, _posting(before.shown.channel), before.now) from error

    def _later(self, error: SlackError, key: str, now: datetime) -> Exception:
        """Turn "slow down" into a wait for this one kind of call."""
        if error.fault is not Fault.LIMITED:
            return error
        return Later(self._pace.block(key, now, timedelta(seconds=error.retry_after)))

    def _wait_to_post(self, state: CardState) -> None:
        channel = state.shown.channel
        self._pace.wait_for(_posting(channel), state.now)
        self._pace.take_post(channel, state.now)

    def _save(self, state: CardState, **changes: object) -> CardState:
        shown = replace(state.shown, **changes)  # type: ignore[arg-type]
        if not self._memory.show(state.id, shown, was=state.stored):
            raise OvertakenError(Wait(state.now))
        return replace(state, shown=shown, stored=shown)


def _let_it_arrive(topic: Topic, now: datetime) -> None:
    """Wait for what is under way, rather than show for seconds a state that lasts milliseconds."""
    at = topic.settles_at
    if at is not None and timedelta(0) < at - now <= LONGEST_SETTLE:
        raise Later(Wait(at))


def _posting(channel: str) -> str:
    """Slack's limit on posts counts by channel."""
    return f"{POST} {channel}"
