"""Puts the Slack side together: the Bolt app, its listeners, and what they share."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from slack_bolt import App
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.logger.messages import warning_client_prioritized_and_token_skipped
from slack_sdk import WebClient

from bot.config.policy import Policy
from bot.engine.ports import Clock
from bot.engine.store_port import Shown, Store
from handlers import actions, clean_button, commands, errors, operation_actions, start_button, strangers, votes
from handlers.backend import NO_OPERATIONS, Backend, OperationReader, Others, nobody_else
from handlers.card_links import CardLinks
from handlers.inquiries import Inquiries
from handlers.intake import Intake
from handlers.people import People
from handlers.private import Private
from handlers.questions import Questions
from handlers.rollback_without_redis import RollbackWithoutRedis
from handlers.slack import TIMEOUT, Slack
from handlers.views import home, modals
from handlers.work import Work

QUICK = 1
"""Seconds that a roll back waits for Slack to say who asks for it."""

CLICK_LASTS = 3
"""Seconds after which a click can no longer open a dialog."""


@dataclass(frozen=True, slots=True)
class Handlers:
    """Slack's side, ready to be connected; ``close`` may run beside the end of the connection."""

    app: App
    work: Work
    inquiries: Inquiries
    slack: Slack
    private: Private

    def close(self) -> None:
        """Let running work end, then its answers."""
        self.work.close()
        self.inquiries.close()
        self.private.close()
        self.slack.close()


def web_client(token: str | None, *, base_url: str = WebClient.BASE_URL, timeout: int = TIMEOUT) -> WebClient:
    """Return a client that never retries by itself: a post repeated after a lost answer is a second post."""
    return WebClient(token=token, base_url=base_url, timeout=timeout, retry_handlers=[])


def build(
    engine: Backend,
    store: Store,
    clock: Clock,
    policy: Policy,
    client: WebClient,
    *,
    operations: OperationReader = NO_OPERATIONS,
    remember: Callable[[str, str], None] = lambda user, name: None,
    was_seen: Callable[[str], bool] = lambda user: True,
    others: Others = nobody_else,
    shown: Callable[[str], Shown | None] = lambda rollout_id: None,
) -> Handlers:
    """Build everything without asking the network, so that the bot starts while Slack is away.

    ``remember`` keeps the name of a full member, for the terminal; ``was_seen`` says whether it has kept somebody's.
    ``others`` has a sentence for people who ask in vain. ``shown`` returns what Slack shows of a rollout.
    """
    slack, private = Slack(client), Private(client.base_url)
    quick, dialogs = (
        Slack(web_client(client.token, base_url=client.base_url, timeout=seconds)) for seconds in (QUICK, CLICK_LASTS)
    )
    people = People(slack, clock, quick=quick, remember=remember, was_seen=was_seen)
    brake, links = RollbackWithoutRedis(engine, people, quick, private, others), CardLinks(shown, slack, private)
    work = Work(engine, store, people, private, brake, links, others)
    app = bolt_app(client)
    questions = Questions(engine, operations, policy, others)
    inquiries = Inquiries(questions, people, private, others)
    intake = Intake(engine, questions, people, work, inquiries, clock)
    opener = modals.Opener(engine, dialogs, private)
    commands.register(app, intake, opener, operations.registry, name=policy.command)
    actions.register(app, intake, private)
    operation_actions.register(app, intake)
    clean_button.register(app, intake)
    start_button.register(app, intake)
    votes.register(app, intake, private)
    modals.register(app, intake, opener, private)
    home.register(app, engine, people, slack, private, others, name=policy.command)
    strangers.register(app, private, name=policy.command)
    errors.register(app, private, others)
    return Handlers(app=app, work=work, inquiries=inquiries, slack=slack, private=private)


def _is_not_about_the_token(record: logging.LogRecord) -> bool:
    """Drop one warning: Bolt finds SLACK_BOT_TOKEN in the environment by itself, and here ``authorize`` gives it."""
    return record.getMessage() != warning_client_prioritized_and_token_skipped()


def bolt_app(client: WebClient) -> App:
    """Return a Bolt app that answers in the thread that received, without asking Slack who it is.

    It checks no signature: handlers/web/slack_requests.py has done so before anything of a request is read.
    """
    logging.getLogger("slack_bolt.App").addFilter(_is_not_about_the_token)
    app = App(
        client=web_client(None, base_url=client.base_url),  # with a token, Bolt would warn that it is not used
        signing_secret="checked before",
        request_verification_enabled=False,
        authorize=lambda enterprise_id, team_id: AuthorizeResult(
            enterprise_id=enterprise_id, team_id=team_id, bot_token=client.token
        ),
        process_before_response=True,
    )
    app.logger.setLevel(logging.ERROR)  # of a request that nobody listens to it writes parts
    return app
