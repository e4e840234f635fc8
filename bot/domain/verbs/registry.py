"""Every verb that exists, one line a verb, in the groups of the help."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bot.domain.rollout import Phase, Rollout
from bot.domain.verbs.adopt import ADOPT
from bot.domain.verbs.advance import ADVANCE
from bot.domain.verbs.approve import APPROVE
from bot.domain.verbs.check import CHECK
from bot.domain.verbs.declaration import Kind, Verb
from bot.domain.verbs.end import END
from bot.domain.verbs.finish import FINISH
from bot.domain.verbs.gates import GATES
from bot.domain.verbs.help import HELP
from bot.domain.verbs.keep import KEEP
from bot.domain.verbs.pause import PAUSE
from bot.domain.verbs.promote import PROMOTE
from bot.domain.verbs.reject import REJECT
from bot.domain.verbs.restore import RESTORE
from bot.domain.verbs.resume import RESUME
from bot.domain.verbs.rollback import ROLLBACK
from bot.domain.verbs.start import START
from bot.domain.verbs.status import STATUS
from bot.domain.verbs.why import WHY

Groups = tuple[tuple[Verb, ...], ...]

_GROUPS: Final[Groups] = (
    (
        START,
        CHECK,
        STATUS,
        WHY,
        GATES,
    ),
    (
        APPROVE,
        REJECT,
    ),
    (
        PAUSE,
        RESUME,
        ADVANCE,
        PROMOTE,
    ),
    (
        RESTORE,
        ADOPT,
    ),
    (
        ROLLBACK,
        FINISH,
        KEEP,
        END,
    ),
    (HELP,),
)

_ALL: Final = tuple(verb for group in _GROUPS for verb in group)

_by_name = {verb.name: verb for verb in _ALL}
_by_spelling = {spelling: verb for verb in _ALL for spelling in (verb.name, *verb.spellings)}
_added: list[Verb] = []


@contextmanager
def added(verb: Verb) -> Iterator[None]:
    """Add a verb for a while. Raises ValueError if its name, or another spelling of it, is taken."""
    spelled = dict.fromkeys((verb.name, *verb.spellings), verb)
    if taken := [spelling for spelling in spelled if spelling in _by_spelling]:
        raise ValueError(f"There is a verb `{taken[0]}` already.")
    _added.append(verb)
    _by_name[verb.name] = verb
    _by_spelling.update(spelled)
    try:
        yield
    finally:
        _added.remove(verb)
        del _by_name[verb.name]
        for spelling in spelled:
            del _by_spelling[spelling]


def groups() -> Groups:
    """Return all verbs in the groups of the help."""
    return (*_GROUPS[:-1], *((verb,) for verb in _added), _GROUPS[-1])


def verbs() -> tuple[Verb, ...]:
    """Return all verbs in the order of the help."""
    return tuple(verb for group in groups() for verb in group) if _added else _ALL


def find_verb(name: str) -> Verb | None:
    """Return a verb by its name; None if this version has no such verb."""
    return _by_name.get(name)


def spelled_verb(typed: str) -> Verb | None:
    """Return a verb by its name or another spelling of it."""
    return _by_spelling.get(typed)


def verb_of(name: str) -> Verb:
    """Return a verb that the grammar or the inbox's reader has accepted."""
    verb = _by_name.get(name)
    if verb is None:
        raise LookupError(f"There is no verb `{name}`.")
    return verb


def working_now(rollout: Rollout) -> tuple[Verb, ...]:
    """Return the orders that would do something now."""
    return tuple(verb for verb in verbs() if verb.kind is Kind.ORDER and verb.works_now(rollout))


_INSTEAD: Final = {
    Phase.STARTING: "The gateway has yet to accept the first weight; {verbs} work now.",
    Phase.HOLDING: "`why` says what it waits for; {verbs} work now.",
    Phase.CLEANED: "The old pool is gone. To go back, deploy it again, and `start` a rollout to it.",
    Phase.ROLLED_BACK: "`start` it to try again.",
    Phase.ENDED: "`start` a new rollout, or `rollback` if none has started on the route since.",
    Phase.REFUSED: "Fix what it names and `start` again.",
}


def what_works_now(rollout: Rollout) -> str:
    """Say which verbs work now, or what to do if none does."""
    *names, last = [f"`{verb.name}`" for verb in working_now(rollout)] or [""]
    listed = f"{', '.join(names)} and {last}" if names else last
    return _INSTEAD.get(rollout.phase, "{verbs} work now.").format(verbs=listed)
