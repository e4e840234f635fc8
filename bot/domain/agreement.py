"""What people agree to before an operation goes on. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What people are asked to agree to: ``lines`` for them to read, and a ``digest`` of exactly that.

    It is reached once ``needed`` people have approved, but not ``not_by``, who asked for it; empty: anybody may.
    """

    lines: tuple[str, ...]
    digest: str
    needed: int
    approvals: tuple[str, ...] = ()
    not_by: str = ""

    @property
    def is_reached(self) -> bool:
        """Say whether enough people have approved."""
        return len(self.approvals) >= self.needed
