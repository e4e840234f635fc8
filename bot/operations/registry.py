"""The executors: one line each."""

from collections.abc import Iterator
from dataclasses import dataclass

from bot.operations.executor import Executor


@dataclass(frozen=True, slots=True)
class Registry:
    """Executors by their names."""

    executors: tuple[Executor, ...] = ()

    def __iter__(self) -> Iterator[Executor]:
        return iter(self.executors)

    def named(self, name: str) -> Executor | None:
        """Return the executor of a kind; None if this program has none."""
        return next((executor for executor in self.executors if executor.name == name), None)


EXECUTORS = Registry(())
"""What the product can do."""
