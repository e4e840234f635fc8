"""Which rollout people mean: by the canary's name, by rollout id, or the only one of the channel."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from bot.domain.command import WORDY, Command
from bot.domain.errors import RouteError, UsageError
from bot.domain.rollout import SLOTLESS, Entry
from bot.domain.starting import is_rollout_id
from bot.ports import Clock, Store
from bot.sight import forgetful

REMEMBERED = timedelta(hours=24)
"""So long the channel's last rollout is meant by nothing more than a verb."""


class Finder:
    """Looks rollouts up for commands and clicks."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def meant_by(self, command: Command, channel: str) -> tuple[Entry, Command]:
        """Return the rollout that a command is about, and the command as it was meant.

        A brake or a rejection is not refused for its first word: `rollback p99 doubled` has a reason and no pool,
        unless the word is a rollout's id, or comes close to the name of a pool that has a rollout.
        """
        try:
            return self.find(command.subject, channel), command
        except RouteError as error:
            if command.verb not in WORDY or self._is_a_name(command.subject, channel):
                raise _with_reason_apart(error, command) from error
            reason = f"{command.subject} {command.reason}".strip()
            return self._of_channel(channel), replace(command, subject="", reason=reason)

    def _is_a_name(self, subject: str, channel: str) -> bool:
        return is_a_name(subject, self._names(channel))

    def find(self, subject: str, channel: str) -> Entry:
        """Return the rollout that ``subject`` (may be empty) means in a channel, or anywhere where that is empty.

        Raises UserError, StoreError.
        """
        try:
            return self._by_name(subject, channel) if subject else self._of_channel(channel)
        except RouteError as error:
            if not self._store.is_whole():
                raise forgetful() from error  # it may be there, and only forgotten
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
        raise RouteError(f"There is no rollout of `{subject}`.", hint=self._nearest(subject, channel))

    def _nearest(self, subject: str, channel: str) -> str:
        if slip := did_you_mean(subject, self._names(channel)):
            return slip
        if running := sorted(self._running())[:5]:
            return f"Running: {_list(running)}."
        return "None is running: begin one with `start POOL WEIGHT`."

    def _names(self, channel: str) -> set[str]:
        """Return the names of what runs, and of the channel's last rollouts."""
        return self._running() | {entry.rollout.canary.name for entry in self._store.in_channel(channel)}

    def _running(self) -> set[str]:
        return {entry.rollout.canary.name for entry in self._store.entries()}

    def _of_channel(self, channel: str) -> Entry:
        entries = self._store.in_channel(channel) if channel else self._store.entries()
        open_ones = [entry for entry in entries if not entry.rollout.is_over]
        # A finished rollout only waits to be cleaned up; a word without a name means the one that moves.
        active = [entry for entry in open_ones if entry.rollout.phase not in SLOTLESS] or open_ones
        if len(active) == 1:
            return active[0]
        if active:
            where = "This channel has" if channel else "There are"
            raise UsageError(f"{where} several rollouts.", hint=f"Name one: {_names(active)}.")
        recent = [e for e in entries if self._clock.now() - e.rollout.since <= REMEMBERED]
        if recent:
            return recent[0]
        none = "This channel has no rollout." if channel else "No rollout is under way."
        raise RouteError(none, hint="Name its pool, or begin one with `start POOL WEIGHT`.")


def is_a_name(subject: str, names: Iterable[str]) -> bool:
    """Say whether a word is no reason: it is a rollout's id, or comes close to one of the names."""
    return is_rollout_id(subject) or bool(difflib.get_close_matches(subject, names, cutoff=0.75))


def did_you_mean(subject: str, names: Iterable[str]) -> str:
    """Ask for the names that a word may be a slip of; empty where there is none."""
    near = difflib.get_close_matches(subject, names, n=3, cutoff=0.6)
    return f"Did you mean {_list(near)}?" if near else ""


def _with_reason_apart(error: RouteError, command: Command) -> RouteError:
    """Tell somebody who gave a reason and no pool how to; a verb that raises the canary does not guess."""
    if command.verb in WORDY or not command.reason:
        return error
    return RouteError(error.message, hint=f'{error.hint} Without a pool, write a reason as `reason="…"`.')


def _names(entries: Sequence[Entry]) -> str:
    return _list([entry.rollout.canary.name for entry in entries])


def _ids(entries: Sequence[Entry]) -> str:
    return _list([entry.rollout.id for entry in entries])


def _list(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
