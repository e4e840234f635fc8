"""Every acknowledged request happened once or was refused with a reason, and every roll back is on its route."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain.decisions.start import rollout_id
from bot.domain.rollout import SLOTLESS, Phase
from chaos.checks.finding import Found
from chaos.checks.outcomes import Became, Outcome, outcomes, repeated
from chaos.checks.writes import standing, written
from chaos.evidence import Evidence
from chaos.ledger import Asked
from chaos.schedule import Kind
from chaos.settle import BRAKES_WITHIN
from chaos.site_requests import QUESTIONS

WITHOUT_REDIS = "rolled back without Redis, then refused to a duplicate of the request"
CLICKED_TWICE = "carried out, then its dialog was refused to a duplicate of the click that had opened it"
TAKEN_UP_WITHIN = timedelta(seconds=30)
"""For so long after Redis lost data, the event of a roll back on the route may come again."""
AGAIN = "decided, lost with Redis, and judged again for a duplicate of the request"


def acknowledged(evidence: Evidence) -> Found:
    """Check every request that was acknowledged."""
    found = Found("every acknowledged request happened once, or was refused with a reason")
    for outcome in outcomes(evidence):
        asked = outcome.asked
        what = f"{asked.verb} by {asked.by} ({asked.delivery.kind} {asked.id} {asked.token})"
        if outcome.became is Became.UNHEARD:
            continue
        found.cases += 1
        if outcome.became is Became.LOST:
            found.excused["in the inbox when Redis lost data"] += 1
        elif outcome.became is Became.SILENT and (outcome.asked.id in evidence.cut_short or _died(evidence, outcome)):
            found.excused["refused, but the bot was killed before it could say so"] += 1
        elif outcome.became is Became.SILENT:
            found.broken(asked.rollout or rollout_id(asked.id), f"{what} was acknowledged, and nothing happened")
        elif outcome.event is not None and outcome.refusals and _forgot_since(evidence, outcome.asked.at):
            found.excused[AGAIN] += 1
        elif outcome.became is Became.DONE and outcome.refusals and _braked_before_a_copy(evidence, asked):
            found.excused[WITHOUT_REDIS] += 1
        elif outcome.became is Became.DONE and outcome.refusals and _its_click_came_twice(evidence, asked):
            found.excused[CLICKED_TWICE] += 1
        elif outcome.became is Became.DONE and outcome.refusals:
            found.broken(asked.rollout, f"{what} was refused and carried out: {outcome.refusals[0]}")
        elif outcome.event is not None:
            _require_seen(evidence, outcome, outcome.event.at, what, found)
    for (rollout, word), events in repeated(evidence).items():
        if _forgot(evidence, events[0].at, events[-1].at + TAKEN_UP_WITHIN):
            found.excused[AGAIN] += 1
            continue
        found.broken(rollout, f"{word} happened {len(events)} times: {[event.kind.value for event in events]}")
    return found


def _forgot(evidence: Evidence, since: datetime, until: datetime) -> bool:
    """Return whether Redis lost data between two times."""
    return any(since.timestamp() <= loss.at <= until.timestamp() for loss in evidence.losses)


def _forgot_since(evidence: Evidence, since: float) -> bool:
    """Return whether Redis lost data so soon after a request that the bot may have judged it twice."""
    return any(since <= loss.at <= since + 90 for loss in evidence.losses)


def _braked_before_a_copy(evidence: Evidence, asked: Asked) -> bool:
    """Return whether it came twice, with a roll back without Redis: the bot cannot recognise a duplicate then."""
    told = [one for one in evidence.journal if one.block_id.startswith(f"brake:{asked.rollout}:")]
    return len(asked.delivery.attempts) > 1 and any(one.at >= asked.at for one in told)


def _its_click_came_twice(evidence: Evidence, asked: Asked) -> bool:
    """Return whether the click that opened a dialog was delivered again, after the dialog was submitted."""
    opened = [one for one in evidence.asked if one.only_opens and one.delivery.reply_path == asked.delivery.reply_path]
    return not asked.only_opens and any(len(one.delivery.attempts) > 1 for one in opened)


def _require_seen(evidence: Evidence, outcome: Outcome, at: datetime, what: str, found: Found) -> None:
    """Check that a decision is on the route, was replaced by a later one, or was lost with Redis."""
    rollout = _rollout_of(evidence, outcome)
    for loss in evidence.losses:
        record = loss.unwritten.get(rollout)
        is_lost = record is not None and at <= datetime.fromisoformat(record["decided_at"])
        if is_lost and at.timestamp() <= loss.at and not _is_on_route(evidence, rollout, at):
            found.excused["decided, but not yet on the route when Redis lost data"] += 1
            return
    is_there = _is_on_route(evidence, rollout, at) or _is_overtaken(evidence, rollout, at)
    if not is_there and not _has_no_route(evidence, rollout) and not _is_followed(evidence, rollout):
        found.broken(rollout, f"{what} was decided at {at:%H:%M:%S.%f}, but is not on the route")


def _rollout_of(evidence: Evidence, outcome: Outcome) -> str:
    """Return which rollout the event belongs to: a name may mean another rollout than people thought."""
    return next(
        name for name, streams in evidence.streams.items() if any(outcome.event in stream for stream in streams)
    )


def _is_on_route(evidence: Evidence, rollout: str, at: datetime) -> bool:
    return any(note.decided_at == at for _, note in written(evidence).get(rollout, ()))


def _is_followed(evidence: Evidence, rollout: str) -> bool:
    """Return whether a newer rollout has the route of one that was finished: nothing more is written of that one."""
    mine = written(evidence).get(rollout, ())
    if not mine or mine[-1][1].phase not in SLOTLESS:
        return False
    last, note = mine[-1]
    others = (each for name, notes in written(evidence).items() if name != rollout for each in notes)
    return any(version.uid == last.uid and other.started_at > note.started_at for version, other in others)


def _is_overtaken(evidence: Evidence, rollout: str, at: datetime) -> bool:
    """Return whether a later decision is on the route, or in the record if the route is gone."""
    later = any(note.decided_at > at for _, note in written(evidence).get(rollout, ()))
    record = evidence.held.records.get(rollout)
    if record is None or rollout in evidence.held.unwritten:
        return later
    return later or datetime.fromisoformat(record["decided_at"]) >= at


def _died(evidence: Evidence, outcome: Outcome) -> bool:
    """Return whether a bot was killed after it refused, by its log, and before it could answer."""
    asked = outcome.asked
    for bot, log in evidence.logs.items():
        kills = [one.since for one in evidence.struck if one.kind is Kind.KILL and one.hit.startswith(bot)]
        refused = [] if asked.verb in QUESTIONS else _times(log, f"{asked.verb} by {asked.by} was refused")
        answered = [*refused, asked.acknowledged or asked.at]
        if any(at <= kill <= at + 1 for at in answered if at >= asked.at for kill in kills):
            return True
    return False


def _times(log: Sequence[Mapping[str, object]], said: str) -> list[float]:
    lines = [line for line in log if str(line.get("message")).startswith(said)]
    return [datetime.fromisoformat(str(line["time"])).timestamp() for line in lines]


def brakes(evidence: Evidence) -> Found:
    """Check that every roll back is on its route in time, counted from the end of the faults at the latest."""
    found = Found(f"every roll back is on the route within {BRAKES_WITHIN:.0f} s after the faults")
    for outcome in outcomes(evidence):
        if outcome.asked.verb != "rollback" or outcome.event is None:
            continue
        found.cases += 1
        rollout = _rollout_of(evidence, outcome)
        decided = outcome.event.at.timestamp()
        latest = max(decided, evidence.calm_since) + BRAKES_WITHIN
        backs = [each for each in written(evidence).get(rollout, ()) if each[1].phase is Phase.ROLLED_BACK]
        # The bots go by Redis's time, which may be ahead of the tape's: a write names its decision, too.
        in_time = [
            version
            for version, note in backs
            if (version.at >= decided or note.decided_at >= outcome.event.at) and version.at <= latest
        ]
        if in_time or _has_no_route(evidence, rollout):
            continue
        if any(loss.unwritten.get(rollout) for loss in evidence.losses):
            found.excused["decided, but not yet on the route when Redis lost data"] += 1
            continue
        found.broken(rollout, f"rolled back by {outcome.asked.by} at {decided:.3f}, but not on the route")
    return found


def _has_no_route(evidence: Evidence, rollout: str) -> bool:
    mine = {version.uid for version, _ in written(evidence).get(rollout, ())}
    return mine.isdisjoint(standing(evidence))
