"""The values of the doctor: what the checks look at, and what they find."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias

from otel_langsmith.delivery.ledger import Ledger
from otel_langsmith.settings import Settings
from otel_langsmith.wire.reply import Reply

Verdict: TypeAlias = Literal["ok", "warning", "error", "skipped"]

_AROUND: Final = " \t\r\n\"'"
TRUE: Final = frozenset({"true", "1", "yes", "on"})


class Observation(NamedTuple):
    """One thing a check saw; ``found`` never holds a secret, ``remedy`` is what to do about it."""

    verdict: Verdict
    found: str
    remedy: str = ""


class Finding(NamedTuple):
    """An `Observation` and the name of the check that made it; its fields are the JSON's keys."""

    check: str
    verdict: Verdict
    found: str
    remedy: str = ""


Observations: TypeAlias = Iterator[Observation]


def ok(found: str, hint: str = "") -> Observation:
    """Nothing to do, though ``hint`` may say what could be better."""
    return Observation("ok", found, hint)


def warning(found: str, remedy: str) -> Observation:
    """It works, but not as it seems to be meant."""
    return Observation("warning", found, remedy)


def error(found: str, remedy: str) -> Observation:
    """No run will arrive, or the application will suffer."""
    return Observation("error", found, remedy)


def skipped(why: str) -> Observation:
    """It could not be, or was not to be, looked at."""
    return Observation("skipped", why)


class Distribution(NamedTuple):
    """An installed package; ``name`` is in its normal form, ``requires`` as its metadata has it."""

    name: str
    version: str
    requires: tuple[str, ...] = ()


class Plugin(NamedTuple):
    """An entry point of OpenTelemetry's: what it is called there, and who brings it."""

    group: str
    name: str
    distribution: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """A reply and when it came: the middle of the exchange in UTC, and its length in seconds."""

    reply: Reply = field(repr=False)  # may quote what it was asked with
    at: datetime
    took_s: float


@dataclass(frozen=True, slots=True)
class Canary:
    """What became of the one run sent: ``reply`` is the last answer to it, None if none was tried.

    ``read_back`` is the last answer to the question for it, ``run_id`` empty if there was no span.
    """

    run_id: str
    reply: Reply | None = field(repr=False)
    ledger: Ledger
    read_back: Exchange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that the checks look at; None where nothing was asked.

    ``info`` answers ``GET /info``, ``account`` a question that needs the key. ``elsewhere`` is an
    address of the same host that does answer as LangSmith when the configured one does not. Of
    several destinations this is the first; ``others`` differ in what is theirs.
    """

    environ: Mapping[str, str] = field(repr=False)
    settings: Settings
    problems: tuple[str, ...] = ()
    python: tuple[int, int, int] = (3, 10, 0)
    installed: Mapping[str, Distribution] = field(default_factory=dict)
    plugins: tuple[Plugin, ...] = ()
    info: Exchange | None = None
    elsewhere: str | None = None
    account: Exchange | None = None
    canary: Canary | None = None
    others: tuple["Situation", ...] = ()

    def said(self, *names: str) -> str:
        """The first of these variables that is not blank, without what surrounds it."""
        said = (self.environ.get(name, "").strip(_AROUND) for name in names)
        return next(filter(None, said), "")

    def plugin_names(self, group: str) -> frozenset[str]:
        """What the entry points of a group are called."""
        return frozenset(plugin.name for plugin in self.plugins if plugin.group == group)


def listed(names: str) -> list[str]:
    """The members of a comma-separated variable."""
    return [name for member in names.split(",") if (name := member.strip())]
