"""A client for the HTTP API of Prometheus. It follows no redirect, reads so much and no more, and waits for so long."""

import math
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Final

import requests
import urllib3
from pydantic import BaseModel, ValidationError

from bot.deadline import session, whole_within
from bot.domain.errors import MetricsError, TooMuchError
from bot.domain.evidence import EvidenceRules
from bot.engine.metrics_port import Series, Span

ANSWERS_WITHIN: Final = 5.0
"""Seconds for a whole answer. Gates have ten."""
LONGEST: Final = 16 * 1024 * 1024
"""Bytes of an answer that are read: twice what some hundred model servers show over a window."""
CONNECTS_WITHIN: Final = 2.0
RESTS: Final = 5.0
"""Seconds in which a Prometheus that does not answer is not asked again: many rollouts would wait for it in turn."""
LATE: Final = 2
"""So many late answers in a row show that it does not answer. One alone may be a query that is too much for it."""
IS_IT_THERE: Final = "is `evidence.prometheus` its address up to `/api/v1`?"
OK: Final = 200
NOT_THERE: Final = (301, 302, 303, 307, 308, 404, 405)
_PIECE: Final = 64 * 1024


class PrometheusClient:
    """Asks one Prometheus; may be used by many threads. ``token_file`` is read for each query: tokens change.

    One that does not answer is not asked again while it ``rests`` (seconds). ``tenant`` is whose numbers are asked for,
    where one Mimir keeps those of several (`X-Scope-OrgID`).
    """

    def __init__(
        self,
        url: str,
        *,
        token_file: str = "",
        ca_file: str = "",
        tenant: str = "",
        answers_within: float = ANSWERS_WITHIN,
        rests: float = RESTS,
    ) -> None:
        self._url, self._token_file, self._ca_file, self._tenant = url.rstrip("/"), token_file, ca_file, tenant
        self._within, self._rests = answers_within, rests
        self._away_until, self._why_away = 0.0, ""
        self._late, self._late_at, self._lock = 0, 0.0, Lock()

    def over(self, promql: str, span: Span) -> Sequence[Series]:
        """Return what a query gives at each time of a span. Raises MetricsError."""
        times = {"start": span.start, "end": span.end, "step": span.step}
        return [_series(each.metric, each.values) for each in self._ask("query_range", promql, times)]

    def now(self, promql: str, at: float) -> Sequence[Series]:
        """Return what a query gives at one time, ``at`` in seconds since 1970. Raises MetricsError."""
        found = self._ask("query", promql, {"time": at})
        return [_series(each.metric, [each.value]) for each in found if each.value is not None]

    def _ask(self, kind: str, promql: str, times: Mapping[str, float]) -> Sequence["_Found"]:
        # Thanos answers with what it has unless it is told not to: some pods would seem to be all of them.
        fields = {"query": promql, "timeout": f"{self._within:g}s", "partial_response": "false", **times}
        body = self._post(f"{self._url}/api/v1/{kind}", fields)
        try:
            answer = _Answer.model_validate_json(body)
        except ValidationError as error:
            raise MetricsError(f"Prometheus answered with something other than numbers: {IS_IT_THERE}") from error
        if answer.status != "success":
            raise MetricsError(f"Prometheus refused the query: {_short(answer.error)}")
        return answer.data.result

    def _post(self, url: str, fields: Mapping[str, object]) -> bytes:
        begun = time.monotonic()
        if begun < self._away_until:
            raise MetricsError(self._why_away)
        headers = self._headers()
        try:
            status, body = self._send(url, fields, headers, begun + self._within)
            self._late = 0
        except requests.ConnectTimeout as error:
            why = f"Prometheus gave no connection within {CONNECTS_WITHIN:g} seconds: is a NetworkPolicy in the way?"
            raise self._away(why) from error
        except TooMuchError:
            self._late = 0
            raise
        except (requests.Timeout, TimeoutError, urllib3.exceptions.TimeoutError) as error:
            raise self._is_late(begun) from error
        except requests.exceptions.SSLError as error:
            raise self._away("The certificate of Prometheus is not trusted: set `evidence.ca_file`.") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            if self._ca_file and not Path(self._ca_file).is_file():
                raise self._away("The file `evidence.ca_file` of the policy cannot be read.") from error
            raise self._away("Prometheus cannot be reached at `evidence.prometheus`.") from error
        return _checked(status, body)

    def _send(
        self, url: str, fields: Mapping[str, object], headers: Mapping[str, str], until: float
    ) -> tuple[int, bytes]:
        """Return the status and the body of an answer, read ``until`` a time of the monotonic clock."""
        with (
            session() as once,
            once.post(
                url,
                data=fields,
                headers=headers,
                timeout=(CONNECTS_WITHIN, self._within),
                verify=self._ca_file or True,
                allow_redirects=False,
                stream=True,
            ) as answer,
            whole_within(answer, until - time.monotonic()),
        ):
            return answer.status_code, _read(answer, until)

    def _is_late(self, begun: float) -> MetricsError:
        """Note that an answer is late; those that were asked for side by side count once."""
        why = f"Prometheus did not answer within {self._within:g} seconds."
        with self._lock:
            if begun >= self._late_at:
                self._late, self._late_at = self._late + 1, time.monotonic()
            is_away = self._late >= LATE
        return self._away(why) if is_away else MetricsError(why)

    def _away(self, why: str) -> MetricsError:
        self._away_until, self._why_away = time.monotonic() + self._rests, why
        return MetricsError(why)

    def _headers(self) -> Mapping[str, str]:
        tenant = {"X-Scope-OrgID": self._tenant} if self._tenant else {}
        if not self._token_file:
            return tenant
        try:
            token = Path(self._token_file).read_text().strip()
        except (OSError, ValueError) as error:
            raise MetricsError("The file `evidence.token_file` of the policy cannot be read.") from error
        if not re.fullmatch(r"[!-~]+", token):
            raise MetricsError(
                "The file `evidence.token_file` of the policy has to hold a bare token, and nothing else."
            )
        return {"Authorization": f"Bearer {token}", **tenant}


def client_of(rules: EvidenceRules, *, rests: float = RESTS) -> PrometheusClient:
    """Return a client of the Prometheus that a policy names."""
    return PrometheusClient(
        rules.prometheus, token_file=rules.token_file, ca_file=rules.ca_file, tenant=rules.tenant, rests=rests
    )


def _read(answer: requests.Response, until: float) -> bytes:
    """Read an answer as it comes, so that no server can keep us with one byte at a time.

    Raises MetricsError, requests.Timeout, urllib3's errors.
    """
    body = bytearray()
    while piece := answer.raw.read1(_PIECE, decode_content=True):
        body += piece
        if len(body) > LONGEST:
            raise TooMuchError("Prometheus answered with too much.")
        if time.monotonic() > until:
            raise requests.Timeout
    return bytes(body)


def _checked(status: int, body: bytes) -> bytes:
    """Return the body of an answer that says something; raise MetricsError for others."""
    if status in (401, 403):
        raise MetricsError(
            f"Prometheus refused us ({status}); see `token_file` and `tenant` of `evidence` in the policy."
        )
    if status == OK or _has_sentence(body):
        return body
    if status in NOT_THERE:
        raise MetricsError(f"Prometheus answered with status {status}: {IS_IT_THERE}")
    raise MetricsError(f"Prometheus, or a proxy before it, answered with status {status}: its log says why.")


def _has_sentence(body: bytes) -> bool:
    """Say whether an answer tells in Prometheus' own way what is wrong."""
    try:
        return bool(_Answer.model_validate_json(body).error)
    except ValidationError:
        return False


class _Found(BaseModel):
    """One series, with the values of a range or with one."""

    metric: dict[str, str]
    values: list[tuple[float, float]] = []
    value: tuple[float, float] | None = None


class _Data(BaseModel):
    result: list[_Found] = []


class _Answer(BaseModel):
    status: str
    error: str = ""
    data: _Data = _Data()


def _series(labels: Mapping[str, str], points: Sequence[tuple[float, float]]) -> Series:
    """Set apart what is no number: a share of nothing, for one."""
    numbers = {at: value for at, value in points if math.isfinite(value)}
    return Series(labels, numbers, frozenset(at for at, value in points if not math.isfinite(value)))


def _short(text: str) -> str:
    return " ".join(text.split())[:300] or "it said nothing."
