"""Everything that a run leaves behind, for the checks to look at afterwards."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.domain.events import Event
from bot.engine.encoding import read_event
from chaos.cast import Cast
from chaos.ledger import Asked, Edit, Loss, Struck
from chaos.memory import Held
from chaos.schedule import Kind
from chaos.settle import Calm
from chaos.tape import Version
from sandbox.strict_slack import Happened
from sandbox.watching import Key


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """What can be seen from outside: routes, requests and answers, what Slack and Redis hold, logs."""

    routes: Mapping[Key, Sequence[Version]]
    asked: Sequence[Asked]
    told: Mapping[str, Sequence[str]]  # by the id of the request
    edits: Sequence[Edit]
    losses: Sequence[Loss]
    cut_short: frozenset[str]
    struck: Sequence[Struck]
    hits: Mapping[Kind, Mapping[str, int]]
    begun: float
    calm_since: float
    calm: Calm
    held: Held
    behind: frozenset[str]
    shown: Mapping[str, Mapping[str, Any]]
    streams: Mapping[str, Sequence[Sequence[Event]]]
    messages: Sequence[Mapping[str, Any]]
    journal: Sequence[Happened]
    logs: Mapping[str, Sequence[Mapping[str, object]]]


def gather(cast: Cast, calm: Calm) -> Evidence:
    """Collect everything at the end of a run."""
    held, ledger = cast.memory.keep_streams(), cast.ledger
    return Evidence(
        routes={key: cast.tape.of(key) for key in cast.tape.routes()},
        asked=tuple(ledger.asked),
        told={asked.id: tuple(cast.slack.said(asked.delivery)) for asked in ledger.asked},
        edits=tuple(ledger.edits),
        losses=tuple(ledger.losses),
        cut_short=frozenset(ledger.cut_short),
        struck=tuple(ledger.struck),
        hits={kind: cast.hits(kind) for kind in cast.plan.kinds},
        begun=ledger.begun,
        calm_since=ledger.calm,
        calm=calm,
        held=held,
        behind=cast.memory.behind(),
        shown={rollout: cast.memory.shown(rollout) for rollout in held.records},
        streams={name: [[*map(read_event, each)] for each in streams] for name, streams in ledger.streams.items()},
        messages=tuple(cast.slack.messages),
        journal=tuple(cast.slack.journal),
        logs={bot.server.name: tuple(_lines(bot.server.log)) for bot in cast.bots},
    )


def _lines(log: Path) -> Iterator[Mapping[str, object]]:
    """Yield the lines of a bot's log; a line that is not JSON counts as an error."""
    for line in log.read_text(errors="replace").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            yield {"level": "raw", "message": line}
