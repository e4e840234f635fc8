"""Who asks, and from where: refuses guests, bots and strangers, and channels where a card cannot be."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.commands.origin import Surface
from bot.domain.commands.request import ROLLBACK, START, STATUS, Request
from bot.domain.decisions.start import require_channel
from bot.domain.errors import DependencyError, NotAllowedError, StoreError, UserError
from bot.domain.prose import Person, Prose, say
from bot.domain.verbs.registry import verb_of
from bot.engine.ports import Clock
from handlers.outside import part
from handlers.slack import Fault, Identity, Slack, SlackError

KEPT = timedelta(seconds=60)
READ_KEPT = timedelta(hours=1)
"""How long somebody who was a full member reads without another question to Slack."""
ROOM_KEPT = timedelta(seconds=10)
"""How long a channel that is fine need not be asked about again, when starts there are tried again."""
SILENCE = timedelta(seconds=10)
"""After Slack was silent, quick questions are skipped for this long: many roll backs wait once, not in turn."""

MOST = 10_000

_REFUSALS = (
    ("deleted", "This account is deactivated, so it cannot run rollouts."),
    ("is_bot", "Bots cannot run rollouts."),
    ("is_stranger", "People from outside this workspace cannot run rollouts."),
    ("is_ultra_restricted", "Guests cannot run rollouts."),
    ("is_restricted", "Guests cannot run rollouts."),
)
_UNKNOWN = "Slack does not say which workspace or organisation you are from, so you cannot run rollouts."


class People:
    """Asks Slack about people and channels; people are remembered for a minute.

    ``quick`` gives up within a second, so that a silent Slack does not delay a roll back or a pause.
    ``remember`` keeps the name of a full member, for the terminal; ``was_seen`` says whether it has kept somebody's.
    """

    def __init__(
        self,
        slack: Slack,
        clock: Clock,
        *,
        quick: Slack,
        remember: Callable[[str, str], None] = lambda user, name: None,
        was_seen: Callable[[str], bool] = lambda user: True,
    ) -> None:
        self._slack, self._quick = slack, quick
        self._clock, self._remember, self._was_seen = clock, remember, was_seen
        self._names: dict[str, str] = {}  # heard, and not kept yet
        self._known: dict[str, tuple[datetime, str]] = {}
        self._rooms: dict[str, datetime] = {}
        self._rooms_limited_until: datetime | None = None
        self._silent_until = datetime.min.replace(tzinfo=UTC)

    def admit(self, request: Request) -> bool:
        """Raise NotAllowedError or UserError if the person, or for a start the channel, is not acceptable.

        Where Slack does not answer: DependencyError, and only a roll back passes by somebody whom a bot has served
        before, and a pause by somebody who was known to be one of us. Returns whether the person was checked.
        """
        if request.origin.surface is Surface.TERMINAL:
            return True  # Slack may be what is broken; the policy has allowed it, and whoever is here can reach Redis
        try:
            self._require_member(self._refusal(request.by, request.command.verb))
        except DependencyError:
            if request.command.verb == ROLLBACK and self._is_seen(request.by):
                return False
            raise
        if request.command.verb == START:
            # The previous version kept starts without a channel.
            require_channel(request.command.name, request.origin)
            self._admit_channel(request.origin.channel)
        return True

    def may_read(self, user: str) -> bool:
        """Say, without asking Slack, whether somebody was lately known to be a full member."""
        since, refusal = self._known.get(user, (None, ""))
        return since is not None and not refusal and timedelta(0) <= self._clock.now() - since < READ_KEPT

    def admit_reader(self, user: str) -> None:
        """Raise NotAllowedError if somebody is no full member, and DependencyError if Slack does not say."""
        if not self.may_read(user):
            self._require_member(self._refusal(user, STATUS))

    def keep_names(self) -> None:
        """Store the names heard since the last call; after the work, because Redis may be slow."""
        if not self._names:
            return
        names, self._names = self._names, {}
        with suppress(StoreError):
            for user, name in names.items():
                self._remember(user, name)

    def _require_member(self, refusal: str) -> None:
        if refusal:
            raise NotAllowedError(refusal, hint="Ask a full member of this workspace.")

    def _is_seen(self, user: str) -> bool:
        """Say whether a bot has served somebody before. Where Redis does not answer either, the brake comes first."""
        if user in self._known:
            _, refusal = self._known[user]
            return not refusal
        try:
            return self._was_seen(user)
        except StoreError:
            return True

    def _refusal(self, user: str, verb: str) -> str:
        since, said = self._known.get(user, (None, ""))
        if since is not None and timedelta(0) <= self._clock.now() - since < KEPT:
            return said
        if verb == ROLLBACK:
            return self._ask_quickly(user)
        if verb_of(verb).is_brake and since is not None:
            try:
                return self._ask_quickly(user)
            except DependencyError:
                return said
        return self._learn(user, self._slack)

    def _ask_quickly(self, user: str) -> str:
        now = self._clock.now()
        if now < self._silent_until <= now + SILENCE:
            raise SlackError(Fault.UNCLEAR, "silent")
        try:
            return self._learn(user, self._quick)
        except SlackError as error:
            if error.fault is Fault.UNCLEAR:
                self._silent_until = now + SILENCE
            raise

    def _learn(self, user: str, slack: Slack) -> str:
        refusal, name = _ask(user, slack)
        if name and not refusal:
            self._names[user] = name
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[user] = (self._clock.now(), refusal)
        return refusal

    def _admit_channel(self, channel: str) -> None:
        now = self._clock.now()
        well_at = self._rooms.get(channel)
        if well_at is not None and timedelta(0) <= now - well_at < ROOM_KEPT:
            return
        try:
            self._require_room(self._room(channel, now))
        except SlackError as error:
            if error.fault is Fault.CHANNEL:
                raise UserError("I cannot see this channel.", hint=self._invite()) from error
            raise
        if len(self._rooms) >= MOST:
            self._rooms.clear()
        self._rooms[channel] = now

    def _room(self, channel: str, now: datetime) -> Mapping[str, Any]:
        """Ask Slack about a channel, unless it has told us to wait."""
        until = self._rooms_limited_until
        if until is not None and now < until <= now + timedelta(minutes=10):
            raise SlackError(Fault.LIMITED, "ratelimited", retry_after=round((until - now).total_seconds()))
        try:
            return self._slack.channel(channel)
        except SlackError as error:
            if error.fault is Fault.LIMITED:
                self._rooms_limited_until = now + timedelta(seconds=error.retry_after)
            raise

    def _require_room(self, facts: Mapping[str, Any]) -> None:
        if facts.get("is_im") or facts.get("is_mpim"):
            raise UserError("Its card needs a channel, not a direct message.", hint="Type it where the team sees it.")
        if facts.get("is_archived"):
            raise UserError("This channel is archived.", hint="Type it in another one.")
        if facts.get("is_ext_shared") or facts.get("is_pending_ext_shared"):
            raise UserError("This channel is shared with another company.", hint="Type it in an internal one.")
        if not facts.get("is_member"):
            raise UserError("I am not in this channel.", hint=self._invite())

    def _invite(self) -> Prose:
        return say("Type `/invite` {} here, then type it again.", Person(self._slack.identity().user))


def _ask(user: str, slack: Slack) -> tuple[str, str]:
    """Return why somebody is refused (or nothing), and what this person is called."""
    try:
        person = slack.person(user)
        return _judge(person, slack.identity()), _called(person)
    except SlackError as error:
        if error.error in ("user_not_found", "user_not_visible"):
            return "People from outside this workspace cannot run rollouts.", ""
        raise


def _called(person: Mapping[str, Any]) -> str:
    profile = person.get("profile") or {}
    names = (profile.get("display_name"), profile.get("real_name"), person.get("name"))
    return next((str(name)[:80] for name in names if name), "")


def _judge(person: Mapping[str, Any], us: Identity) -> str:
    for flag, refusal in _REFUSALS:
        if person.get(flag):
            return refusal
    return _foreign(person, us)


def _foreign(person: Mapping[str, Any], us: Identity) -> str:
    """Say why somebody is not of our organisation or workspace; empty if Slack's facts prove that they are.

    In an Enterprise organisation everybody has an ``enterprise_user``: it names the organisation, and the workspaces
    that the person is in. ``team_id`` may then be that of another workspace of ours, of a stranger's, or missing.
    """
    member, team = person.get("enterprise_user"), person.get("team_id")
    organisation, teams = part(member, "enterprise_id"), part(member, "teams")
    if organisation and us.enterprise:
        is_ours = organisation == us.enterprise
    elif organisation or teams:
        is_ours = isinstance(teams, list) and us.team in teams
    elif team and not us.enterprise:
        is_ours = team == us.team
    else:
        return _UNKNOWN
    return "" if is_ours else "People from another workspace cannot run rollouts."
