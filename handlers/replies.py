"""Every sentence that only the asker sees."""

import re
from collections.abc import Sequence

from bot.domain.access import Access
from bot.domain.commands.grammar import USAGE
from bot.domain.commands.request import WORDY, Command, Verb
from bot.domain.errors import DependencyError, RolloutBotError, StoreError, UserError
from bot.domain.rollout import Entry, Rollout
from bot.domain.waiting import mention, waits
from bot.domain.waiting import why as why_it_waits
from handlers.backend import RouteRolledBack
from handlers.mrkdwn import clean, code, escaped, moment
from handlers.state import headword, state

MOST = 20

HELP = {
    Verb.START: "move traffic to a new pool, step by step; the first weight in percent",
    Verb.STATUS: "where it stands",
    Verb.WHY: "what it waits for, who can end that, and until when",
    Verb.APPROVE: "let the next step happen",
    Verb.REJECT: "say no to it: pauses",
    Verb.PAUSE: "stay at this weight until somebody resumes",
    Verb.RESUME: "go on",
    Verb.ADVANCE: "take the next step now",
    Verb.PROMOTE: "go to 100 % now",
    Verb.RESTORE: "somebody else changed the weights: write ours again and go on",
    Verb.ADOPT: "or take theirs as the present step and go on",
    Verb.ROLLBACK: "the brake: all traffic back to the old pool, always",
    Verb.FINISH: "end the bake now: the old pool leaves the route",
    Verb.END: "let go of the route, the weights stay",
    Verb.HELP: "show this list",
}

_GROUPS = (
    (Verb.START, Verb.STATUS, Verb.WHY),
    (Verb.APPROVE, Verb.REJECT),
    (Verb.PAUSE, Verb.RESUME, Verb.ADVANCE, Verb.PROMOTE),
    (Verb.RESTORE, Verb.ADOPT),
    (Verb.ROLLBACK, Verb.FINISH, Verb.END),
    (Verb.HELP,),
)

_BY_HAND = (
    "type in a terminal that reaches the cluster: `rolloutbot rollback --from-route ROUTE --namespace NAMESPACE`."
)

_BRAKE_WORKS = "`rollback` works all the same."

_START, _, _KEYS = USAGE[Verb.START].partition(" [")


def help_text(command: str) -> str:
    """List the verbs that exist, as they are typed."""
    groups = ["\n".join(_help(verb, command) for verb in group) for group in _GROUPS]
    closing = "POOL is the new pool's name, a rollout's id, or nothing where the channel has one rollout."
    example = f"For example: `{command} start vllm-llama3-8b-instruct-new 10`"
    return "\n\n".join([*groups, f"{closing}\n{example}\nWith `start` also:\n`[{_KEYS}`"])


def _help(verb: Verb, command: str) -> str:
    usage = _START if verb is Verb.START else USAGE[verb]
    return f"`{usage.format(command=command)}`\n{HELP[verb]}"


def accepted(command: Command) -> str:
    """Say that a request is taken in, and no more: what comes of it is on the card, or in another answer."""
    whose = f" {code(command.subject, 80)}" if command.subject and command.verb not in WORDY else ""
    return f"Got it: `{command.name}`{whose}."


def status(entries: Sequence[Entry], access: Access, *, command: str) -> str:
    """Tell of one rollout in detail, of several in a line each; of those that are over only the newest."""
    live = [entry for entry in entries if not entry.rollout.is_over] or entries[:1]
    if not live:
        return (
            f"This channel has no rollout. Name a pool, as in `{command} status POOL`, "
            f"or begin one with `{command} start POOL WEIGHT`."
        )
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


def why(entry: Entry, access: Access) -> str:
    """Say in one sentence what it waits for, who can end it, and the deadline."""
    name = code(entry.rollout.canary.name, 80)
    return f"{name}: {why_it_waits(waits(entry, access), when=moment, quote=lambda said: clean(said, 400))}"


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


def braking(store: StoreError) -> str:
    """Say that a roll back goes on without the store, and what is the matter with that."""
    return f"{escaped(str(store), 300)} I roll back from the record on the route and tell the channel."


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


def too_slow() -> str:
    """Say that a dialog could not be opened."""
    return "Slack did not open the dialog in time. Press again, or type the command with `reject POOL reason`."


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
