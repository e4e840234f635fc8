"""All gates, one line a gate, in the order in which their reasons are told."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from bot.gates import capacity, errors, gateway, latency, pools_ready, quality, queries, saturation, split, warm_up
from bot.gates.gate import Gate, Keys

_GATES: Final[tuple[Gate, ...]] = (
    pools_ready.GATE,
    gateway.GATE,
    errors.GATE,
    latency.GATE,
    saturation.GATE,
    split.GATE,
    capacity.GATE,
    queries.GATE,
    warm_up.GATE,
    quality.GATE,
)

_added: list[Gate] = []


@contextmanager
def added(gate: Gate) -> Iterator[None]:
    """Add a gate for a while. Raises ValueError if its name is taken."""
    if gate.name in {each.name for each in gates()}:
        raise ValueError(f"There is a gate `{gate.name}` already.")
    _added.append(gate)
    try:
        yield
    finally:
        _added.remove(gate)


def gates() -> tuple[Gate, ...]:
    """Return all gates."""
    return (*_GATES, *_added)


def about() -> Mapping[str, str]:
    """Return what each gate checks, by its name, also those that a policy must switch on."""
    return {gate.name: gate.about for gate in gates()}


def policy_keys() -> Mapping[str, type[Keys]]:
    """Return what the policy file may say below `gates`: the gates that it switches on, and their keys."""
    return {gate.name: gate.keys for gate in gates() if not gate.required}
