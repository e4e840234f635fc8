"""Every view that exists, one line a view."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bot.domain.commands.tokens import words
from bot.domain.prose import Code, Prose, joined, say, sentence
from bot.domain.verbs.registry import verbs
from handlers.buttons import action_id
from handlers.views.reason import reason_modals
from handlers.views.running import RUNNING
from handlers.views.view import FormWords, HomeTab, Modal, View

_VIEWS: Final[tuple[View, ...]] = (RUNNING,)

_added: list[View] = []
_hidden: list[View] = []


@contextmanager
def added(view: View, *, instead_of: View | None = None) -> Iterator[None]:
    """Add a view for a while, or put it in another's place. Raises ValueError if one of its names is taken."""
    hidden = [one for one in _VIEWS if one is instead_of]
    _hidden.extend(hidden)
    try:
        with _added_beside(view):
            yield
    finally:
        del _hidden[: len(hidden)]


@contextmanager
def _added_beside(view: View) -> Iterator[None]:
    taken = {mark for one in views() for mark in _marks(one)} | _marks_of_verbs()
    if both := taken.intersection(_marks(view)):
        raise ValueError(f"There is a {min(both)} already.")
    _added.append(view)
    try:
        yield
    finally:
        _added.remove(view)


def views() -> tuple[View, ...]:
    """Return all views."""
    ours = (view for view in _VIEWS if view not in _hidden)
    return (*reason_modals(), *ours, *_added)


def modals() -> tuple[Modal, ...]:
    """Return the views that open as a modal."""
    return tuple(view for view in views() if isinstance(view, Modal))


def home_tab() -> HomeTab | None:
    """Return the home tab, if there is one."""
    return next((view for view in views() if isinstance(view, HomeTab)), None)


def opened_by(text: str, command: str) -> tuple[Modal, str] | None:
    """Return the form that the words after the slash command open, and the rest of the line."""
    named = {view.words.name: view for view in (*_VIEWS, *_added) if isinstance(view, Modal) and view.words}
    if not named:
        return None
    line = [word.raw for word in words(text)]
    line = line[1:] if line[:1] == [command] else line
    modal = named.get(line[0].lower()) if line else None
    return (modal, " ".join(line[1:])) if modal else None


def help_text(command: str) -> Prose:
    """List the words that open a form, as they are typed; empty if there are none."""
    return joined("\n", [_told(modal.words, command) for modal in modals() if modal.words])


def _told(words: FormWords, command: str) -> Prose:
    line = " ".join(filter(None, [command, words.name, words.usage]))
    return say("{}\n{}", Code(line), sentence(words.help))


def _marks(view: View) -> set[str]:
    """Return the names that no other view may have."""
    if isinstance(view, HomeTab):
        return {"home tab", f"view `{view.callback_id}`"}
    button = {f"button `{view.action_id}`"} if view.action_id else set()
    return {f"view `{view.callback_id}`", *button, *({f"word `{view.words.name}`"} if view.words else set())}


def _marks_of_verbs() -> set[str]:
    words = {f"word `{spelling}`" for verb in verbs() for spelling in (verb.name, *verb.spellings)}
    return words | {f"button `{action_id(verb.name)}`" for verb in verbs()}
