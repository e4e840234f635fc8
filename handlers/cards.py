"""The card: one rollout on one screen of a phone. Wanted and applied are told apart; nothing on it ticks.

Every piece of text has its own bound, so that no record can make a message that Slack refuses.
"""

from dataclasses import dataclass
from typing import Any

from bot.domain.access import Access
from bot.domain.plan import show_duration
from bot.domain.rollout import Acceptance, Entry, Phase, Rollout
from bot.domain.waiting import mention, weight_there
from handlers.buttons import draw_buttons
from handlers.mrkdwn import WARNING, clean, code, moment, shorten, without_marks
from handlers.plan_line import lock_rule, plan_line
from handlers.state import headword, state

Block = dict[str, Any]

CELLS = 12
NAME = 80


@dataclass(frozen=True, slots=True)
class Card:
    """A message: ``text`` for screen readers and notifications, ``blocks`` for eyes."""

    text: str
    blocks: list[Block]


def draw(entry: Entry, access: Access, *, n: int) -> Card:
    """Draw a rollout as it is stored now; ``n`` counts the messages that have been its card."""
    mark = f"card:{entry.rollout.id}:{n}.{entry.rollout.revision}"
    blocks = [
        _header(mark, _title(entry)),
        _section(f"{mark}:state", state(entry, access)),
        *_weights(f"{mark}:weights", entry),
        _context(f"{mark}:facts", _facts(entry, access)),
        *_actions(f"{mark}:do", entry),
        _context(f"{mark}:origin", _origin(entry.rollout)),
    ]
    return Card(text=_spoken(entry, access), blocks=blocks)


def _title(entry: Entry) -> str:
    return f"{shorten(entry.rollout.canary.name, 100)}  ·  {headword(entry)}"


def _weights(block_id: str, entry: Entry) -> list[Block]:
    lines = [f"{_bar(weight_there(entry))}  {_split(entry)}"] if shows_weights(entry) else []
    lines += [plan_line(entry)] if shows_plan(entry.rollout) else []
    return [_section(block_id, "\n".join(lines))] if lines else []


def shows_weights(entry: Entry) -> bool:
    """Say whether the weights on the route are known to be ours."""
    return not entry.rollout.hands_off and entry.rollout.phase is not Phase.REFUSED


def shows_plan(rollout: Rollout) -> bool:
    """Say whether there are steps left to speak of."""
    return not rollout.is_over and rollout.phase not in (Phase.PROMOTED, Phase.FINISHED)


def _bar(percent: int) -> str:
    full = filled(percent, CELLS)
    return "▰" * full + "▱" * (CELLS - full)


def filled(percent: int, cells: int) -> int:
    """Return how many cells of a bar show a weight; one that is neither 0 nor 100 never looks like it."""
    return min(max(round(percent * cells / 100), 1), cells - 1) if 0 < percent < 100 else percent * cells // 100


def _split(entry: Entry) -> str:
    there = weight_there(entry)
    return f"*{there} %* new · {100 - there} % old"


def _facts(entry: Entry, access: Access) -> str:
    """Say what stands behind the state: who may unlock, what is ready, which pool and route these are."""
    lines = [lock_rule(entry, access), _ready(entry), _old_pool(entry), _route(entry)]
    return "\n".join(filter(None, lines))


def _ready(entry: Entry) -> str:
    seen = entry.readiness
    every = f"a step every {show_duration(entry.rollout.plan.interval)}" if _steps_by_itself(entry.rollout) else ""
    if seen is None or entry.rollout.is_over:
        return every[:1].upper() + every[1:]
    counts = f"Ready: new {seen.canary_ready}/{seen.canary_of}, old {seen.stable_ready}/{seen.stable_of}"
    warning = (
        "" if seen.stable_ready else f"\n*The old pool has no ready endpoint: it cannot take traffic back* {WARNING}"
    )
    return "  ·  ".join(filter(None, [counts, every])) + warning


def _steps_by_itself(rollout: Rollout) -> bool:
    return shows_plan(rollout) and rollout.phase is not Phase.PAUSED


def _old_pool(entry: Entry) -> str:
    """Name the old pool where the state has not done so."""
    if entry.rollout.phase in (Phase.PROMOTED, Phase.FINISHED, Phase.CLEANED) and entry.is_applied:
        return ""
    return f"Old pool {code(entry.rollout.stable.name, NAME)}"


def _route(entry: Entry) -> str:
    rollout = entry.rollout
    name = code(f"{rollout.namespace}/{rollout.route}", 2 * NAME)
    if rollout.is_over or rollout.drifted:
        return f"Route {name}"
    return f"Route {name}{_GATEWAY[entry.acceptance]}"


_GATEWAY = {
    Acceptance.NOT_WRITTEN: "",
    Acceptance.WAITING: ", waiting for the gateway",
    Acceptance.ACCEPTED: ", accepted",
    Acceptance.UNKNOWN: ", the gateway has not answered",
}


def _origin(rollout: Rollout) -> str:
    reason = f"  ·  “{clean(rollout.reason, 300)}”" if rollout.reason.strip() else ""
    return f"{mention(rollout.started_by)} started it {moment(rollout.started_at)}  ·  {clean(rollout.id, 40)}{reason}"


def _spoken(entry: Entry, access: Access) -> str:
    rollout = entry.rollout
    split = ""
    if shows_weights(entry):
        there = weight_there(entry)
        split = f" Now {there} % new, {100 - there} % {clean(shorten(rollout.stable.name, NAME), NAME)}."
    title = clean(shorten(rollout.canary.name, 100), 100)
    return f"{title}: {headword(entry)}. {without_marks(state(entry, access))}{split}"


def _header(block_id: str, text: str) -> Block:
    return {"type": "header", "block_id": block_id, "text": {"type": "plain_text", "text": text, "emoji": False}}


def _section(block_id: str, text: str) -> Block:
    return {"type": "section", "block_id": block_id, "text": _mrkdwn(text), "expand": True}


def _context(block_id: str, text: str) -> Block:
    return {"type": "context", "block_id": block_id, "elements": [_mrkdwn(text)]}


def _actions(block_id: str, entry: Entry) -> list[Block]:
    elements = draw_buttons(entry)
    return [{"type": "actions", "block_id": block_id, "elements": elements}] if elements else []


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
