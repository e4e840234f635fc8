"""The sections of the policy file: which keys each has, what they may say, and their defaults."""

from typing import Annotated, Final

from pydantic import Field, model_validator

from bot.config.mistakes import Place
from bot.config.policy import DEFAULT_PLAN, INSTALL, NO_INSTALL
from bot.config.policy_values import (
    Duration,
    Flag,
    Percent,
    Section,
    a_list,
    a_mapping,
    at_most,
    different,
    one_or_more,
    one_word_of,
    rising,
    text,
    whole_number,
)
from bot.domain.comparison import CompareRules
from bot.domain.evidence import EvidenceRules, Idle
from bot.domain.removal import CleanRules
from bot.domain.telling import Audience, Tell
from bot.domain.trial import TrialRules
from bot.domain.warm_up import WarmUpRules


class MisplacedError(ValueError):
    """A mistake that is found in one place and shown in another."""

    def __init__(self, place: Place, sentence: str) -> None:
        super().__init__(sentence)
        self.place = place


_NO_USER: Final = (
    "is not the id of a Slack user; copy it from the person's profile (Copy member ID), it looks like `U012AB3CD`"
)
Namespace = Annotated[
    str, text(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "is not a namespace's name; see `kubectl get namespaces`")
]
User = Annotated[str, text(r"[UW][A-Z0-9]{4,20}", _NO_USER)]
Users = Annotated[tuple[User, ...], a_list("[U012AB3CD]"), different]
UnixUser = Annotated[str, text(r"[A-Za-z_][A-Za-z0-9_.@-]{0,31}", "is not the name of a Unix user; see `id -un`")]
Slash = Annotated[
    str,
    text(
        r"/[a-z0-9][a-z0-9_-]{0,30}",
        "is not a slash command; write it like `/rollout`, in lower case, at most 32 characters",
    ),
]

_HEADER: Final = (
    r"(?i)(?!(?:host|content-length|content-type|transfer-encoding|connection|x-rollout-try)$)[a-z0-9-]{1,100}"
)
Prompt = Annotated[str, text(r"(?s).{1,2000}", "is not a prompt of at most 2,000 characters")]
HeaderName = Annotated[str, text(_HEADER, "is not the name of a header that you may set; write it like `x-team`")]
HeaderValue = Annotated[str, text(r"[ -~]{1,1000}", "is not the value of a header")]
ChartName = Annotated[str, text(r"[a-zA-Z0-9][\w.-]{0,200}", "is not the name of a chart")]
Chart = Annotated[
    str,
    text(r"(?!-)[\w./:@+-]{1,500}", "is not where a chart is; write it like `oci://registry.example.com/charts/NAME`"),
]
ValueKey = Annotated[
    str,
    text(
        r"[\w\\/-]+(\.[\w\\/-]+)*(\.\*)?",
        "is not a value's key; write it like `inferenceExtension.image.tag` or `a.b.*`",
    ),
]
Install = Annotated[str, text(INSTALL.pattern, NO_INSTALL)]

Heard = Annotated[Audience, one_word_of(Audience)]
USUAL: Final = Tell()
TRIAL: Final = TrialRules()
NUMBERS: Final = EvidenceRules()
COMPARISON: Final = CompareRules()
WARM_UP: Final = WarmUpRules()


class PlanSection(Section):
    """The names are those of ``Plan``; the aliases are the keys in the file."""

    steps: Annotated[tuple[Percent, ...], a_list("[10, 25, 50, 100]"), one_or_more, rising] = ()
    interval: Duration = Field(DEFAULT_PLAN.interval, alias="every")
    bake: Duration = DEFAULT_PLAN.bake


class ApprovalsSection(Section):
    """The names are those of ``Plan``."""

    approve_at: Annotated[tuple[Percent, ...], a_list("[50, 100]"), rising] = Field((), alias="at")
    approvals: Annotated[int, whole_number(20)] = Field(1, alias="needed")
    requester_may_approve: Flag = False


class AccessSection(Section):
    """The names are those of ``Access``."""

    start: Users = ()
    run: Users = ()
    approve: Users = ()
    rollback: Users = ()


class TellSection(Section):
    """The names are those of ``Tell``."""

    approvals: Heard = USUAL.approvals
    stops: Heard = USUAL.stops
    trouble: Heard = USUAL.trouble
    brakes: Heard = USUAL.brakes
    reminders: Heard = USUAL.reminders
    done: Heard = USUAL.done
    steps: Heard = USUAL.steps


class TrySection(Section):
    """The names are those of ``TrialRules``."""

    path: Annotated[str, text(r"/[!\"$-;=@-~]{0,500}", "is not a path; write it like `/v1/completions`")] = TRIAL.path
    model: Annotated[str, text(r"[\w./:@+ -]{1,200}", "is not the name of a model; see `GET /v1/models`")] = ""
    prompt: Prompt = TRIAL.prompt
    tokens: Annotated[int, whole_number(1000)] = TRIAL.tokens
    headers: Annotated[dict[HeaderName, HeaderValue], a_mapping("{x-team: search}")] = {}  # noqa: RUF012
    requests: Annotated[int, whole_number(1000)] = TRIAL.requests
    most: Annotated[int, whole_number(1000)] = TRIAL.most
    rate: Annotated[int, whole_number(100)] = TRIAL.rate
    timeout: Duration = TRIAL.timeout
    after_steps: Flag = False


class CompareSection(Section):
    """The names are those of ``CompareRules``."""

    prompts: Annotated[tuple[Prompt, ...], a_list("[Explain what a KV cache is.]"), at_most(10), different] = ()
    tokens: Annotated[int, whole_number(1000)] = COMPARISON.tokens
    voters: Annotated[int, whole_number(20)] = COMPARISON.voters


class WarmUpSection(Section):
    """The names are those of ``WarmUpRules``."""

    prompt: Prompt = WARM_UP.prompt
    most: Annotated[int, whole_number(10000)] = WARM_UP.most
    flat: Annotated[int, whole_number(100)] = WARM_UP.flat


class DeploySection(Section):
    """The names are those of ``DeployRules``; the alias is the key in the file."""

    charts: Annotated[
        dict[ChartName, Chart], a_mapping("{inferencepool: oci://registry.example.com/charts/inferencepool}")
    ] = {}  # noqa: RUF012
    settable: Annotated[tuple[ValueKey, ...], a_list("[inferenceExtension.image.tag]"), different] = Field(
        (), alias="keys"
    )
    approval: Flag = True
    model_servers: Annotated[
        str, text(r"[-a-z0-9.]{0,200}\{pool\}[-a-z0-9.]{0,200}", "needs the pool's name in it, like `{pool}-servers`")
    ] = ""


class CleanSection(Section):
    """The names are those of ``CleanRules``."""

    allowed: Flag = False
    model_servers: Flag = False
    drained_for: Duration = CleanRules().drained_for
    keep_for: Duration | None = None


_OURS = "namespace|pod|job|service|__name__"
LabelName = Annotated[str, text(rf"(?!(?:{_OURS})\Z)[A-Za-z_][A-Za-z0-9_]{{0,100}}", "is no label of a cluster")]
LabelValue = Annotated[str, text(r'[^"\\\n]{1,200}', "is not the value of a label: no quotes and no backslashes")]


class EvidenceSection(Section):
    """The names are those of ``EvidenceRules``."""

    prometheus: Annotated[
        str,
        text(
            r"https?://[\w.:\[\]-]{1,250}(/[\w./~-]{0,250})?",
            "is not where a Prometheus is; write it like `http://prometheus.monitoring:9090`",
        ),
    ] = ""
    token_file: Annotated[str, text(r"/.{1,500}", "is not the path of a file; begin it with `/`")] = ""
    ca_file: Annotated[str, text(r"/.{1,500}", "is not the path of a file; begin it with `/`")] = ""
    tenant: Annotated[str, text(r"[\w!.*'()|-]{1,150}", "is not the name of a tenant")] = ""
    labels: Annotated[dict[LabelName, LabelValue], a_mapping("{cluster: eu}")] = {}  # noqa: RUF012 (pydantic copies it)
    window: Duration = NUMBERS.window
    settle: Duration = NUMBERS.settle
    forgives: Duration = NUMBERS.forgives
    requests: Annotated[int, whole_number(100000)] = NUMBERS.requests
    idle: Annotated[Idle, one_word_of(Idle)] = NUMBERS.idle

    @model_validator(mode="after")
    def _can_last(self) -> "EvidenceSection":
        if self.forgives >= self.window / 2:
            raise MisplacedError(("forgives",), "must be less than half of `window`: nothing would ever last longer")
        return self


class TerminalSection(Section):
    """What only terminals need."""

    users: Annotated[dict[UnixUser, User], a_mapping("{alice: U012AB3CD}")] = {}  # noqa: RUF012 (pydantic copies it)
