"""Operations in words: where one stands, what happened to it, and who began it."""

from collections.abc import Iterator

from bot.domain.access import named
from bot.domain.comparison import VOTES_FOR, is_open
from bot.domain.operation import Operation, OperationEvent, OperationEventKind, OperationPhase
from bot.domain.prose import Person, Prose, Time, joined, moment, near, said, say, sentence, short
from bot.domain.sentences.who_may import count_approvals

SAID = 500
"""How many characters an executor or a person may say about one event."""


def headword(operation: Operation) -> str:
    """Say in a word where it stands."""
    if is_open(operation):
        return "wants votes"
    return "wants approval" if operation.phase is OperationPhase.ASKING else operation.phase.value


def state(operation: Operation) -> Prose:
    """Say in a sentence or two where it stands, and what is left to do by hand."""
    match operation.phase:
        case OperationPhase.RUNNING if is_open(operation):
            return say(
                "*Which answers are better?* Vote in the thread until {}.", moment(operation.started_at + VOTES_FOR)
            )
        case OperationPhase.RUNNING:
            return _joined_lines(say("It has until {}.", until(operation)), _trouble(operation))
        case OperationPhase.ASKING:
            return _joined_lines(*_asked(operation))
        case OperationPhase.CANCELLING:
            who = say("{} cancelled it. ", Person(operation.by)) if operation.by else Prose()
            told = say("{}What was done is being taken back, until {}.", who, until(operation))
            return _joined_lines(told, _trouble(operation))
        case OperationPhase.DONE:
            return say("Done {}.{}", moment(operation.since), _approved(operation))
        case OperationPhase.CANCELLED:
            return say("Cancelled {}. What was done is taken back.", moment(operation.since))
        case OperationPhase.FAILED:
            left = say("*Left to do:* {}", short(sentence(operation.left), 1000)) if operation.left else Prose()
            return _joined_lines(say("⚠️ {}", short(sentence(operation.why), 1500)), left)


def until(operation: Operation) -> Time:
    """Say until when it may take, with the day if that is not near."""
    return near(operation.deadline, operation.since)


def _approved(operation: Operation) -> Prose:
    given = operation.agreement.approvals if operation.agreement else ()
    return say(" {} approved it.", named(given, "and")) if given else Prose()


def _asked(operation: Operation) -> Iterator[Prose]:
    """Yield what people are asked to agree to, and how many are missing until when."""
    agreement = operation.agreement
    missing = agreement.needed - len(agreement.approvals) if agreement else 1
    barred = agreement.not_by if agreement else ""
    other = say(" from somebody other than {}", Person(barred)) if barred else Prose()
    yield say("*It needs {}*{} until {}. Then it will:", count_approvals(missing), other, moment(operation.deadline))
    yield short(joined("\n", (say("• {}", sentence(one)) for one in (agreement.lines if agreement else ()))), 2500)


def line(operation: Operation) -> Prose:
    """Describe one of several."""
    told = say("`{}`  {}  ·  {}", operation.name, headword(operation), said(operation.id, 40))
    last = operation.progress[-1] if operation.progress else ""
    return say("{}  ·  {}", told, short(sentence(last), 200)) if last else told


def detail(operation: Operation) -> Prose:
    """Describe one operation."""
    title = say("*{}*: {}  ·  {}", said(operation.name, 80), headword(operation), said(operation.id, 40))
    return joined("\n", (title, state(operation), progress(operation)))


def progress(operation: Operation) -> Prose:
    """List its executor's last sentences."""
    return joined("\n", (say("• {}", short(sentence(one), 480)) for one in operation.progress))


def origin(operation: Operation) -> Prose:
    """Say who began it, when, and with what words."""
    given = ", ".join(f"{key}={value}" for key, value in operation.parameters.items())
    begun = say("{} started it {}", Person(operation.started_by), moment(operation.started_at))
    reason = said(operation.reason, 300)
    why = say("“{}”", reason) if reason else reason
    return joined("  ·  ", (begun, said(operation.id, 40), said(given, 300), why))


def told(event: OperationEvent) -> Prose:
    """Say what happened, in a sentence."""
    match event.kind:
        case OperationEventKind.BEGUN:
            return _with(say("{} started it", Person(event.by)), event)
        case OperationEventKind.PROGRESSED:
            return short(sentence(event.said), SAID)
        case OperationEventKind.ASKED:
            return say("*It needs approval*: the card lists what it will do.")
        case OperationEventKind.APPROVED:
            return say("{} approved it.", Person(event.by))
        case OperationEventKind.QUESTION:
            return say("Question {} is put to people.", said(event.said, 10))
        case OperationEventKind.DONE:
            return _with(say("*Done*"), event)
        case OperationEventKind.FAILED:
            return _with(say("*Failed*"), event)
        case OperationEventKind.CANCELLING:
            return _with(say("{} cancelled it", Person(event.by)), event)
        case OperationEventKind.CANCELLED:
            return _with(say("*Cancelled*, what was done is taken back"), event)


def _with(what: Prose, event: OperationEvent) -> Prose:
    """Add what a person said, quoted, or what the executor said, which is a sentence already."""
    if not event.said:
        return say("{}.", what)
    if event.by:
        return say("{}: “{}”", what, said(event.said, SAID))
    return say("{}. {}", what, short(sentence(event.said), SAID))


def _trouble(operation: Operation) -> Prose:
    if not operation.trouble:
        return Prose()
    return say("⚠️ {} It is tried again.", short(sentence(operation.trouble), 800))


def _joined_lines(*lines: Prose) -> Prose:
    return joined("\n", lines)
