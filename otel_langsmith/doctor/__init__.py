"""``otel-langsmith doctor``: what is wrong with this set-up, and what to do about it.

`probe` asks, everything else here is a table of rules over the one value it brings back. Nothing
that is said holds the key or a header's value.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from otel_langsmith.doctor import account, packages, server, tracing
from otel_langsmith.doctor.probe import examine
from otel_langsmith.doctor.situation import Finding, Observations, Situation
from otel_langsmith.keys import in_words

__all__ = ["CHECKS", "Finding", "Situation", "diagnose", "examine"]

Check: TypeAlias = Callable[[Situation], Observations]

CHECKS: Final[tuple[tuple[str, Check], ...]] = (
    ("settings", account.settings),
    ("key", account.key),
    ("endpoint", account.endpoint),
    ("workspace", account.workspace),
    ("connection", server.connection),
    ("server", server.server),
    ("account", server.account),
    ("clock", server.clock),
    ("versions", packages.versions),
    ("packages", packages.packages),
    ("distro", packages.distro),
    ("exporter", tracing.exporter),
    ("propagators", tracing.propagators),
    ("native-tracing", tracing.native_tracing),
    ("second-exporter", tracing.second_exporter),
    ("instrumentations", packages.instrumentations),
    ("content", tracing.content),
    ("canary", server.canary),
    ("read-back", server.read_back),
)
"""In the order of a set-up; each says at least one thing. Names are part of the JSON's promise."""

_OF_A_DESTINATION: Final = frozenset(
    {
        *("key", "endpoint", "workspace", "connection", "server", "account", "clock"),
        *("canary", "read-back"),
    }
)
"""What is asked of each destination, if there are several."""

_LEAST_SECRET: Final = 6
"""A shorter value is no secret, and would be found in ordinary words."""


def diagnose(situation: Situation) -> tuple[Finding, ...]:
    """What every check found, in the order of `CHECKS`."""
    return tuple(_findings(situation))


def _findings(situation: Situation) -> Iterator[Finding]:
    for name, check in CHECKS:
        for one in (situation, *(situation.others if name in _OF_A_DESTINATION else ())):
            for verdict, found, remedy in check(one):
                yield Finding(name, verdict, _told(found, one, name), _told(remedy, one))


def _told(text: str, situation: Situation, check: str = "") -> str:
    """The text without secrets; of several destinations it says which, and what they are called."""
    settings = situation.settings
    text = _scrubbed(in_words(text, settings), situation)
    where = settings.endpoint if settings.endpoints and check in _OF_A_DESTINATION else None
    return text if where is None or text.startswith(where) else f"{where}: {text}"


def _scrubbed(text: str, situation: Situation) -> str:
    """The checks show no secret; should a server have put one where they look, it ends here."""
    settings = situation.settings
    for secret in (settings.api_key or "", *settings.headers.values()):
        if len(secret) >= _LEAST_SECRET:
            text = text.replace(secret, "[secret]")
    return text
