"""The executors: one line each."""

from collections.abc import Iterator
from dataclasses import dataclass

from bot.domain.commands.request import CANCEL, VOTE
from bot.domain.verbs.registry import verbs
from bot.operations.backtest import BacktestGates
from bot.operations.clean import Clean
from bot.operations.compare import Compare
from bot.operations.deploy import Deploy
from bot.operations.executor import Executor
from bot.operations.try_out import Try
from bot.operations.warm import Warm


@dataclass(frozen=True, slots=True)
class Registry:
    """Executors by their names."""

    executors: tuple[Executor, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError if a name is a verb's."""
        names = [executor.name for executor in self.executors]
        taken = {CANCEL, VOTE, *(word for verb in verbs() for word in (verb.name, *verb.spellings))}
        for name in names:
            if name in taken or names.count(name) > 1:
                raise ValueError(f"There is a word `{name}` already.")

    def __iter__(self) -> Iterator[Executor]:
        return iter(self.executors)

    def named(self, name: str) -> Executor | None:
        """Return the executor of a kind; None if this program has none."""
        return next((executor for executor in self.executors if executor.name == name), None)


EXECUTORS = Registry((Deploy(), Try(), Warm(), Compare(), BacktestGates(), Clean()))
"""What the product can do."""
