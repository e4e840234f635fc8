from dataclasses import replace

from bot.domain.rollout import Pool
from bot.engine.route_port import PoolMembers
from bot.gates.numbers import shown
from bot.gates.numbers.names import Time
from sandbox.folders import CHECKOUT
from tests.bot.gates.windows import a_window, always

WINDOW = a_window(always(good=1), always(good=1))
VLLM = replace(
    WINDOW,
    names=frozenset({"http_requests_total", "vllm:time_to_first_token_seconds_bucket", "vllm:num_requests_waiting"}),
)


def test_a_query_names_the_pools_pods_and_the_series_that_are_there() -> None:
    assert shown.latency(VLLM, Time.FIRST_TOKEN, 0.95) == (
        "histogram_quantile(0.95, sum by (le) (rate(vllm:time_to_first_token_seconds_bucket"
        '{namespace="default",pod=~"new-a|new-b"}[5m])))'
    )
    assert shown.waiting(VLLM) == 'avg(vllm:num_requests_waiting{namespace="default",pod=~"new-a|new-b"})'
    assert shown.errors(VLLM) == (
        'sum(rate(http_requests_total{namespace="default",pod=~"new-a|new-b",handler=~"/v1/.*",method=~"POST|",'
        'status=~"5.*"}[5m])) / '
        'sum(rate(http_requests_total{namespace="default",pod=~"new-a|new-b",handler=~"/v1/.*",method=~"POST|"}[5m]))'
    )
    sglang = replace(WINDOW, names=frozenset({"sglang:http_responses_total"}))
    assert shown.errors(sglang) == (
        'sum(rate(sglang:http_responses_total{namespace="default",pod=~"new-a|new-b",exported_endpoint=~"/v1/.*",'
        'method=~"POST|",status_code=~"5.*"}[5m]) or rate(sglang:http_responses_total{namespace="default",'
        'pod=~"new-a|new-b",endpoint=~"/v1/.*",method=~"POST|",status_code=~"5.*"}[5m])) / '
        'sum(rate(sglang:http_responses_total{namespace="default",pod=~"new-a|new-b",exported_endpoint=~"/v1/.*",'
        'method=~"POST|"}[5m]) or rate(sglang:http_responses_total{namespace="default",pod=~"new-a|new-b",'
        'endpoint=~"/v1/.*",method=~"POST|"}[5m]))'
    )
    assert shown.picked(VLLM).endswith(',namespace="default",service="new-epp"}[5m]))')


def test_the_documentation_shows_them_as_they_are() -> None:
    shows = "".join((CHECKOUT / "docs" / "gates.md").read_text().split())
    pool = replace(VLLM, names=VLLM.names | {"vllm:kv_cache_usage_perc"})
    first_token = shown.latency(pool, Time.FIRST_TOKEN, 0.95)
    queries = [shown.errors(pool), first_token, shown.waiting(pool), shown.cache(pool), shown.picked(pool)]
    assert [query for query in queries if not query or "".join(query.split()) not in shows] == []


def test_there_is_no_query_for_what_a_pool_does_not_show() -> None:
    alone = replace(WINDOW, members=PoolMembers(pool=Pool("default", "new"), pods=("new-a",)))
    assert [shown.errors(alone), shown.cache(alone), shown.latency(alone, Time.WHOLE, 0.5), shown.picked(alone)] == [
        ""
    ] * 4
