"""What model servers say of their requests, in the metrics of vLLM and of SGLang."""

import pytest

from bot.domain.removal import Load
from k8s.pod_load import LONGEST_ANSWER, read_load

VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"} 3.0
vllm:num_requests_running{engine="1",model_name="meta-llama/Llama-3.1-8B-Instruct"} 1.0
vllm:num_requests_waiting{engine="0",model_name="meta-llama/Llama-3.1-8B-Instruct"} 2.0
vllm:request_success_total{engine="0",finished_reason="stop",model_name="a"} 1.2e+02
vllm:request_success_total{engine="0",finished_reason="length",model_name="a"} 5.0
vllm:request_success_created{engine="0",finished_reason="stop",model_name="a"} 1.76e+09
"""
SGLANG = """\
sglang:num_running_reqs{model_name="a"} 0.0
sglang:num_queue_reqs{model_name="a"} 4.0 1764288000000
"""


@pytest.mark.parametrize(
    ("body", "load"),
    [(VLLM, Load(requests=6, finished=125)), (SGLANG, Load(requests=4, finished=None))],
)
def test_the_requests_that_run_or_wait_are_added_up(body: str, load: Load) -> None:
    assert read_load(body.encode()) == load


@pytest.mark.parametrize(
    "body",
    [
        "",
        "vllm:num_requests_running 1.0\n",
        "python_gc_objects_collected_total 1.0\n",
        "vllm:num_requests_running many\nvllm:num_requests_waiting 0\n",
        "<html>404</html>",
        VLLM + " " * LONGEST_ANSWER,
    ],
)
def test_an_answer_that_does_not_say_is_none(body: str) -> None:
    with pytest.raises(ValueError, match=r"metrics of vLLM|a long answer"):
        read_load(body.encode())
