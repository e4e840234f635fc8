"""What gates that judge numbers say before they ask for any."""

from dataclasses import replace
from typing import Any, cast

import pytest

from bot.domain.evidence import EvidenceRules
from bot.domain.gate import GateAnswer
from bot.gates.gate import OLD_POOL_GONE, Asked, Found, GateSources
from bot.gates.numbers.asking import on_numbers
from bot.gates.numbers.window import LackError
from tests.bot.gates.test_quality import Old
from tests.builders import NOON, a_rollout, an_entry


class NoNumbers:
    """There are none yet."""

    rules = EvidenceRules()

    def window(self, *asked: Any) -> Any:
        raise LackError("Too early.")


@pytest.mark.parametrize(
    ("is_gone", "said"),
    [
        (True, Found(answer=GateAnswer.PASS, evidence=OLD_POOL_GONE)),
        (False, Found(answer=GateAnswer.HOLD, reason="Too early.", evidence="no numbers yet")),
    ],
)
def test_without_the_old_pool_they_pass_until_it_is_back(is_gone: bool, said: Found) -> None:
    entry = an_entry(replace(a_rollout(), stable_gone=True))
    sources = GateSources(cast(Any, Old(is_gone)), cast(Any, None), numbers=cast(Any, NoNumbers()))
    assert on_numbers(Asked(entry, NOON, sources), cast(Any, None)) == said
