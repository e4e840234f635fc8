"""How long requests of a route may take."""

from datetime import timedelta

import pytest

from k8s.timeouts import longest_timeout


@pytest.mark.parametrize(
    ("rules", "longest"),
    [
        ([{"timeouts": {"request": "30s"}}], timedelta(seconds=30)),
        ([{"timeouts": {"request": "1h30m", "backendRequest": "500ms"}}], timedelta(milliseconds=500)),
        ([{"timeouts": {"request": "10s"}}, {"timeouts": {"backendRequest": "1m"}}], timedelta(minutes=1)),
        ([{"timeouts": {"request": "10s"}}, {}], None),
        ([{"timeouts": {"request": "0s"}}], None),
        ([{"timeouts": {"request": "0s", "backendRequest": "5s"}}], timedelta(seconds=5)),
        ([{}], None),
    ],
)
def test_the_longest_timeout_counts_and_none_if_a_rule_has_none(
    rules: list[dict[str, object]], longest: timedelta | None
) -> None:
    assert longest_timeout({"spec": {"rules": rules}}) == longest
