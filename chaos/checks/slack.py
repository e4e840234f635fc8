"""What Slack shows at the end: one card for each rollout, with its thread complete and in order."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from chaos.checks.finding import Found
from chaos.checks.writes import written
from chaos.evidence import Evidence
from sandbox.slack import BOT
from sandbox.strict_slack.workspace import block_id

Span = tuple[str, float, int, int]
"""The thread of a message, its time, and the numbers of the first and the last event in it."""

ON_ITS_WAY = "still on its way at the end: Slack limits edits a minute"


def cards(evidence: Evidence) -> Found:
    """Check that each rollout has one card, and that it shows the newest revision."""
    found = Found("one card for each rollout, up to date")
    live: dict[str, list[str]] = defaultdict(list)
    for message in evidence.messages:
        kind, rollout, rest = _mark(message)
        if kind == "card" and "thread_ts" not in message:
            live[rollout].append(rest)
    for rollout in sorted({*evidence.held.records, *written(evidence)}):
        found.cases += 1
        mine, record = live.get(rollout, []), evidence.held.records.get(rollout)
        if record is None and not mine and evidence.losses:
            found.excused["over and lost with Redis before it had a card"] += 1
        elif not mine and _taken_away(evidence, rollout):
            found.excused["a person deleted the card, and nothing happened after that"] += 1
        elif len(mine) <= 1 and rollout in evidence.behind:
            found.excused[ON_ITS_WAY] += 1
        elif len(mine) != 1:
            found.broken(rollout, f"has {len(mine)} cards")
        elif record is not None and not mine[0].endswith(f".{record['revision']}"):
            found.broken(rollout, f"its card shows {mine[0]}, its record is at revision {record['revision']}")
    return found


def _taken_away(evidence: Evidence, rollout: str) -> bool:
    """Return whether the last thing that happened to a rollout in Slack is that a person deleted its card."""
    mine = [one for one in evidence.journal if f":{rollout}:" in one.block_id]
    last = mine[-1] if mine else None
    return last is not None and last.what == "deleted" and last.by != BOT and last.block_id.startswith("card:")


def threads(evidence: Evidence) -> Found:
    """Check that a thread has every event once, in order, up to the last one."""
    found = Found("threads in order, no duplicates, no gaps")
    told: dict[str, list[Span]] = defaultdict(list)
    for message in evidence.messages:
        kind, rollout, rest = _mark(message)
        if kind == "event" and (span := re.fullmatch(r"([0-9]+)-([0-9]+)", rest)):
            told[rollout].append((str(message["thread_ts"]), float(message["ts"]), int(span[1]), int(span[2])))
    for rollout, spans in told.items():
        found.cases += 1
        said = _out_of_order(evidence, sorted(spans, key=lambda span: span[1]))
        if said:
            found.broken(rollout, said)
    for rollout, shown in evidence.shown.items():
        known = len(evidence.streams[rollout][-1]) if evidence.streams.get(rollout) else 0
        if rollout in evidence.behind:
            found.excused[ON_ITS_WAY] += 1
        elif shown and shown.get("cursor", 0) != known:
            found.broken(rollout, f"{shown.get('cursor')} of {known} events are in the thread")
    return found


def _out_of_order(evidence: Evidence, spans: Sequence[Span]) -> str:
    """Say what is wrong with a thread.

    A new card has a new thread. It may repeat the last post of the old one, because the bot cannot know whether that
    arrived. If Redis lost data in between, it begins with the events that Redis still has.
    """
    expected, card, before, again = 1, "", 0.0, 1
    for thread, at, first, last in spans:
        forgot = any(before <= loss.at <= at for loss in evidence.losses)
        begins = {again, *(range(1, expected) if forgot else ())} if thread != card else set()
        if first not in {expected, *begins}:
            return f"expected event {expected}, found {first}-{last} ({[span[2:] for span in spans]})"
        expected, card, before, again = last + 1, thread, at, first
    return ""


def _mark(message: Mapping[str, Any]) -> tuple[str, str, str]:
    """Read ``kind:rollout:rest`` out of the id of a message's first block."""
    kind, rollout, rest, *_ = [*block_id(message).split(":", 2), "", ""]
    return kind, rollout, rest
