"""What somebody filled into a form, and what is wrong with one of the inputs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bot.domain.errors import UsageError
from handlers.outside import part, text


class InputError(UsageError):
    """One input does not make sense; the form says so there."""

    def __init__(self, block_id: str, error: UsageError) -> None:
        super().__init__(error.prose)
        self.block_id = block_id


@contextmanager
def at_input(block_id: str) -> Iterator[None]:
    """Show a UsageError at the input in this block."""
    try:
        yield
    except UsageError as error:
        raise InputError(block_id, error) from error


@dataclass(frozen=True, slots=True)
class Filled:
    """What is in a form's inputs, each of which has its block's id as its action id too."""

    values: object

    def words(self, block_id: str) -> str:
        """Return the text of a text input; may be empty."""
        return text(part(self._input(block_id), "value")).strip()

    def choice(self, block_id: str) -> str:
        """Return the value of the option that was chosen; empty if none was."""
        return text(part(part(self._input(block_id), "selected_option"), "value"))

    def _input(self, block_id: str) -> object:
        return part(part(self.values, block_id), block_id)


def read_filled(view: Mapping[str, Any]) -> Filled:
    """Read the inputs of a view that was submitted."""
    return Filled(part(view.get("state"), "values"))
