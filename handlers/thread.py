"""The thread under a card: what happened, in order, one line an event, and what the whole channel sees of it."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from bot.domain.access import Access
from bot.domain.events import Event, EventKind
from bot.domain.prose import Person, Prose, clock, joined, say
from bot.domain.rollout import Entry, Phase
from bot.domain.sentences.charts import aloud
from bot.domain.sentences.what_happened import is_approved, told
from bot.domain.sentences.who_may import approvers_aloud
from bot.domain.telling import Audience, Tell
from handlers.cards import Card
from handlers.charts import charts_of, draw_charts
from handlers.figures import table
from handlers.mrkdwn import mrkdwn, spoken, units

MOST = 40
"""Events in one message; with the lengths of ``_room`` they fit into Slack's limit."""

SECTION = 2900
USUAL = Tell()
LOUD = frozenset({Audience.CHANNEL, Audience.MENTION})
NO_HEADS: Mapping[int | None, Prose] = {}


def message(events: Sequence[Event], entry: Entry, access: Access, *, first: int, tell: Tell = USUAL) -> Card:
    """Draw one message of the thread; ``first`` is the place of its first event in the stream, from 1."""
    mark = f"event:{entry.rollout.id}:{first}-{first + len(events) - 1}"
    loud, asks = _last(events, tell, LOUD), _last(events, tell, {Audience.MENTION})
    head = Prose() if loud is None else headline(events, loud, entry, access, tell)
    heads = {loud: head}
    if asks is not None and asks != loud:
        sentence = told(events, entry, longest=_room(len(events)))[asks]
        heads[asks] = joined(" ", (sentence, _concerned(events, asks, entry, access)))
    texts = _packed(lines(events, entry, heads))
    blocks = [_section(f"{mark}:{at}" if at else mark, text) for at, text in enumerate(texts)]
    drawn = charts_of(events)
    said = joined(" ", (head or texts[-1], aloud(drawn)))
    return Card(text=spoken(said), blocks=[*blocks, *table(mark, events), *draw_charts(mark, drawn)])


def is_broadcast(events: Sequence[Event], tell: Tell) -> bool:
    """Say whether the whole channel sees a message."""
    return _last(events, tell, LOUD) is not None


def lines(events: Sequence[Event], entry: Entry, heads: Mapping[int | None, Prose] = NO_HEADS) -> list[Prose]:
    """Write a line for each event, except an approval that the next one names, and charts that others explain.

    ``heads`` stand in their places.
    """
    sentences = told(events, entry, longest=_room(len(events)))
    are_explained = any(event.kind is not EventKind.PICTURE for event in events)
    return [
        say("{}  {}", clock(event.at), heads.get(at, sentences[at]))
        for at, event in enumerate(events)
        if not (_is_told_next(events, at) or (event.kind is EventKind.PICTURE and are_explained))
    ]


def headline(events: Sequence[Event], at: int, entry: Entry, access: Access, tell: Tell = USUAL) -> Prose:
    """Write one of the events for people who see only the channel, and mention whom it concerns."""
    sentence = say("`{}`: {}", entry.rollout.canary.name, told(events, entry)[at])
    if tell.audience(events[at]) is not Audience.MENTION:
        return sentence
    return joined(" ", (sentence, _concerned(events, at, entry, access)))


def _concerned(events: Sequence[Event], at: int, entry: Entry, access: Access) -> Prose:
    """Mention who may approve, as long as that is open, else who started it."""
    rollout, event = entry.rollout, events[at]
    if event.kind is not EventKind.APPROVAL_WANTED:
        is_told = event.by == rollout.started_by
        return Prose() if is_told else say("{} started it.", Person(rollout.started_by))
    # A card that is posted with the question names them: one mention is enough.
    is_on_card = bool(access.approve) and any(event.kind is EventKind.STARTED for event in events)
    if is_on_card or rollout.phase is not Phase.AWAITING_APPROVAL:
        return Prose()
    return say("It waits for {}.", approvers_aloud(rollout, access))


def _last(events: Sequence[Event], tell: Tell, audiences: Set[Audience]) -> int | None:
    """Return the place of the last event that one of these audiences hears of."""
    return max((at for at, event in enumerate(events) if tell.audience(event) in audiences), default=None)


def _is_told_next(events: Sequence[Event], at: int) -> bool:
    """Say whether the next sentence names this approval, which has no reason of its own."""
    if at + 1 == len(events) or events[at].reason.strip():
        return False
    return events[at + 1].kind is EventKind.PROMOTED and is_approved(events, at + 1)


def _room(count: int) -> int:
    """Divide the room for reasons among this many events."""
    return min(1000, 5200 // count)


def _packed(told_lines: Sequence[Prose]) -> list[Prose]:
    """Join lines into as few texts as Slack's limit allows."""
    texts: list[Prose] = []
    for line in told_lines:
        if texts and units(mrkdwn(texts[-1])) + units(mrkdwn(line)) < SECTION:
            texts[-1] = joined("\n", (texts[-1], line))
        else:
            texts.append(line)
    return texts


def _section(block_id: str, text: Prose) -> dict[str, Any]:
    return {
        "type": "section",
        "block_id": block_id,
        "text": {"type": "mrkdwn", "text": mrkdwn(text), "verbatim": True},
    }
