"""Which rollout people mean: by the canary's name, by rollout id, or the only one of the channel."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.commands.request import ROLLBACK, Command
from bot.domain.commands.values import bare_name
from bot.domain.decisions.start import is_rollout_id
from bot.domain.errors import NotHereError, RouteError, UsageError, lost_data
from bot.domain.rollout import SLOTLESS, Entry, Phase, Rollout
from bot.domain.slips import likely_meant
from bot.domain.verbs.registry import verb_of
from bot.engine.ports import Clock
from bot.engine.store_port import Store

REMEMBERED = timedelta(hours=24)
"""For this long a verb without a pool means the channel's last rollout."""

IN_VAIN = (
    "It ended long ago, or another install of the bot has it. Where two installs share a Slack app, try again: each "
    "gets a part of the clicks."
)
"""What to make of an id that nobody knows. It was on a button, as people do not make ids up."""

A_MOMENT = timedelta(minutes=10)
"""For this long after a roll back, another one without a name cannot mean a rollout that had finished before it."""


class Lookup:
    """Looks rollouts up for commands and clicks."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def meant_by(self, command: Command, channel: str, asked: datetime) -> tuple[Entry, Command]:
        """Return the rollout that a command is about, and the command as the person meant it."""
        verb = verb_of(command.verb)
        if verb.is_brake:
            return self._braked_by(command, channel, asked if verb.name == ROLLBACK else None)
        try:
            return self.find(command.subject, channel), command
        except RouteError as error:
            if not verb.takes_any_word or self._is_a_name(command.subject, channel):
                raise _with_reason_apart(error, command) from error
            reason = f"{command.subject} {command.reason}".strip()
            return self.find("", channel), replace(command, subject="", reason=reason)

    def _braked_by(self, command: Command, channel: str, brakes: datetime | None) -> tuple[Entry, Command]:
        """Return the rollout that a brake means: the one it names, however that is spelled, else the channel's.

        `rollback p99 doubled` has a reason and no pool. It refuses only an id, and a word that is close to a pool of
        another channel, because braking another rollout instead would be worse.
        """
        if command.reason and not command.subject:
            command = named_in_reason(command, self._names(channel))
        reason = f"{command.subject} {command.reason}".strip()
        try:
            return self.find(command.subject, channel, brakes, reason), command
        except RouteError:
            if not command.subject:
                raise
            if meant := slip_of(command.subject, self._running(channel), self._names(channel)):
                return self.find(meant, channel, brakes), replace(command, subject=meant)
            if self._is_a_name(command.subject, channel):
                raise
        return self.find("", channel, brakes, reason), replace(command, subject="", reason=reason)

    def _is_a_name(self, subject: str, channel: str) -> bool:
        return is_a_name(subject, self._names(channel))

    def find(self, subject: str, channel: str, brakes: datetime | None = None, reason: str = "") -> Entry:
        """Return the rollout that ``subject`` (may be empty) means in a channel, or anywhere if that is empty.

        ``brakes`` is the time of the request if it is a roll back; the ``reason`` of a brake may name one of several.
        Raises UserError, StoreError.
        """
        try:
            return self._by_name(subject, channel) if subject else self._of_channel(channel, brakes, reason)
        except RouteError as error:
            if not self._store.is_whole():
                raise lost_data() from error  # it may exist, and Redis has only forgotten it
            raise

    def _by_name(self, subject: str, channel: str) -> Entry:
        entry = self._store.load(subject)
        if entry is not None:
            return entry
        named = self._store.named(subject)
        active = [entry for entry in named if not entry.rollout.is_over]
        if len(active) > 1:
            raise UsageError(f"`{subject}` has several rollouts.", hint=f"Name one: {_ids(active)}.")
        if named:
            return (active or list(named))[0]
        raise NotHereError(f"There is no rollout of `{subject}`.", hint=self._nearest(subject, channel))

    def _nearest(self, subject: str, channel: str) -> str:
        if is_rollout_id(subject):
            return IN_VAIN
        if slip := did_you_mean(subject, self._names(channel)):
            return slip
        if running := sorted(self._running(""))[:5]:
            return f"Running: {_list(running)}."
        return "None is running: begin one with `start POOL WEIGHT`."

    def _names(self, channel: str) -> set[str]:
        """Return the names of running rollouts, and of the channel's last ones."""
        return self._running("") | {entry.rollout.canary.name for entry in self._store.in_channel(channel)}

    def _running(self, channel: str) -> set[str]:
        rollouts = [entry.rollout for entry in self._store.entries()]
        return {rollout.canary.name for rollout in rollouts if channel in ("", rollout.channel)}

    def _of_channel(self, channel: str, brakes: datetime | None, reason: str) -> Entry:
        entries = self._store.in_channel(channel) if channel else self._store.entries()
        if brakes and (back := rolled_back_before([entry.rollout for entry in entries], brakes)):
            return next(entry for entry in entries if entry.rollout is back)
        open_ones = [entry for entry in entries if not entry.rollout.is_over]
        # A finished rollout only waits to be cleaned up; a verb without a name means the one that still moves.
        moving = [entry for entry in open_ones if entry.rollout.phase not in SLOTLESS]
        if brakes and not channel and not moving:
            _require_none(open_ones)  # no index names the last roll back: this may be the same one again
        active = moving or open_ones
        if len(active) == 1:
            return active[0]
        if named := the_one_named(reason, [entry.rollout for entry in active]):
            return next(entry for entry in active if entry.rollout is named)
        if active:
            where = "This channel has" if channel else "There are"
            raise UsageError(
                f"{where} several rollouts.", hint=f"Name one: {_words([each.rollout for each in active])}."
            )
        return self._last(entries, channel)

    def _last(self, entries: Sequence[Entry], channel: str) -> Entry:
        recent = [e for e in entries if self._clock.now() - e.rollout.since <= REMEMBERED]
        if recent:
            return recent[0]
        none = "This channel has no rollout." if channel else "No rollout is under way."
        raise NotHereError(none, hint="Name its pool, or begin one with `start POOL WEIGHT`.")


def rolled_back_before(rollouts: Sequence[Rollout], asked: datetime) -> Rollout | None:
    """Return the rollout that a roll back without a name has rolled back already; None if it means another one.

    A roll back that was done from the route comes again from the inbox, and people in a hurry type it twice. Raises
    UsageError if it would then roll back another rollout; but one that finished after the roll back may be meant.
    """
    rolled_back = [each for each in rollouts if each.phase is Phase.ROLLED_BACK]
    if not rolled_back:
        return None
    back = max(rolled_back, key=lambda each: each.since)
    moving = [each for each in rollouts if each.phase not in SLOTLESS]
    if back.since > asked:
        _require_nothing("since you asked", back, "other", [each for each in moving if each.started_at <= asked])
        return back
    finished = [each for each in rollouts if each.phase is Phase.FINISHED]
    if not moving and asked - back.since < A_MOMENT and all(each.since <= back.since for each in finished):
        _require_nothing("a moment ago", back, "finished", finished)
    return None


def _require_nothing(when: str, back: Rollout, kind: str, rest: Sequence[Rollout]) -> None:
    """Ask people to name one of the rest."""
    if rest:
        hint = f"Name the {kind} one if you mean it: {_words(rest, beside=[back])}."
        which = f"`{back.canary.name}` (`{back.id}`)" if _shares_name(back, rest) else f"`{back.canary.name}`"
        raise UsageError(f"{which} was rolled back {when}.", hint=hint)


def named_in_reason(command: Command, names: Iterable[str]) -> Command:
    """Return a brake with its pool as the subject, if an oddly spelled one begins the reason: ``Vllm-New: slow``."""
    first, _, rest = command.reason.partition(" ")
    name = bare_name(first)
    if command.subject or not (name in names or is_rollout_id(name)):
        return command
    return replace(command, subject=name, reason=rest.strip())


def slip_of(word: str, here: Iterable[str], names: Iterable[str]) -> str:
    """Return the one pool of a channel that a word is close to; empty if it may mean another one as well."""
    near = likely_meant(word, names)
    return near[0] if len(near) == 1 and near[0] in here else ""


def the_one_named(reason: str, rollouts: Sequence[Rollout]) -> Rollout | None:
    """Return the one rollout whose pool or id is among the words of a reason."""
    words = {bare_name(word) for word in reason.split()}
    named = [each for each in rollouts if words & {each.canary.name, each.id}]
    return named[0] if len(named) == 1 else None


def is_a_name(subject: str, names: Iterable[str]) -> bool:
    """Say whether a word cannot be a reason: it is a rollout's id, or close to one of the names."""
    return is_rollout_id(subject) or bool(likely_meant(subject, names))


def did_you_mean(subject: str, names: Iterable[str]) -> str:
    """Return "Did you mean" with the names that a word may be a typo of; empty if there is none."""
    near = likely_meant(subject, names)
    return f"Did you mean {_list(near)}?" if near else ""


def _with_reason_apart(error: RouteError, command: Command) -> RouteError:
    """Tell people how to give a reason without a pool; a verb that raises the canary does not guess."""
    is_like_a_name = "-" in command.subject
    if verb_of(command.verb).takes_any_word or (is_like_a_name and not command.reason):
        return error
    return NotHereError(error.message, hint=f'{error.hint} Without a pool, write a reason as `reason="…"`.')


def _require_none(finished: Sequence[Entry]) -> None:
    """Ask people to name the finished rollout."""
    if finished:
        words = _words([each.rollout for each in finished])
        raise UsageError("No rollout is moving.", hint=f"Name the finished one if you mean it: {words}.")


def _words(rollouts: Sequence[Rollout], beside: Sequence[Rollout] = ()) -> str:
    """Return the word to type for each: its pool's name, or its id if another one has the same name."""
    among = [*rollouts, *beside]
    return ", ".join(
        f"`{each.id}` ({each.canary.name})" if _shares_name(each, among) else f"`{each.canary.name}`"
        for each in rollouts
    )


def _shares_name(rollout: Rollout, among: Sequence[Rollout]) -> bool:
    return any(each.canary.name == rollout.canary.name and each.id != rollout.id for each in among)


def _ids(entries: Sequence[Entry]) -> str:
    return _list([entry.rollout.id for entry in entries])


def _list(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
