from canaries.peers import MINUTE, Rules


def test_a_peer_decides_after_so_many_failed_checks_one_each_minute() -> None:
    answers = iter([False, True, False, False, False])
    rules = Rules("Flagger", lambda: next(answers), limit=4)
    for number in range(60):
        rules.look(number * MINUTE / 10)
    assert rules.decided_at == 5 * MINUTE


def test_a_peer_that_is_content_decides_nothing() -> None:
    rules = Rules("Argo Rollouts", lambda: True, limit=1)
    for number in range(60):
        rules.look(number * MINUTE / 10)
    assert (rules.decided_at, rules.failed) == (None, 0)
