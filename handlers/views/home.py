"""Publishes the home tab for people who open it."""

from typing import Any

from slack_bolt import App

from bot.domain.commands.origin import Origin, Surface
from bot.domain.errors import NotAllowedError
from bot.domain.prose import Prose, say
from bot.domain.verbs.asking import Rollouts
from handlers.backend import Others, nobody_else
from handlers.blocks import section
from handlers.errors import unshown
from handlers.people import People
from handlers.private import Private
from handlers.slack import Slack
from handlers.views.place import Place
from handlers.views.registry import home_tab
from handlers.views.view import Drawn, HomeTab, Opening

GREETING = say("Hello. I roll out InferencePools for full members of this workspace.")
HOME = Place(origin=Origin(surface=Surface.HOME))


def register(
    app: App,
    rollouts: Rollouts,
    people: People,
    slack: Slack,
    private: Private,
    others: Others = nobody_else,
    *,
    name: str,
) -> None:
    """Listen to people who open the home tab, if there is one; ``name`` is the slash command."""
    tab = home_tab()
    if tab is None:
        return

    @app.event("app_home_opened")
    def opened(event: dict[str, Any]) -> None:
        if event.get("tab") == "home":
            opening = Opening(by=event["user"], place=HOME, rollouts=rollouts, command=name)
            private.open(lambda: slack.publish_home(opening.by, _framed(tab, opening, people, others)))


def _framed(tab: HomeTab, opening: Opening, people: People, others: Others) -> Drawn:
    marks = {"type": "home", "callback_id": tab.callback_id, "private_metadata": opening.place.dumps()}
    try:
        people.admit_reader(opening.by)
        drawn, shared = tab.draw(opening), others()
        blocks = [*drawn["blocks"], section("home:others", shared)] if shared else drawn["blocks"]
        return marks | drawn | {"blocks": blocks}
    except NotAllowedError:
        return marks | _only(GREETING)
    except Exception as error:
        return marks | _only(unshown(error))


def _only(said: Prose) -> Drawn:
    """Show one sentence, rather than leave an old tab that may no longer be true."""
    return {"blocks": [section("home:only", said)]}
