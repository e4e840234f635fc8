"""Every sentence that only the asker sees."""

from collections.abc import Sequence

from bot.domain.access import Access
from bot.domain.commands.grammar import USAGE
from bot.domain.commands.request import WORDY, Command, Verb
from bot.domain.errors import DependencyError, RolloutBotError, StoreError, UserError
from bot.domain.prose import Channel, Code, Person, Prose, joined, moment, said, say, sentence, short
from bot.domain.rollout import Entry, Rollout
from bot.domain.sentences.what_it_waits_for import waits
from bot.domain.sentences.what_it_waits_for import why as why_it_waits
from bot.domain.sentences.where_it_stands import headword, state
from bot.domain.sentences.who_may import by
from handlers.backend import RouteRolledBack
from handlers.cards import route

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

_BY_HAND = say(
    "type in a terminal that reaches the cluster: `rolloutbot rollback --from-route ROUTE --namespace NAMESPACE`."
)

_BRAKE_WORKS = say("`rollback` works all the same.")

_START, _, _KEYS = USAGE[Verb.START].partition(" [")


def help_text(command: str) -> Prose:
    """List the verbs that exist, as they are typed."""
    groups = [joined("\n", (_help(verb, command) for verb in group)) for group in _GROUPS]
    closing = say("POOL is the new pool's name, a rollout's id, or nothing where the channel has one rollout.")
    example = say("For example: `{} start vllm-llama3-8b-instruct-new 10`", command)
    keys = say("With `start` also:\n{}", Code(f"[{_KEYS}"))
    return joined("\n\n", (*groups, joined("\n", (closing, example, keys))))


def _help(verb: Verb, command: str) -> Prose:
    usage = _START if verb is Verb.START else USAGE[verb]
    return say("{}\n{}", Code(usage.format(command=command)), sentence(HELP[verb]))


def accepted(command: Command) -> Prose:
    """Say that a request is taken in, and no more: what comes of it is on the card, or in another answer."""
    if command.subject and command.verb not in WORDY:
        return say("Got it: `{}` `{}`.", command.verb.value, command.subject)
    return say("Got it: `{}`.", command.verb.value)


def status(entries: Sequence[Entry], access: Access, *, command: str) -> Prose:
    """Tell of one rollout in detail, of several in a line each; of those that are over only the newest."""
    live = [entry for entry in entries if not entry.rollout.is_over] or entries[:1]
    if not live:
        return say(
            "This channel has no rollout. Name a pool, as in `{command} status POOL`, "
            "or begin one with `{command} start POOL WEIGHT`.",
            command=command,
        )
    if len(live) == 1:
        return detail(live[0], access)
    more = [say("… and {} more: name one to see it.", len(live) - MOST)] if len(live) > MOST else []
    return joined("\n", [*map(_line, live[:MOST]), *more])


def detail(entry: Entry, access: Access) -> Prose:
    """Tell of one rollout."""
    rollout = entry.rollout
    title = say("*{}*: {}  ·  {}", said(rollout.canary.name, 100), headword(entry), said(rollout.id, 40))
    where = say("Route {}, old pool `{}`, {}", route(rollout), rollout.stable.name, _where(entry))
    return joined("\n", (title, state(entry, access), where))


def why(entry: Entry, access: Access) -> Prose:
    """Say in one sentence what it waits for, who can end it, and the deadline."""
    return say("`{}`: {}", entry.rollout.canary.name, why_it_waits(waits(entry, access)))


def elsewhere(entry: Entry) -> Prose:
    """Point to the card, for somebody who asked in another channel."""
    return say("Done; the card of `{}` is in {}.", entry.rollout.canary.name, _where(entry))


def mishap(error: Exception, ref: str) -> Prose:
    """Say what went wrong in words for the asker; what is not theirs to mend carries a ref into the log."""
    match error:
        case UserError():
            return _shown(error)
        case StoreError():
            return say(
                "{} I could not confirm this; if it took effect, a card will show it. Try again in a moment "
                "(ref `{}`).\n{}",
                _store(error),
                ref,
                _BRAKE_WORKS,
            )
        case DependencyError():
            return say("{} (ref `{}`)", _shown(error), ref)
        case _:
            return say(
                "Something broke on our side. Nothing of yours is lost: look at the card, then try again; ref `{}`.",
                ref,
            )


def unanswered(store: StoreError) -> Prose:
    """Say that a question cannot be answered now."""
    return say("{} Try again in a moment.\n{}", _store(store), _BRAKE_WORKS)


def kept(error: DependencyError, ref: str) -> Prose:
    """Say that a request goes on by itself."""
    return say("{} Your request is kept and will be tried again (ref `{}`).", _shown(error), ref)


def braking(store: StoreError) -> Prose:
    """Say that a roll back goes on without the store, and what is the matter with that."""
    return say("{} I roll back from the record on the route and tell the channel.", _store(store))


def braked(braked: RouteRolledBack, store: StoreError) -> Prose:
    """Tell the channel of a roll back that no card shows yet."""
    rollout = braked.rollout
    why = said(rollout.why, 1000)
    missing = said(", ".join(braked.missing), 300)
    return say(
        "*{by} rolled back* `{new}`, all traffic goes to `{old}`{why}.\n"
        "{store} So I went by the record on route {route}.{missing} The card follows when Redis is well again.",
        by=Person(rollout.by),
        new=rollout.canary.name,
        old=rollout.stable.name,
        why=say(": “{}”", why) if why else why,
        store=_store(store),
        route=route(rollout),
        missing=say(" Not found on it, so not written: {}.", missing) if missing else missing,
    )


def braked_before(rollout: Rollout) -> Prose:
    """Say that there was nothing to roll back."""
    return say(
        "`{new}` is rolled back already, since {since}{by}: all traffic goes to `{old}`. "
        "If requests still fail, look at that pool.",
        new=rollout.canary.name,
        since=moment(rollout.since),
        by=by(rollout.by),
        old=rollout.stable.name,
    )


def not_braked(error: DependencyError, store: StoreError) -> Prose:
    """Say that a roll back without the store failed, where the inbox may not have it, and what is left."""
    return say(
        "*I do not know whether it is rolled back. Do not count on another try.* Press again, or {}\n{} {}",
        _BY_HAND,
        short(error.prose, 2000),
        _store(store),
    )


def not_braked_yet(error: DependencyError, store: StoreError) -> Prose:
    """Say that a roll back failed which the inbox has."""
    return say(
        "*I do not know yet whether it is rolled back.* Your request is kept and will be tried again; to be faster, "
        "{}\n{} {}",
        _BY_HAND,
        short(error.prose, 2000),
        _store(store),
    )


def refused_yet(error: UserError) -> Prose:
    """Say that a roll back was refused by what the routes say; the inbox has it, and the store may know more."""
    return say("{} Your request is kept, and looked at again when Redis is well.", _shown(error))


def too_slow() -> Prose:
    """Say that a dialog could not be opened."""
    return say("Slack did not open the dialog in time. Press again, or type the command with `reject POOL reason`.")


def _shown(error: RolloutBotError) -> Prose:
    return short(error.prose, 2500)


def _store(error: StoreError) -> Prose:
    return short(error.prose, 300)


def _line(entry: Entry) -> Prose:
    rollout = entry.rollout
    name, shown = rollout.canary.name, said(rollout.id, 40)
    return say("`{}`  {}  ·  {}  ·  {}", name, headword(entry), shown, _where(entry))


def _where(entry: Entry) -> Prose:
    channel = entry.rollout.channel
    return say("{}", Channel(channel)) if channel.strip() else say("no channel")
