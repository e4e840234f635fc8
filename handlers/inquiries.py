"""Inquiries, and questions of people whom Slack has to be asked about first.

They are acknowledged at once, asked in a lane of their own, and answered in private when the answer is known.
"""

import logging
from functools import partial

from bot.domain.commands.request import Request
from bot.domain.errors import DependencyError, StoreError, UserError
from bot.domain.prose import Prose
from bot.domain.verbs.declaration import Kind
from bot.domain.verbs.registry import verb_of
from bot.engine.lane import Lane
from handlers import replies
from handlers.backend import Others, nobody_else
from handlers.cards import Card
from handlers.choices import refused
from handlers.errors import new_ref
from handlers.people import People
from handlers.private import Private
from handlers.questions import Questions

log = logging.getLogger(__name__)

LANE = 8
GRACE = 1.0
"""Seconds that answers may still take when the bot ends."""


class Inquiries:
    """A lane of its own. Each inquiry leaves it at its deadline, so that those behind it keep theirs."""

    def __init__(self, questions: Questions, people: People, private: Private, others: Others = nobody_else) -> None:
        self._questions, self._people, self._private, self._others = questions, people, private, others
        self._lane = Lane("inquiry", LANE)
        self._open: dict[str, Request] = {}

    def begin(self, request: Request) -> Prose:
        """Start it, and say until when the answer of an inquiry comes; a question's comes at once."""
        is_new = request.delivery not in self._open
        self._open[request.delivery] = request
        if is_new and not self._lane.take(partial(self._run, request)):  # closed; nobody keeps a question
            self._open.pop(request.delivery, None)
            return replies.not_looking()
        verb = verb_of(request.command.verb)
        return replies.looking(verb.within) if verb.kind is Kind.INQUIRY else Prose()

    def close(self) -> None:
        """Take no more, and tell people who wait that no answer comes."""
        self._lane.settle(GRACE)
        self._lane.stop_line()
        for request in list(self._open.values()):
            self._private.say(request.reply_to, replies.not_looking())

    def _run(self, request: Request) -> None:
        try:
            self._private.say(request.reply_to, self._answer(request))
            self._people.keep_names()
        finally:
            self._open.pop(request.delivery, None)

    def _answer(self, request: Request) -> Prose | Card:
        try:
            self._people.admit(request)
            return self._questions.answer(request)
        except UserError as error:
            log.info("%s by %s was refused: %s", request.command.verb, request.by, error)
            return refused(error, others=self._others)
        except StoreError as error:
            log.warning("`%s` was not answered: %s", request.command.verb, error)
            return replies.unanswered(error)
        except DependencyError as error:
            log.warning("`%s` was not answered: %s", request.command.verb, error)
            return replies.not_found_out(error)
        except Exception as error:
            ref = new_ref()
            log.exception("%s by %s broke, ref %s.", request.command.verb, request.by, ref)
            return replies.mishap(error, ref)
