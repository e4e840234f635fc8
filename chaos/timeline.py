"""Everything known about one rollout in order of time, to find out why a promise was broken."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from bot.domain.decisions.start import rollout_id
from bot.domain.rollout import Rollout, wanted
from chaos.checks.outcomes import events, newer_ones, outcomes
from chaos.checks.writes import GATEWAY, Write, writes
from chaos.evidence import Evidence
from chaos.ledger import Asked

Line = tuple[float, str, str]

AROUND = 20.0
"""The timeline shows everybody's writes to the route from so many seconds before its first to after its last write."""

MOST = 300
"""Letters of one line of a log."""

ALWAYS = ("bot.store.lease", "bot.recovery.store_recovery", "bot.service.bot")
"""Loggers whose lines matter to every rollout."""


def dump(evidence: Evidence, rollouts: Collection[str], folder: Path) -> None:
    """Write the timelines of some rollouts into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for rollout in rollouts:
        (folder / f"{rollout}.txt").write_text(timeline(evidence, rollout))


def timeline(evidence: Evidence, rollout: str) -> str:
    """Return everything about a rollout, in seconds since the run began."""
    lines = [
        *_asked(evidence, rollout),
        *_routes(evidence, rollout),
        *_events(evidence, rollout),
        *_slack(evidence, rollout),
        *_logs(evidence, rollout),
        *_blows(evidence),
    ]
    head = f"{rollout}\nrecord {evidence.held.records.get(rollout)}\nshown {evidence.shown.get(rollout)}"
    text = (f"{at - evidence.begun:9.3f}  {who:<8}  {what}" for at, who, what in sorted(set(lines)))
    return "\n".join([head, *text, ""])


def _asked(evidence: Evidence, rollout: str) -> Iterator[Line]:
    for outcome in outcomes(evidence):
        asked = outcome.asked
        if rollout not in (asked.rollout, rollout_id(asked.id)):
            continue
        said = " | ".join(evidence.told[asked.id])
        who = f"{asked.verb} ({asked.delivery.kind}) {asked.by} {asked.token} {asked.id}"
        yield asked.at, "person", f"{who}: {outcome.became}; {said}"
        yield from _decided(evidence, asked)
        for one in asked.delivery.attempts:
            yield (
                one.at + one.seconds,
                "delivery",
                f"{asked.id} to {one.to[-5:]}: {one.outcome} after {one.seconds:.2f} s",
            )


def _decided(evidence: Evidence, asked: Asked) -> Iterator[Line]:
    """Yield what the bots log of people's requests; they do not name the rollout."""
    for name, line in _logged(evidence):
        if str(line["message"]).startswith(f"{asked.verb} by {asked.by} ") and (at := _time(line)) >= asked.at:
            yield at, name, str(line["message"])[:MOST]


def _routes(evidence: Evidence, rollout: str) -> Iterator[Line]:
    for key in evidence.routes:
        changes = [write for write in writes(evidence, key) if write.by != GATEWAY]
        mine = [write.after.at for write in changes if rollout in (_id(write.note), _id(write.note_before))]
        if not mine:
            continue
        yield from (_write(one) for one in changes if mine[0] - AROUND <= one.after.at <= mine[-1] + AROUND)
        yield from ((one.at, "route", f"{key[1]} {one.kind}") for one in evidence.routes[key] if one.kind != "MODIFIED")


def _id(note: Rollout | None) -> str:
    return note.id if note else ""


def _write(write: Write) -> Line:
    meta, rules = write.after.document["metadata"], write.after.document["spec"]["rules"]
    refs = [", ".join(f"{ref['name']} {ref.get('weight', 1)}" for ref in rule.get("backendRefs", [])) for rule in rules]
    version = f"version {write.after.number}, generation {meta['generation']}"
    return write.after.at, write.by, f"{write.kind or 'wrote'}: {refs}; {_record(write.note)}; {version}"


def _record(note: Rollout | None) -> str:
    if note is None:
        return "no annotation"
    pairs = [(pair.stable, pair.canary) for pair in wanted(note)]
    return f"{note.id} revision {note.revision} {note.decision} {note.phase.value} step {note.step} wants {pairs}"


def _events(evidence: Evidence, rollout: str) -> Iterator[Line]:
    """Yield the events of the rollout and of those that followed it on its route."""
    for name in (rollout, *newer_ones(evidence, rollout)):
        of = "" if name == rollout else f"of {name}: "
        for event in events(evidence, name):
            yield event.at.timestamp(), "event", f"{of}{event.kind.value} {event.weight} {event.by} {event.reason}"


def _slack(evidence: Evidence, rollout: str) -> Iterator[Line]:
    for one in evidence.journal:
        if f":{rollout}:" in one.block_id:
            yield one.at, "slack", f"{one.what} by {one.by} {one.ts} {one.block_id} {one.text[:100]!r}"


def _logs(evidence: Evidence, rollout: str) -> Iterator[Line]:
    for name, line in _logged(evidence):
        text = str(line["message"])
        if rollout in text or line.get("logger") in ALWAYS:
            yield _time(line), name, text[:MOST]


def _logged(evidence: Evidence) -> Iterator[tuple[str, Mapping[str, object]]]:
    return ((name, line) for name, log in evidence.logs.items() for line in log if "time" in line)


def _time(line: Mapping[str, object]) -> float:
    return datetime.fromisoformat(str(line["time"])).timestamp()


def _blows(evidence: Evidence) -> Iterator[Line]:
    for one in evidence.struck:
        yield one.since, "FAULT", f"{one.kind.value}, {one.hit}"
        yield one.until, "over", one.kind.value
