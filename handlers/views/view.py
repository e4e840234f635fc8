"""What a view is: a value that says how it opens, how it is drawn, and what its inputs mean."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.domain.commands.request import Command
from bot.domain.verbs.asking import Rollouts
from handlers.views.filled import Filled
from handlers.views.place import Place

Drawn = dict[str, Any]
"""A view in Slack's Block Kit, without what we add: type, callback_id and private_metadata."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Who opens a view and where, what was typed after its words, and the rollouts that it may show.

    ``command`` is the slash command.
    """

    by: str
    place: Place
    rollouts: Rollouts
    typed: str = ""
    command: str = "/rollout"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormWords:
    """What people type after the slash command to open a form; `help` lists it."""

    name: str
    help: str
    usage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Modal:
    """A form or a dialog, opened by a button or by words.

    ``draw`` is bounded in time: Slack opens it within three seconds or not at all, and then people are told what to
    type ``instead``. ``read`` makes a command of the inputs; it raises UsageError, in ``at_input`` where one input is
    wrong. ``place`` says which rollout the button was of.
    """

    callback_id: str
    draw: Callable[[Opening], Drawn]
    read: Callable[[Filled, Place], Command]
    instead: str
    action_id: str = ""
    words: FormWords | None = None

    def __post_init__(self) -> None:
        """Raise ValueError if nothing opens it."""
        if not self.action_id and self.words is None:
            raise ValueError(f"Nothing opens the view `{self.callback_id}`.")


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeTab:
    """The app's home tab, drawn again whenever somebody opens it. An app has one."""

    callback_id: str
    draw: Callable[[Opening], Drawn]


View = Modal | HomeTab
