"""What became of the inputs of one kind."""

from dataclasses import dataclass, field


@dataclass
class Tried:
    """How many were tried, refused, taken without effect; and what got through, in a few words each."""

    tried: int = 0
    refused: int = 0
    harmless: int = 0
    through: list[str] = field(default_factory=list)

    def count(self, status: int, what: str) -> None:
        """Count an HTTP answer: 0 is a connection that was closed without one."""
        self.tried += 1
        if status == 0 or 400 <= status < 500:
            self.refused += 1
        elif status == 200:
            self.harmless += 1
        else:
            self.through.append(f"{what}: {status}")
