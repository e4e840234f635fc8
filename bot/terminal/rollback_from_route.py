"""Roll back with nothing but the API server: no Redis, no Slack, no running bot."""

from dataclasses import replace

from bot.domain.commands.request import ROLLBACK, Command
from bot.domain.decisions.by_route import applied_by
from bot.domain.errors import ClusterError, RefusedError, RouteError
from bot.domain.prose import Prose, ended, joined, moment, say
from bot.domain.rollout import Acceptance, Entry
from bot.engine.brake_words import with_place_as_reason
from bot.engine.gateway_word import Bars, GatewaySays
from bot.engine.rollback_from_route import Place, RouteRollback, RouteRolledBack
from bot.service.assembly import ClusterParts
from bot.terminal.answer import Answer, Exit
from bot.terminal.follow import Tell, follow, result

NOT_AS_BEFORE = say(
    "The route's record is not signed with a key that this terminal has, so the old pool has all the traffic that both "
    "had, instead of the weights from before."
)


def roll_back(
    near: ClusterParts, person: str, command: Command, route: tuple[str, str], *, seconds: float, tell: Tell
) -> Answer:
    """Roll back the rollout on a route (namespace, may be empty, and name). Raises UserError, ClusterError.

    No is no here: without a store there is nobody who would try again.
    """
    namespace, name = route
    try:
        there = namespace or command.where.namespace or near.home
        place = Place(there, name, with_place_as_reason(command).reason, command.subject)
        braked = RouteRollback(near.cluster, near.clock).roll_back(place, by=person)
    except RefusedError as error:
        raise RouteError(error.message, hint=error.hint or "Nothing was rolled back.") from error
    gateway = _Gateway(near)
    entry = Entry(rollout=braked.rollout, applied=applied_by(braked.rollout, 0), acceptance=Acceptance.WAITING)
    answer = result(follow(entry, near.clock, seconds, tell, gateway.ask), ROLLBACK)
    if gateway.refusal:
        said = say(
            "`{}` is rolled back on the route, but the gateway refuses it: {}",
            braked.rollout.canary.name,
            ended(say("{}", gateway.refusal)),
        )
        answer = replace(answer, said=said, exit=Exit.UNCONFIRMED)
    if braked.missing:
        answer = replace(answer, exit=Exit.UNCONFIRMED)
    return replace(answer, said=joined(" ", _said(braked, answer)))


def _said(braked: RouteRolledBack, answer: Answer) -> tuple[Prose, ...]:
    rollout = braked.rollout
    if not braked.written:
        name, since = rollout.canary.name, moment(rollout.since)
        before = say("`{}` is rolled back already, since {}; nothing was written.", name, since)
        return before, Prose() if answer.exit is Exit.DONE else answer.said
    rules = ", ".join(braked.missing)
    missing = say("I could not find {} on the route, so nothing was written there.", rules) if rules else Prose()
    doubt = Prose() if braked.as_before else NOT_AS_BEFORE
    return answer.said, missing, doubt, say("The card and the history follow when a bot that has Redis sees the route.")


class _Gateway:
    """Hears the gateway without a store; ``refusal`` is its message if it says no."""

    def __init__(self, near: ClusterParts) -> None:
        self._near = near
        self.refusal = ""

    def ask(self, entry: Entry) -> Entry:
        """Return the entry with what the gateway says of the route as it is now."""
        try:
            copy = self._near.cluster.read(entry.rollout.namespace, entry.rollout.route)
        except ClusterError:
            return entry
        rollout = entry.rollout
        word = self._near.cluster.gateway_word(copy, rollout, copy.generation)
        self.refusal = word.why(rollout.known, Bars.ROUTE, Bars.PART)
        return replace(entry, acceptance=_ACCEPTANCE[word.says(rollout.known)])


_ACCEPTANCE = {
    GatewaySays.NOTHING: Acceptance.WAITING,
    GatewaySays.ACCEPTED: Acceptance.ACCEPTED,
    GatewaySays.PARTLY: Acceptance.REFUSED,
    GatewaySays.REJECTED: Acceptance.REFUSED,
}
