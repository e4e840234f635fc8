"""People at a sandbox's Slack, for stories that run by themselves: they type, press the newest buttons, and see."""

from dataclasses import dataclass
from typing import Any, Final

from sandbox.process import wait_until
from sandbox.slack import Slack

ALICE: Final = "U0ALICE001"
BOB: Final = "U0BOB00001"
PATIENCE: Final = 90.0


@dataclass(frozen=True)
class People:
    """Each wait has a deadline, and raises SandboxError after it."""

    slack: Slack

    def say(self, text: str, user: str = ALICE) -> None:
        """Type a command."""
        self.slack.command(text, user=user)

    def see(self, words: str, seconds: float = PATIENCE) -> None:
        """Wait until a message says something."""
        wait_until(words, lambda: words in str(self.slack.messages()), seconds=seconds)

    def press(self, action: str, user: str = BOB) -> None:
        """Press the newest button of a kind as soon as it is there."""
        wait_until(f"the button {action}", lambda: self._button(action) is not None, seconds=PATIENCE)
        button = self._button(action)
        if button is not None:
            message, block, value = button
            self.slack.press(message, action, value, block_id=block, user=user)

    def _button(self, action: str) -> tuple[str, str, str] | None:
        found = [
            (str(message["ts"]), str(block["block_id"]), str(element.get("value", "")))
            for message in self.slack.messages()
            for block in message.get("blocks") or ()
            for element in _elements(block)
            if element.get("action_id") == action
        ]
        return found[-1] if found else None


def _elements(block: dict[str, Any]) -> list[dict[str, Any]]:
    return list(block.get("elements") or ())
