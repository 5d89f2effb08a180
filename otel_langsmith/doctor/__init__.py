"""``otel-langsmith doctor``: what is wrong with this set-up, and what to do about it.

`probe` asks, everything else here is a table of rules over the one value it brings back. Nothing
that is said holds the key or a header's value.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from otel_langsmith.doctor import account, packages, server, tracing
from otel_langsmith.doctor.probe import examine
from otel_langsmith.doctor.situation import Finding, Observations, Situation

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

_LEAST_SECRET: Final = 6
"""A shorter value is no secret, and would be found in ordinary words."""


def diagnose(situation: Situation) -> tuple[Finding, ...]:
    """What every check found, in the order of `CHECKS`."""
    return tuple(_findings(situation))


def _findings(situation: Situation) -> Iterator[Finding]:
    for name, check in CHECKS:
        for verdict, found, remedy in check(situation):
            yield Finding(name, verdict, _scrubbed(found, situation), _scrubbed(remedy, situation))


def _scrubbed(text: str, situation: Situation) -> str:
    """The checks show no secret; should a server have put one where they look, it ends here."""
    settings = situation.settings
    for secret in (settings.api_key or "", *settings.headers.values()):
        if len(secret) >= _LEAST_SECRET:
            text = text.replace(secret, "[secret]")
    return text
