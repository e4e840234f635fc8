"""Lines about operations: what is read, what is refused, and what is none of them."""

import pytest

from bot.domain.commands.request import END, START, Command, OperationWords, vote_words
from bot.domain.commands.tokens import words
from bot.domain.errors import UsageError
from bot.engine.encoding import read_request, request_json
from bot.operations.registry import Registry
from bot.operations.words import read_operation_words
from tests.bot.operations.scripted import Scripted
from tests.builders import a_request

COPY = Registry((Scripted(),))


def begins(subject: str = "models", reason: str = "", **parameters: str) -> Command:
    words = OperationWords(kind="copy", parameters=parameters)
    return Command(verb=START, subject=subject, reason=reason, operation=words)


def cancels(subject: str = "", reason: str = "") -> Command:
    return Command(verb=END, subject=subject, reason=reason, operation=OperationWords())


def approves(subject: str, reason: str = "") -> Command:
    return Command(verb=END, subject=subject, reason=reason, operation=OperationWords(approves=True))


@pytest.mark.parametrize(
    ("line", "command"),
    {
        "approve o-7f3a2c01": approves("o-7f3a2c01"),
        "approve o-7f3a2c01 looks good": approves("o-7f3a2c01", "looks good"),
        "approve models": None,
        "vote o-7f3a2c01 2 a": Command(verb=END, subject="o-7f3a2c01", operation=vote_words(2, "a")),
        "Vote o-7f3a2c01 1 SAME": Command(verb=END, subject="o-7f3a2c01", operation=vote_words(1, "same")),
        "approve": None,
        "copy models": begins(),
        "Copy models count=3": begins(count="3"),
        'copy count=3 models reason="new nodes"': begins(reason="new nodes", count="3"),
        "cancel": cancels(),
        "cancel o-7f3a2c01": cancels("o-7f3a2c01"),
        "cancel models reason=wrong": cancels("models", "wrong"),
        "cancel Wrong image!": cancels(reason="Wrong image!"),
        "cancel p99=3s": cancels(reason="p99=3s"),
        "start models 10": None,
        "": None,
    }.items(),
)
def test_a_line_is_read(line: str, command: Command | None) -> None:
    assert read_operation_words(words(line), COPY) == command


@pytest.mark.parametrize(
    ("line", "said"),
    {
        "copy": "`copy` needs a subject. Usage: `copy SUBJECT [count=… reason=…]`.",
        "vote o-7f3a2c01 a 2": "That is no vote. Usage: `vote ID QUESTION a|b|same`.",
        "vote o-7f3a2c01 2 c": "That is no vote. Usage: `vote ID QUESTION a|b|same`.",
        f"vote o-7f3a2c01 {'9' * 5000} a": "That is no vote. Usage: `vote ID QUESTION a|b|same`.",
        "vote models 2 a": "`vote` needs the id that is on the comparison's card, like `o-7f3a2c01`. "
        "Usage: `vote ID QUESTION a|b|same`. "
        "The buttons in the thread do the same.",
        "copy a b": "`b` is one word too many. Usage: `copy SUBJECT [count=… reason=…]`.",
        "copy a cuont=3": "`cuont` is not a key of `copy`. Did you mean `count`?",
        "copy a x=3": "`x` is not a key of `copy`. Usage: `copy SUBJECT [count=… reason=…]`.",
        "copy a count=3 count=4": "`count` is there twice. Leave one of them out.",
        f"copy a count={'3' * 1001}": "`count` is too long. Give at most 1000 characters.",
    }.items(),
)
def test_nonsense_is_refused_in_one_sentence(line: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_operation_words(words(line), COPY)
    assert str(refused.value) == said


@pytest.mark.parametrize("line", ["copy models", "cancel"])
def test_without_an_executor_no_line_is_about_operations(line: str) -> None:
    assert read_operation_words(words(line), Registry()) is None


@pytest.mark.parametrize("command", [begins(count="3"), cancels("models")])
def test_the_inbox_keeps_all_of_it(command: Command) -> None:
    request = a_request(END, delivery="d")
    assert read_request(request_json(request)) == request
    with_operation = type(request)(command=command, by=request.by, origin=request.origin, delivery="d", at=request.at)
    assert read_request(request_json(with_operation)) == with_operation
