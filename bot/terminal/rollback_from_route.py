"""Roll back with nothing but the API server: no Redis, no Slack, no running bot."""

from dataclasses import replace

from bot.domain.commands.request import ROLLBACK, Command
from bot.domain.decisions.by_route import applied_by
from bot.domain.errors import ClusterError, RefusedError, RouteError
from bot.domain.rollout import Acceptance, Entry
from bot.domain.waiting import utc
from bot.engine.ports import GatewaySays
from bot.engine.rollback_from_route import RouteRollback, RouteRolledBack
from bot.service.assembly import Reach
from bot.terminal.answer import Answer, Exit
from bot.terminal.follow import Tell, follow, result


def roll_back(
    near: Reach, person: str, command: Command, route: tuple[str, str], *, seconds: float, tell: Tell
) -> Answer:
    """Roll back the rollout on a route (namespace, may be empty, and name). Raises UserError, ClusterError.

    No is no here: without a store there is nobody who would try again.
    """
    reason = f"{command.subject} {command.reason}".strip()
    namespace, name = route
    try:
        braked = RouteRollback(near.cluster, near.clock).pull(namespace or near.home, name, by=person, reason=reason)
    except RefusedError as error:
        raise RouteError(error.message, hint=error.hint or "Nothing was rolled back.") from error
    gateway = _Gateway(near)
    entry = Entry(rollout=braked.rollout, applied=applied_by(braked.rollout, 0), acceptance=Acceptance.WAITING)
    answer = result(follow(entry, near.clock, seconds, tell, gateway.ask), ROLLBACK)
    if gateway.refusal:
        said = f"`{braked.rollout.canary.name}` is rolled back on the route, but the gateway refuses it"
        answer = replace(answer, said=f"{said}: {gateway.refusal}.", exit=Exit.UNCONFIRMED)
    return replace(answer, said=" ".join(filter(None, _said(braked, answer))))


def _said(braked: RouteRolledBack, answer: Answer) -> tuple[str, ...]:
    rollout = braked.rollout
    if not braked.written:
        before = f"`{rollout.canary.name}` is rolled back already, since {utc(rollout.since)}; nothing was written."
        return before, "" if answer.exit is Exit.DONE else answer.said
    missing = f"Not found on the route, so not written: {', '.join(braked.missing)}." if braked.missing else ""
    return answer.said, missing, "The card and the history follow when a bot that has Redis sees the route."


class _Gateway:
    """Hears the gateway without a store; ``refusal`` is its message where it says no."""

    def __init__(self, near: Reach) -> None:
        self._near = near
        self.refusal = ""

    def ask(self, entry: Entry) -> Entry:
        """Return the entry with what the gateway says of the route as it is now."""
        try:
            copy = self._near.cluster.read(entry.rollout.namespace, entry.rollout.route)
        except ClusterError:
            return entry
        word = self._near.cluster.gateway_says(copy, copy.generation)
        self.refusal = word.message.rstrip(".") if word.says is GatewaySays.REJECTED else ""
        return replace(entry, acceptance=_ACCEPTANCE[word.says])


_ACCEPTANCE = {
    GatewaySays.NOTHING: Acceptance.WAITING,
    GatewaySays.ACCEPTED: Acceptance.ACCEPTED,
    GatewaySays.REJECTED: Acceptance.UNKNOWN,
}
