"""Every sentence that only the asker sees."""

import re
from collections.abc import Sequence
from datetime import timedelta

from bot.domain.access import Access
from bot.domain.commands.request import Command
from bot.domain.commands.values import say_cut
from bot.domain.errors import DependencyError, RolloutBotError, StoreError, UserError
from bot.domain.rollout import Entry, Rollout
from bot.domain.verbs.asking import Reply
from bot.domain.verbs.registry import verb_of
from bot.domain.waiting import Wait, mention
from bot.domain.waiting import why as why_it_waits
from handlers.backend import RouteRolledBack
from handlers.mrkdwn import clean, code, escaped, moment
from handlers.state import headword, state

MOST = 20
MOST_SAID = 7000

_BY_HAND = (
    "type in a terminal that reaches the cluster: `rolloutbot rollback --from-route ROUTE --namespace NAMESPACE`."
)

_BRAKE_WORKS = "`rollback` works all the same."


def accepted(command: Command) -> str:
    """Say that a request is taken in, and no more: what comes of it is on the card, or in another answer."""
    names = command.subject and not verb_of(command.verb).takes_any_word
    whose = f" {code(command.subject, 80)}" if names else ""
    return " ".join(filter(None, [f"Got it: `{command.verb}`{whose}.", say_cut(command.left_out)]))


def looking(within: timedelta) -> str:
    """Say that an inquiry is under way."""
    return f"Looking … the answer comes here, within {within.total_seconds():g} s."


def not_looking() -> str:
    """Say that nobody looks into an inquiry."""
    return "I am just being restarted. Ask again in a moment."


def not_found_out(error: DependencyError) -> str:
    """Say that an inquiry has no answer."""
    return _shown(error)


def answer(reply: Reply, access: Access) -> str:
    """Write an answer: its sentences, then what its rollout waits for, or where its rollouts stand."""
    if reply.wait is not None:
        (entry,) = reply.rollouts
        drawn = why(entry, reply.wait)
    else:
        drawn = status(reply.rollouts, access) if reply.rollouts else ""
    return "\n".join(filter(None, [escaped(reply.said, MOST_SAID), drawn]))


def status(entries: Sequence[Entry], access: Access) -> str:
    """Tell of one rollout in detail, of several in a line each; of those that are over only the newest."""
    live = [entry for entry in entries if not entry.rollout.is_over] or entries[:1]
    if len(live) == 1:
        return detail(live[0], access)
    more = [f"… and {len(live) - MOST} more: name one to see it."] if len(live) > MOST else []
    return "\n".join([*map(_line, live[:MOST]), *more])


def detail(entry: Entry, access: Access) -> str:
    """Tell of one rollout."""
    rollout = entry.rollout
    route = code(f"{rollout.namespace}/{rollout.route}", 160)
    title = f"*{clean(rollout.canary.name, 100)}*: {headword(entry)}  ·  {clean(rollout.id, 40)}"
    return f"{title}\n{state(entry, access)}\nRoute {route}, old pool {code(rollout.stable.name, 80)}, {_where(entry)}"


def why(entry: Entry, wait: Wait) -> str:
    """Say in one sentence what it waits for, who can end it, and the deadline."""
    name = code(entry.rollout.canary.name, 80)
    return f"{name}: {why_it_waits(wait, when=moment, quote=lambda said: clean(said, 400))}"


def elsewhere(entry: Entry) -> str:
    """Point to the card, for somebody who asked in another channel."""
    return f"Done; the card of {code(entry.rollout.canary.name, 80)} is in {_where(entry)}."


def mishap(error: Exception, ref: str) -> str:
    """Say what went wrong in words for the asker; what is not theirs to mend carries a ref into the log."""
    match error:
        case UserError():
            return _shown(error)
        case StoreError():
            return (
                f"{escaped(str(error), 300)} I could not confirm this; if it took effect, a card will show it. "
                f"Try again in a moment (ref `{ref}`).\n{_BRAKE_WORKS}"
            )
        case DependencyError():
            return f"{_shown(error)} (ref `{ref}`)"
        case _:
            return (
                f"Something broke on our side. Nothing of yours is lost: look at the card, then try again; ref `{ref}`."
            )


def unanswered(store: StoreError) -> str:
    """Say that a question cannot be answered now."""
    return f"{escaped(str(store), 300)} Try again in a moment.\n{_BRAKE_WORKS}"


def kept(error: DependencyError, ref: str) -> str:
    """Say that a request goes on by itself."""
    return f"{_shown(error)} Your request is kept and will be tried again (ref `{ref}`)."


def braking(store: StoreError, command: Command) -> str:
    """Say that a roll back goes on without the store, and what is the matter with that."""
    told = f"{escaped(str(store), 300)} I roll back from the record on the route and tell the channel."
    return " ".join(filter(None, [told, say_cut(command.left_out)]))


def braked(braked: RouteRolledBack, store: StoreError) -> str:
    """Tell the channel of a roll back that no card shows yet."""
    rollout = braked.rollout
    reason = f": “{clean(rollout.why, 1000)}”" if rollout.why.strip() else ""
    gone = f" Not found on it, so not written: {clean(', '.join(braked.missing), 300)}." if braked.missing else ""
    return (
        f"*{mention(rollout.by)} rolled back* {code(rollout.canary.name, 80)}, all traffic goes to "
        f"{code(rollout.stable.name, 80)}{reason}.\n{escaped(str(store), 300)} So I went by the record on route "
        f"{code(f'{rollout.namespace}/{rollout.route}', 160)}.{gone} The card follows when Redis is well again."
    )


def braked_before(rollout: Rollout) -> str:
    """Say that there was nothing to roll back."""
    by = f" by {mention(rollout.by)}" if rollout.by else ""
    return (
        f"{code(rollout.canary.name, 80)} is rolled back already, since {moment(rollout.since)}{by}: all traffic goes "
        f"to {code(rollout.stable.name, 80)}. If requests still fail, look at that pool."
    )


def not_braked(error: DependencyError, store: StoreError) -> str:
    """Say that a roll back without the store failed, where the inbox may not have it, and what is left."""
    return (
        "*It may not be rolled back, and do not count on another try.* "
        f"Press again, or {_BY_HAND}\n{_both(error, store)}"
    )


def not_braked_yet(error: DependencyError, store: StoreError) -> str:
    """Say that a roll back failed which the inbox has."""
    return (
        "*It may not be rolled back yet.* Your request is kept and will be tried again; "
        f"to be faster, {_BY_HAND}\n{_both(error, store)}"
    )


def refused_yet(error: UserError) -> str:
    """Say that a roll back was refused by what the routes say; the inbox has it, and the store may know more."""
    return f"{_shown(error)} Your request is kept, and looked at again when Redis is well."


def too_slow(verb: str) -> str:
    """Say that a dialog could not be opened."""
    return f"Slack did not open the dialog in time. Press again, or type the command with `{verb} POOL reason`."


def _both(error: DependencyError, store: StoreError) -> str:
    return f"{escaped(str(error), 2000)} {escaped(str(store), 300)}"


def _shown(error: RolloutBotError) -> str:
    return escaped(str(error), 2500)


def _line(entry: Entry) -> str:
    rollout = entry.rollout
    return f"{code(rollout.canary.name, 80)}  {headword(entry)}  ·  {clean(rollout.id, 40)}  ·  {_where(entry)}"


def _where(entry: Entry) -> str:
    channel = entry.rollout.channel
    if re.fullmatch(r"[CGD][A-Z0-9]{1,30}", channel):
        return f"<#{channel}>"
    return clean(channel, 40) or "no channel"
