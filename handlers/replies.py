"""Every sentence that only the person who asked sees."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from bot.domain.access import Access
from bot.domain.commands.request import Command
from bot.domain.commands.values import say_cut
from bot.domain.comparison import Choice
from bot.domain.errors import DependencyError, NotHereError, RolloutBotError, StoreError, UserError
from bot.domain.prose import Channel, Code, Link, Person, Prose, joined, moment, said, say, short
from bot.domain.rollout import Entry, Rollout
from bot.domain.sentences.doubts import doubts
from bot.domain.sentences.what_happened import NOT_CHECKED
from bot.domain.sentences.what_it_waits_for import Wait
from bot.domain.sentences.what_it_waits_for import why as why_it_waits
from bot.domain.sentences.where_it_stands import headword, state
from bot.domain.sentences.who_may import by
from bot.domain.verbs.asking import Reply
from bot.domain.verbs.registry import verb_of
from handlers.backend import Others, RouteRolledBack, nobody_else
from handlers.cards import route
from handlers.mrkdwn import shorten

# The words that identify a sentence, for code that checks what people were told.
NOT_CONFIRMED: Final = "I could not confirm this"
IS_KEPT: Final = "Your request is kept"
MAY_BE_OPEN: Final = "Slack did not say whether it opened the dialog"
NO_OTHER_TRY: Final = "Do not count on another try."
ROLLS_BACK_BY_ROUTE: Final = "I roll back from the record on the route"
ROLLED_BACK_BY_ROUTE: Final = "So I went by the record on route"
ROLLED_BACK_ALREADY: Final = "is rolled back already, since"
ROLLED_BACK: Final = "is rolled back and all traffic"
DONE_ELSEWHERE: Final = "Done; the card of"
SEE_CARD: Final = "See <http"

NOT_AS_BEFORE: Final = say(
    "The record there is not signed by me, so I did not go by its weights from before: "
    "the old pool has all the traffic that both had."
)

MOST = 20
MOST_SAID = 7000

_BY_HAND = say(
    "type in a terminal that reaches the cluster: `rolloutbot rollback --from-route ROUTE --namespace NAMESPACE`."
)

OPINIONS: Final = {Choice.A: "A is better", Choice.B: "B is better", Choice.SAME: "The same"}

_BRAKE_WORKS = say("`rollback` works all the same.")


def accepted(command: Command) -> Prose:
    """Say only that a request was received: the result is on the card, or in another answer."""
    if command.operation and command.operation.vote:
        number, _, choice = command.operation.vote.partition(":")
        return voted(int(number), Choice(choice))
    names = command.subject and not (command.operation is None and verb_of(command.verb).takes_any_word)
    got = say("Got it: `{}` `{}`.", command.name, command.subject) if names else say("Got it: `{}`.", command.name)
    return joined(" ", (got, say_cut(command.left_out))) if command.left_out else got


def voted(number: int, choice: Choice) -> Prose:
    """Say that a vote on a question was received. Only the voter sees it."""
    return say("Your vote on question {}: *{}*. I'll tell you if it doesn't count.", number, OPINIONS[choice])


def looking(within: timedelta) -> Prose:
    """Say that an inquiry is under way."""
    return say("Looking … the answer comes here, within {} s.", f"{within.total_seconds():g}")


def not_looking() -> Prose:
    """Say that nobody takes an inquiry now."""
    return say("I am restarting. Ask again in a moment.")


def not_found_out(error: DependencyError) -> Prose:
    """Say that a question has no answer, and what to do."""
    return _shown(error) if error.hint else say("{} Ask again in a moment.", _shown(error))


def answer(reply: Reply, access: Access) -> Prose:
    """Write an answer: its sentences, then what its rollout waits for, or where its rollouts stand."""
    if reply.wait is not None:
        (entry,) = reply.rollouts
        drawn = why(entry, reply.wait)
    else:
        drawn = status(reply.rollouts, access) if reply.rollouts else Prose()
    return joined("\n", (short(reply.said, MOST_SAID), drawn))


def status(entries: Sequence[Entry], access: Access) -> Prose:
    """Describe one rollout in detail, or several in a line each; of finished ones only the newest."""
    live = [entry for entry in entries if not entry.rollout.is_over] or entries[:1]
    if len(live) == 1:
        return detail(live[0], access)
    more = [say("… and {} more: name one, or its `route=`, to see it.", len(live) - MOST)] if len(live) > MOST else []
    return joined("\n", [*map(_line, live[:MOST]), *more])


def detail(entry: Entry, access: Access) -> Prose:
    """Describe one rollout."""
    rollout = entry.rollout
    title = say("*{}*: {}  ·  {}", said(rollout.canary.name, 100), headword(entry), said(rollout.id, 40))
    where = say("Route {}, old pool `{}`, {}", route(rollout), rollout.stable.name, _where(entry))
    return joined("\n", (title, state(entry, access), doubts(entry), where))


def why(entry: Entry, wait: Wait) -> Prose:
    """Say in one sentence what it waits for, who can end it, and the deadline; then what is wrong with the pools."""
    return joined("\n", (say("`{}`: {}", entry.rollout.canary.name, why_it_waits(wait)), doubts(entry)))


def rolled_back(entry: Entry) -> Prose:
    """Tell whoever typed a roll back that it is on the route."""
    rollout, of_route = entry.rollout, say(" of {}", route(entry.rollout)) if entry.other_routes else Prose()
    new, old = rollout.canary.name, rollout.stable.name
    return say("Done: `{}` {}{} goes to `{}` again.", new, ROLLED_BACK, of_route, old)


def elsewhere(entry: Entry, told: Prose) -> Prose:
    """Point to the card, for somebody who asked in another channel, after what is ``told`` already."""
    name, has_card = entry.rollout.canary.name, bool(entry.rollout.channel.strip())
    if not has_card:
        return told or say("Done; `{}` has no card.", name)
    if told:
        return say("{} Its card is in {}.", told, _where(entry))
    return say("{} `{}` is in {}.", DONE_ELSEWHERE, name, _where(entry))


def see_card(address: str, entry: Entry) -> Prose:
    """Say what became of a rollout, and where its card is."""
    card = Link(address, f"the card of {shorten(entry.rollout.canary.name, 100)}")
    return say("See {}: {}.", card, headword(entry))


def mishap(error: Exception, ref: str, others: Others = nobody_else) -> Prose:
    """Say what went wrong; if the person cannot fix it, add a ref that is in the log."""
    match error:
        case NotHereError():
            return joined(" ", (_shown(error), others()))
        case UserError():
            return _shown(error)
        case StoreError():
            return say(
                "{} {}; if it took effect, a card will show it. Try again in a moment (ref `{}`).\n{}",
                _store(error),
                NOT_CONFIRMED,
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
    return say("{} {} and will be tried again (ref `{}`).", _shown(error), IS_KEPT, ref)


def braking(store: StoreError, command: Command) -> Prose:
    """Say that a roll back goes on without the store, and what is wrong with the store."""
    told = say("{} {} and tell the channel.", _store(store), ROLLS_BACK_BY_ROUTE)
    return joined(" ", (told, say_cut(command.left_out)))


def braked(braked: RouteRolledBack, store: StoreError, *, is_checked: bool) -> Prose:
    """Tell the channel about a roll back that no card shows yet."""
    rollout = braked.rollout
    why = said(rollout.why, 1000)
    missing = said(", ".join(braked.missing), 300)
    return say(
        "*{by}{doubtful} rolled back* `{new}`, all traffic goes to `{old}`{why}.\n"
        "{store} {went} {route}.{missing}{doubt} The card follows when Redis works again.",
        by=Person(rollout.by),
        doubtful=Prose() if is_checked else say(" {}", NOT_CHECKED),
        new=rollout.canary.name,
        old=rollout.stable.name,
        why=say(": “{}”", why) if why else why,
        store=_store(store),
        went=ROLLED_BACK_BY_ROUTE,
        route=route(rollout),
        missing=say(" I could not find {} on it, so nothing was written there.", missing) if missing else missing,
        doubt=Prose() if braked.as_before else say(" {}", NOT_AS_BEFORE),
    )


def rolled_back_already(rollout: Rollout) -> Prose:
    """Say that there was nothing to roll back."""
    return say(
        "`{new}` {already} {since}{by}: all traffic goes to `{old}`. If requests still fail, look at that pool.",
        new=rollout.canary.name,
        already=ROLLED_BACK_ALREADY,
        since=moment(rollout.since),
        by=by(rollout.by),
        old=rollout.stable.name,
    )


def not_braked(error: DependencyError, store: StoreError) -> Prose:
    """Say that a roll back without the store failed, that it may not be kept, and what else to do."""
    return say(
        "*I do not know whether it is rolled back. {}* Try again, or {}\n{} {}",
        NO_OTHER_TRY,
        _BY_HAND,
        short(error.prose, 2000),
        _store(store),
    )


def not_braked_yet(error: DependencyError, store: StoreError) -> Prose:
    """Say that a roll back failed, and that the inbox keeps it."""
    return say(
        "*I do not know yet whether it is rolled back.* {} and will be tried again; to be faster, {}\n{} {}",
        IS_KEPT,
        _BY_HAND,
        short(error.prose, 2000),
        _store(store),
    )


def refused_yet() -> Prose:
    """Say, after why the routes refuse a roll back, that the inbox keeps it: the store may know more."""
    return say("{}. I look at it again when Redis works.", IS_KEPT)


def too_slow(instead: str) -> Prose:
    """Say that a form could not be opened, and what to type instead."""
    told = say("Slack did not open the dialog in time. Try again, or type the command with")
    return say("{} {}.", told, Code(instead))


def perhaps_open(instead: str) -> Prose:
    """Say that nobody knows whether a form is open, and what to do if it is not."""
    told = say("{}. If you do not see it, try again, or type the command with", MAY_BE_OPEN)
    return say("{} {}.", told, Code(instead))


def _shown(error: RolloutBotError) -> Prose:
    return short(error.prose, 2500)


def _store(error: StoreError) -> Prose:
    return short(error.prose, 300)


def _line(entry: Entry) -> Prose:
    rollout = entry.rollout
    name, shown = rollout.canary.name, said(rollout.id, 40)
    return say("`{}`  {}  ·  {}  ·  {}  ·  {}", name, headword(entry), route(rollout), shown, _where(entry))


def _where(entry: Entry) -> Prose:
    channel = entry.rollout.channel
    return say("{}", Channel(channel)) if channel.strip() else say("no channel")
