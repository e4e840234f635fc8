"""All that is known of one rollout, second by second: for whoever has to find out why a promise was broken."""

from collections.abc import Iterator
from pathlib import Path

from bot.domain.rollout import wanted
from chaos.checks.outcomes import events, outcomes
from chaos.checks.writes import Write, writes
from chaos.evidence import Evidence

Line = tuple[float, str, str]


def timeline(evidence: Evidence, rollout: str) -> str:
    """Write everything about a rollout in the order of time, in seconds since the run began."""
    lines = [
        *_asked(evidence, rollout),
        *_routes(evidence, rollout),
        *(
            (event.at.timestamp(), "event", f"{event.kind.value} {event.weight} {event.by} {event.reason}")
            for event in events(evidence, rollout)
        ),
        *_slack(evidence, rollout),
        *_logs(evidence, rollout),
        *_blows(evidence),
    ]
    record = evidence.held.records.get(rollout)
    shown = evidence.shown.get(rollout)
    head = f"{rollout}\nrecord: {record}\nshown: {shown}\n"
    text = (f"{at - evidence.begun:9.3f}  {who:<8}  {what}" for at, who, what in sorted(lines))
    return head + "\n".join(text) + "\n"


def dump(evidence: Evidence, rollouts: set[str], folder: Path) -> list[Path]:
    """Write a timeline for each of some rollouts into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for rollout in sorted(rollouts):
        file = folder / f"{rollout}.txt"
        file.write_text(timeline(evidence, rollout))
        files.append(file)
    return files


def _asked(evidence: Evidence, rollout: str) -> Iterator[Line]:
    for outcome in outcomes(evidence):
        asked = outcome.asked
        if rollout in (asked.rollout, *_started(asked.id)):
            said = " | ".join(evidence.told[asked.id])
            words = f"{asked.verb.value} ({asked.delivery.kind}) {asked.by} {asked.token} {asked.id}"
            yield asked.at, "person", f"{words}: {outcome.became}; {said}"
            for attempt in asked.delivery.attempts:
                yield (
                    attempt.at + attempt.seconds,
                    "post",
                    f"{asked.id} to {attempt.to[-5:]}: {attempt.outcome} after {attempt.seconds:.2f} s",
                )


def _started(delivery: str) -> tuple[str]:
    from bot.domain.starting import rollout_id

    return (rollout_id(delivery),)


def _routes(evidence: Evidence, rollout: str) -> Iterator[Line]:
    for key in evidence.routes:
        changes = list(writes(evidence, key))
        mine = [
            write
            for write in changes
            if rollout in (write.note.id if write.note else "", write.note_before.id if write.note_before else "")
        ]
        if mine:
            first, last = mine[0].after.at, mine[-1].after.at
            yield from (
                _write(write) for write in changes if first - 2 <= write.after.at <= last + 30 and write.by != "gateway"
            )
            yield from (
                (one.at, "route", f"{key[1]} {one.kind}") for one in evidence.routes[key] if one.kind != "MODIFIED"
            )


def _write(write: Write) -> Line:
    note = write.note
    refs = [
        ", ".join(f"{ref['name']} {ref.get('weight', 1)}" for ref in rule.get("backendRefs", []))
        for rule in write.after.document["spec"]["rules"]
    ]
    record = "no note"
    if note:
        wants = [(pair.stable, pair.canary) for pair in wanted(note)]
        record = f"{note.id} r{note.revision} {note.phase.value} step {note.step} {note.decision} wants {wants}"
    return (
        write.after.at,
        write.by,
        f"{write.kind or ''} v{write.after.number} g{write.after.document['metadata']['generation']}: {refs}  {record}",
    )


def _slack(evidence: Evidence, rollout: str) -> Iterator[Line]:
    for one in evidence.journal:
        if f":{rollout}:" in one.block_id:
            yield one.at, "slack", f"{one.what} by {one.by} {one.ts} {one.block_id} {one.text[:100]!r}"


def _logs(evidence: Evidence, rollout: str) -> Iterator[Line]:
    from datetime import datetime

    for name, log in evidence.logs.items():
        for line in log:
            text = str(line.get("message"))
            if rollout in text or line.get("logger") in ("bot.lease", "bot.keeping", "bot.wiring"):
                yield datetime.fromisoformat(str(line.get("time"))).timestamp(), name, text[:300]


def _blows(evidence: Evidence) -> Iterator[Line]:
    for one in evidence.struck:
        yield one.since, "FAULT", f"{one.kind.value} {one.hit}"
        yield one.until, "over", one.kind.value
