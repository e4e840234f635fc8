"""`pause`: stay at this weight until somebody goes on."""

from bot.domain.access import AccessList
from bot.domain.commands.request import Request
from bot.domain.decisions.moves import Moment, pause
from bot.domain.gate import Verdict
from bot.domain.rollout import Change, Entry, Phase
from bot.domain.verbs.button import Button, Position
from bot.domain.verbs.declaration import Kind, Verb


def _pause(entry: Entry, request: Request, verdict: Verdict, moment: Moment) -> Change:
    return pause(entry, request.command.reason, moment)


PAUSE = Verb(
    name="pause",
    kind=Kind.ORDER,
    help="stay at this weight until somebody resumes",
    usage="[POOL] [reason]",
    instead_of=("hold", "wait", "freeze", "stop", "halt", "cancel"),
    access=AccessList.RUN,
    phases=frozenset({Phase.STARTING, Phase.PROGRESSING, Phase.HOLDING, Phase.AWAITING_APPROVAL, Phase.PROMOTED}),
    is_brake=True,
    decide=_pause,
    button=Button(label=lambda entry: "Pause", place=Position.BRAKE),
)
