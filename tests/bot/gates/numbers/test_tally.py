from dataclasses import replace

from bot.gates.numbers.names import Count, Time
from bot.gates.numbers.tally import EVER, Streams, Tally, added, total
from tests.bot.gates.windows import a_tally, buckets


def test_counts_and_times_add_up() -> None:
    both = total([a_tally(0, good=3, broken=1), a_tally(1, good=4)])
    assert (both.count(Count.GOOD), both.count(Count.BROKEN), both.answered, both.began()) == (7, 1, 8, 7)
    assert both.times[Time.WHOLE][EVER] == 7


def test_histograms_add_up_at_the_bounds_that_all_have() -> None:
    assert added([buckets([0.05], (0.1, 1, EVER)), buckets([0.5], (1, 5, EVER))]) == {1: 2, EVER: 2}


def test_without_counts_by_status_the_answers_that_began_are_the_requests() -> None:
    sglang = a_tally(0, times={Time.FIRST_TOKEN: buckets([0.1] * 6)})
    assert total([sglang]).answered == 6


def streams(
    number: int, *, unended: float, before: float, after: float, answers: float | None = None, server: str = "a"
) -> Tally:
    return replace(a_tally(number), servers={server: Streams(unended, before, after, answers)})


def test_streams_that_began_and_did_not_end_are_cut_unless_they_have_come_to_run() -> None:
    assert total([streams(0, unended=8, before=1, after=3)]).cut == 5
    assert total([streams(0, unended=2, before=1, after=3)]).cut == 0


def test_no_more_is_cut_than_was_answered_for_one_request_may_have_many_prompts() -> None:
    assert total([streams(0, unended=64, before=0, after=0, answers=2)]).cut == 2
    assert total([streams(0, unended=64, before=0, after=0, answers=100)]).cut == 64


def test_answers_that_have_no_token_are_those_that_did_not_begin_but_for_those_that_may_yet() -> None:
    def answered(number: int, good: int, began: int, running: tuple[float, float] = (0, 0)) -> Tally:
        return replace(a_tally(number), servers={"a": Streams(0, *running, answers=good, began=began)})

    assert total([answered(0, 9, 4)]).tokenless == 5
    assert total([answered(0, 9, 4, (3, 0))]).tokenless == 2
    assert total([answered(0, 9, 4, (0, 3))]).tokenless == 2
    assert total([answered(0, 4, 9)]).tokenless == 0
    assert total([answered(0, 9, 4, (0, 3)), answered(1, 9, 12, (3, 0))]).tokenless == 2
    waits = replace(a_tally(0), servers={"a": Streams(0, 0, 0, answers=9, began=4, waiting=(0, 2))})
    assert total([waits]).tokenless == 3


def test_servers_that_only_read_prompts_have_lost_nothing_where_others_have_tokens() -> None:
    reads, writes = Streams(0, 0, 0, answers=9), Streams(0, 0, 0, answers=9, began=8)
    assert total([replace(a_tally(0), servers={"a": reads, "b": writes})]).tokenless == 1
    assert total([replace(a_tally(0), servers={"a": reads, "b": reads})]).tokenless == 18


def test_what_may_not_have_begun_yet_is_taken_off_once_for_each_run_of_stretches() -> None:
    def both(second: int) -> int:
        return total([streams(0, unended=6, before=0, after=4), streams(second, unended=6, before=4, after=4)]).cut

    assert (both(1), both(2)) == (8, 4)


def test_a_few_that_ran_at_the_start_may_all_have_begun_later() -> None:
    assert total([streams(0, unended=-1, before=3, after=0)]).cut == 0
    assert total([streams(0, unended=0, before=4, after=0)]).cut == 0


def test_a_server_that_is_not_seen_at_the_end_has_cut_nothing_by_that() -> None:
    other = [streams(number, unended=60, before=0, after=60, server="b") for number in range(2)]
    seen = [streams(number, unended=0, before=5, after=5) for number in range(3)]
    mixed = [replace(each, servers={**each.servers, **more.servers}) for each, more in zip(seen, other, strict=False)]
    assert total([*mixed, seen[2]]).cut == total(other).cut
    assert total([replace(other[0], servers={"b": Streams(60, 0, 60)})]).cut == 0


def test_requests_that_a_picker_sent_and_nobody_answered_are_known_but_for_those_that_still_run() -> None:
    hangs = a_tally(0, more={Count.PICKED: 30}, running=(0, 10), waiting=5)
    assert (total([hangs]).unanswered(30), total([hangs]).arrived) == (0, 30)
    assert total([hangs, a_tally(1, more={Count.PICKED: 30}, running=(0, 10), waiting=5)]).unanswered(60) == 45
    assert total([a_tally(0, good=30, more={Count.PICKED: 30})]).unanswered(30) == 0


def test_what_came_between_the_scrapes_of_a_picker_and_of_its_servers_is_not_lost() -> None:
    assert total([a_tally(0, good=30, more={Count.PICKED: 45})]).unanswered(45) == 0
