"""What people see: calm on a terminal, and plain lines that do not change if a program reads them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from bot.domain.access import Access
from bot.domain.rollout import TAKEN_BACK, Entry, Phase
from bot.domain.sentences.where_it_stands import headword
from bot.domain.weights import filled, weight_there
from bot.terminal.answer import Answer, Exit
from bot.terminal.follow import Tell
from bot.terminal.names import Names
from bot.terminal.text import drawn, facts, line, operation_line, story

CELLS = 40
_IN_THE_HEAD = ("pool", "state", "weight")
_COLOURS = {Phase.PAUSED: "yellow", Phase.HOLDING: "yellow", Phase.AWAITING_APPROVAL: "yellow"}


class Screen:
    """Standard output, and standard error for what was not done."""

    def __init__(self, access: Access, names: Names) -> None:
        self._out, self._err = Console(highlight=False), Console(stderr=True, highlight=False)
        self._access, self._names = access, names

    @contextmanager
    def progress(self, *, quiet: bool) -> Iterator[Tell]:
        """Show what is waited for, on a terminal only."""
        status = self._out.status("")

        def tell(text: str) -> None:
            if self._out.is_terminal and not quiet:
                status.update(Text(text))
                status.start()

        try:
            yield tell
        finally:
            status.stop()

    def show(self, answer: Answer) -> None:
        """Show an answer: its sentences, then the rollouts or what happened to them."""
        self.say(answer)
        if answer.events:
            self._print(self._story(answer), [f"{at}  {said}" for at, said in self._told(answer)])
        elif not answer.shows_entries:
            return
        elif len(answer.entries) == 1:
            self._one(answer.entries[0])
        elif answer.entries:
            lines = [line(entry) for entry in answer.entries]
            self._print(_grid(lines, "bold", "", "", "dim"), ["  ".join(words) for words in lines])
        if answer.operations:
            lines = [operation_line(operation) for operation in answer.operations]
            self._print(_grid(lines, "bold", "", "dim", ""), ["  ".join(filter(None, words)) for words in lines])

    def say(self, answer: Answer) -> None:
        """Show the sentences alone. An indented line is for copying and is not broken."""
        console = self._out if answer.exit is Exit.DONE else self._err
        for said in drawn(answer.said, self._names).splitlines():
            console.print(Text(said), soft_wrap=not console.is_terminal or said.startswith(" "))

    def _one(self, entry: Entry) -> None:
        rows = list(facts(entry, self._access, self._names))
        below = _grid([row for row in rows if row[0] not in _IN_THE_HEAD], "dim", "")
        self._print(Group(_head(entry), below), [f"{name}: {value}" for name, value in rows])

    def _told(self, answer: Answer) -> list[tuple[str, str]]:
        return story(answer.events, answer.entries[0], self._names)

    def _story(self, answer: Answer) -> RenderableType:
        return _grid(self._told(answer), "dim", "")

    def _print(self, drawn: RenderableType, lines: Sequence[str]) -> None:
        if self._out.is_terminal:
            self._out.print(drawn)
        else:
            self._out.print(Text("\n".join(lines)), soft_wrap=True)


def _head(entry: Entry) -> Text:
    """Draw the new pool, how it stands, and the share of it that is known to be on the route."""
    rollout, there = entry.rollout, weight_there(entry)
    colour = _COLOURS.get(rollout.phase, "red" if rollout.phase in TAKEN_BACK or entry.trouble else "green")
    full = filled(there, CELLS)
    return Text.assemble(
        (rollout.canary.name, "bold"),
        "  ",
        (headword(entry), colour),
        "\n",
        ("█" * full, colour),
        ("░" * (CELLS - full), "dim"),
        f"  {there} % new, {100 - there} % old",
    )


def _grid(rows: Sequence[Sequence[str]], *styles: str) -> Table:
    grid = Table.grid(padding=(0, 2))
    for at, style in enumerate(styles):
        grid.add_column(style=style, no_wrap=at == 0, overflow="fold")
    for row in rows:
        grid.add_row(*map(Text, row))
    return grid
