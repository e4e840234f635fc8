"""The card: one rollout on one screen of a phone. Wanted and applied are told apart; nothing on it ticks.

Every piece of text has its own bound, so that no record can make a message that Slack refuses.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.access import Access
from bot.domain.events import Event, EventKind
from bot.domain.plan import show_duration
from bot.domain.prose import NAME, Code, Person, Prose, capitalised, joined, listed, moment, said, say, short
from bot.domain.rollout import Acceptance, Entry, Phase, Rollout
from bot.domain.sentences.doubts import doubts
from bot.domain.sentences.gates import evidence
from bot.domain.sentences.reasons import reason
from bot.domain.sentences.traffic import listed_routes
from bot.domain.sentences.where_it_stands import headword, state
from bot.domain.weights import filled, weight_there
from handlers.blocks import Block, actions, context, header, section
from handlers.buttons import draw_buttons
from handlers.mrkdwn import shorten, spoken
from handlers.plan_line import lock_rule, plan_line

CELLS = 12
MOST_APPROVERS, MOST_WARNINGS = 10, 3


@dataclass(frozen=True, slots=True)
class Card:
    """A message: ``text`` for screen readers and notifications, ``blocks`` for eyes."""

    text: str
    blocks: list[Block]


def draw(entry: Entry, access: Access, *, n: int, past: Sequence[Event] = (), offers: Sequence[Block] = ()) -> Card:
    """Draw a rollout as it is stored now; ``n`` counts the messages that have been its card.

    ``past`` has the events of the kinds that ``shows_past`` names; ``offers`` are buttons beside those of the verbs.
    """
    given = [event for event in past if event.kind is EventKind.APPROVED]
    mark = f"card:{entry.rollout.id}:{n}.{entry.rollout.revision}"
    blocks = [
        header(mark, _title(entry)),
        section(f"{mark}:state", state(entry, access)),
        *_weights(f"{mark}:weights", entry),
        context(f"{mark}:facts", _facts(entry, access)),
        *_warned(f"{mark}:warned", [event for event in past if event.kind is EventKind.WARNED]),
        *actions(f"{mark}:do", [*draw_buttons(entry), *offers]),
        context(f"{mark}:origin", joined("\n", (_origin(entry.rollout), _approved(given)))),
    ]
    return Card(text=spoken(_aloud(entry, access)), blocks=blocks)


def _title(entry: Entry) -> str:
    return f"{shorten(entry.rollout.canary.name, 100)}  ·  {headword(entry)}"


def _weights(block_id: str, entry: Entry) -> list[Block]:
    lines = [say("{}  {}", _bar(weight_there(entry)), _split(entry))] if shows_weights(entry) else []
    lines += [plan_line(entry)] if shows_plan(entry.rollout) else []
    return [section(block_id, joined("\n", lines))] if lines else []


def shows_weights(entry: Entry) -> bool:
    """Say whether the weights on the route are known to be ours."""
    return not entry.rollout.hands_off and entry.rollout.phase is not Phase.REFUSED


def shows_plan(rollout: Rollout) -> bool:
    """Say whether there are steps left to speak of."""
    return not rollout.is_over and rollout.next_step is not None


def _bar(percent: int) -> str:
    full = filled(percent, CELLS)
    return "▰" * full + "▱" * (CELLS - full)


def _split(entry: Entry) -> Prose:
    there = weight_there(entry)
    return say("*{} %* new · {} % old", there, 100 - there)


def _facts(entry: Entry, access: Access) -> Prose:
    """Say what stands behind the state: who may unlock, what is ready, what the gates saw, which pool and route."""
    lines = [lock_rule(entry, access), _ready(entry), evidence(entry), _old_pool(entry), _route(entry)]
    return joined("\n", lines)


def _ready(entry: Entry) -> Prose:
    seen = entry.readiness
    steps = _steps_by_itself(entry.rollout)
    every = say("a step every {}", show_duration(entry.rollout.plan.interval)) if steps else Prose()
    if seen is None or entry.rollout.is_over:
        return doubts(entry) or capitalised(every)
    new, old = f"{seen.canary_ready}/{seen.canary_of}", f"{seen.stable_ready}/{seen.stable_of}"
    counts = joined("  ·  ", (say("Ready: new {}, old {}", new, old), every))
    return joined("\n", (counts, doubts(entry)))


def _steps_by_itself(rollout: Rollout) -> bool:
    return shows_plan(rollout) and rollout.phase is not Phase.PAUSED


def _old_pool(entry: Entry) -> Prose:
    """Name the old pool if the state has not done so."""
    if entry.rollout.phase in (Phase.PROMOTED, Phase.FINISHED, Phase.CLEANED) and entry.is_applied:
        return Prose()
    old, others = say("Old pool `{}`", entry.rollout.stable.name), listed_routes(entry.other_routes)
    if not others or entry.rollout.is_over:
        return old
    return say("{}, also of {}", old, short(others, 300))


def _route(entry: Entry) -> Prose:
    rollout = entry.rollout
    name = say("Route {}", route(rollout))
    return name if rollout.is_over or rollout.drifted else say("{}{}", name, _GATEWAY[entry.acceptance])


def route(rollout: Rollout) -> Code:
    """Name the HTTPRoute."""
    return Code(f"{rollout.namespace}/{rollout.route}", 2 * NAME)


_GATEWAY = {
    Acceptance.NOT_WRITTEN: "",
    Acceptance.WAITING: ", waiting for the gateway",
    Acceptance.ACCEPTED: ", accepted",
    Acceptance.UNKNOWN: ", the gateway has not answered",
    Acceptance.REFUSED: ", the gateway does not take all of it",
}


def _origin(rollout: Rollout) -> Prose:
    who, at = Person(rollout.started_by), moment(rollout.started_at)
    origin = say("{} started it {}  ·  {}", who, at, said(rollout.id, 40))
    why = said(rollout.reason, 300)
    return say("{}  ·  “{}”", origin, why) if why else origin


def shows_past(rollout: Rollout) -> frozenset[EventKind]:
    """Return the kinds of past events that a card shows: what the start warned of, until the second step, and who
    approved, when all traffic is on the new pool because of them.
    """
    if rollout.phase in (Phase.PROMOTED, Phase.FINISHED, Phase.CLEANED):
        return frozenset({EventKind.APPROVED})
    return frozenset() if rollout.is_over or rollout.step > 0 else frozenset({EventKind.WARNED})


def _warned(block_id: str, warnings: Sequence[Event]) -> list[Block]:
    shown = [say("⚠️ {}", reason(event.reason, by="", longest=250)) for event in warnings[:MOST_WARNINGS]]
    left = len(warnings) - MOST_WARNINGS
    more = say("{} more in the thread", left) if left > 0 else Prose()
    return [context(block_id, joined("\n", (*shown, more)))] if shown else []


def _approved(approvals: Sequence[Event]) -> Prose:
    given: dict[str, dict[str, None]] = {}
    for approval in approvals:
        given.setdefault(approval.by, {})[f"{approval.weight} %"] = None
    people = [say("{} ({})", Person(by), said(", ".join(marks), 60)) for by, marks in given.items()]
    more = say("{} more", len(people) - MOST_APPROVERS) if len(people) > MOST_APPROVERS else Prose()
    return say("Approved by {}", listed([*people[:MOST_APPROVERS], more], "and")) if people else Prose()


def _aloud(entry: Entry, access: Access) -> Prose:
    rollout = entry.rollout
    told = say("`{}`: {}. {}", rollout.canary.name, headword(entry), state(entry, access))
    if not shows_weights(entry):
        return told
    there = weight_there(entry)
    return say("{} Now {} % new, {} % `{}`.", told, there, 100 - there, rollout.stable.name)
