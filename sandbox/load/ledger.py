"""What became of each request: one line of JSON for each, and what they add up to."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One request. Times are in seconds, ``at`` since 1970."""

    at: float
    kind: str
    pool: str
    """Which pool answered; empty if no model server did."""
    status: int
    """The status of HTTP; 0 if there was no answer at all."""
    first_token: float
    took: float
    is_whole: bool
    """Whether the answer came to its end. A stream that began and was cut did not."""
    error: str = ""

    @property
    def failed(self) -> bool:
        """Return whether the user did not get a whole good answer."""
        return self.status != 200 or not self.is_whole


def line_of(record: Record) -> str:
    """Return a record as a line."""
    return json.dumps(asdict(record)) + "\n"


def read(file: Path) -> list[Record]:
    """Return the records of a ledger. A line that is still being written is left out."""
    return [Record(**json.loads(line)) for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]


def failures(records: Iterable[Record]) -> Mapping[str, int]:
    """Count what went wrong, by what it was: `503`, `cut` or the name of an error."""
    return Counter(_failure(record) for record in records if record.failed)


def shares(records: Sequence[Record]) -> Mapping[str, float]:
    """Return each pool's share of the answered requests."""
    counts = Counter(record.pool for record in records if record.pool)
    return {pool: count / sum(counts.values()) for pool, count in counts.items()}


def _failure(record: Record) -> str:
    if record.status == 200:
        return "cut"
    return str(record.status) if record.status else record.error.partition(":")[0]
