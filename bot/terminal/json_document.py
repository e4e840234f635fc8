"""The JSON of ``--output json``. docs/terminal.md promises it: keys are added, never renamed or taken away."""

import json
from datetime import UTC, datetime
from typing import Any

from bot.domain.access import Access
from bot.domain.check import Line
from bot.domain.events import Event
from bot.domain.gate import Finding
from bot.domain.operation import Operation
from bot.domain.rollout import Entry
from bot.domain.sentences.what_it_waits_for import waits
from bot.domain.weights import weight_there
from bot.terminal.answer import Answer
from bot.terminal.names import Names
from bot.terminal.text import drawn


def write(answer: Answer, command: str, person: str, access: Access, names: Names) -> str:
    """Write an answer as one JSON object."""
    document = {
        "command": command,
        "by": person,
        "outcome": answer.exit.name.lower(),
        "exit": answer.exit.value,
        "message": drawn(answer.said, names),
        "led": answer.led,
        "rollouts": [_rollout(entry, access, names) for entry in answer.entries],
        "events": [_event(event) for event in answer.events],
        "operations": [_operation(operation) for operation in answer.operations],
        "checks": [_check(line) for line in answer.report.worst_first()] if answer.report else [],
    }
    return json.dumps(document, indent=2)


def _check(line: Line) -> dict[str, str]:
    return {"grade": line.grade.value, "topic": line.topic, "said": line.said, "hint": line.hint}


def _rollout(entry: Entry, access: Access, names: Names) -> dict[str, Any]:
    rollout, plan = entry.rollout, entry.rollout.plan
    return {
        "id": rollout.id,
        "pool": rollout.canary.name,
        "old_pool": rollout.stable.name,
        "namespace": rollout.namespace,
        "route": rollout.route,
        "channel": rollout.channel or None,
        "phase": rollout.phase.value,
        "weight": {"wanted": rollout.weight, "on_route": weight_there(entry)},
        "written": entry.is_applied,
        "gateway": entry.acceptance.value,
        "steps": list(plan.steps),
        "mirror": plan.mirror,
        "approvals": {
            "at": list(plan.approve_at),
            "needed": plan.approvals,
            "asked": plan.steps[rollout.ask.step] if rollout.ask else None,
            "given": list(rollout.ask.approvals) if rollout.ask else [],
        },
        "ready": _ready(entry),
        "gates": [_finding(finding) for finding in entry.findings],
        "started": {"by": rollout.started_by, "at": _time(rollout.started_at), "reason": rollout.reason},
        "decided": {"by": rollout.by or None, "at": _time(rollout.decided_at)},
        "waits": _waits(entry, access, names),
        "trouble": {"since": _time(entry.trouble.since), "reason": entry.trouble.reason} if entry.trouble else None,
    }


def _ready(entry: Entry) -> dict[str, Any] | None:
    ready = entry.readiness
    if ready is None:
        return None
    return {
        "new": {"ready": ready.canary_ready, "of": ready.canary_of},
        "old": {"ready": ready.stable_ready, "of": ready.stable_of},
        "at": _time(ready.at),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "gate": finding.gate,
        "answer": finding.answer.value,
        "reason": finding.reason,
        "evidence": finding.evidence,
    }


def _waits(entry: Entry, access: Access, names: Names) -> dict[str, Any]:
    wait = waits(entry, access)
    return {
        "reason": drawn(wait.reason, names),
        "said": wait.said,
        "since": _time(wait.since),
        "who": drawn(wait.who, names),
        "deadline": _time(wait.deadline),
        "then": drawn(wait.then, names),
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "kind": event.kind.value,
        "at": _time(event.at),
        "by": event.by or None,
        "weight": event.weight,
        "reason": event.reason,
    }


def _operation(operation: Operation) -> dict[str, Any]:
    return {
        "id": operation.id,
        "kind": operation.kind,
        "subject": operation.subject,
        "parameters": dict(operation.parameters),
        "channel": operation.channel or None,
        "phase": operation.phase.value,
        "progress": list(operation.progress),
        "trouble": operation.trouble,
        "why": operation.why,
        "left": operation.left,
        "started": {"by": operation.started_by, "at": _time(operation.started_at), "reason": operation.reason},
        "deadline": None if operation.is_over else _time(operation.deadline),
    }


def _time(time: datetime | None) -> str | None:
    """Write a time as ISO 8601 in UTC, to the second."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if time else None
