"""The card of an operation, as people see it and press its buttons."""

from dataclasses import dataclass
from typing import Any

from tests.builders import BOB, CANARY
from tests.scenarios.play import Play


@dataclass(frozen=True)
class OperationCard:
    """The newest card with a title, such as ``clean POOL``."""

    play: Play
    title: str

    def see(self, headword: str, *, seconds: float = 30) -> None:
        """Wait until it says where the operation stands."""
        title = f"{self.title}  ·  {headword}"
        self.play.until(title, lambda: self._title() == title, seconds=seconds)

    def says(self, words: str) -> None:
        """Wait until it says something."""
        self.play.until(words, lambda: words in str((self._card() or {}).get("blocks")))

    def lines(self, part: str) -> list[str]:
        """Return the lines of one part: ``state`` or ``progress``."""
        blocks = (self._card() or {}).get("blocks", [])
        (block,) = [block for block in blocks if str(block["block_id"]).endswith(f":{part}")]
        return [line.removeprefix("• ") for line in str(block["text"]["text"]).split("\n")]

    def press(self, action: str, user: str = BOB) -> None:
        """Press a button."""
        card = self._card() or {}
        block_id, button = next(
            (block["block_id"], element)
            for block in card["blocks"]
            for element in block.get("elements", [])
            if element.get("action_id") == f"operation_{action}"
        )
        self.play.slack.press(card["ts"], button["action_id"], button["value"], block_id=block_id, user=user)

    def approve(self) -> None:
        """Bob approves as soon as he is asked."""
        self.see("wants approval")
        self.press("approve")

    def _card(self) -> dict[str, Any] | None:
        found = [one for one in self.play.cards() if _title(one).startswith(f"{self.title}  ·  ")]
        return found[-1] if found else None

    def _title(self) -> str:
        card = self._card()
        return _title(card) if card else ""


@dataclass(frozen=True)
class RolloutCard:
    """The card of the only rollout, where operations have cards too."""

    play: Play
    pool: str = CANARY

    def see(self, headword: str, *, seconds: float = 60) -> None:
        """Wait until its title says so."""
        title = f"{self.pool}  ·  {headword}"
        self.play.until(title, lambda: title in map(_title, self.play.cards()), seconds=seconds)

    def thread(self) -> str:
        """Return all that is in its thread."""
        (card,) = [one for one in self.play.cards() if _title(one).startswith(f"{self.pool}  ·  ")]
        return str([one for one in self.play.slack.messages() if one.get("thread_ts") == card["ts"]])


def _title(card: dict[str, Any]) -> str:
    return str(card["blocks"][0]["text"]["text"])
