"""The destinations that the settings name, and whether each has an address and a key."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from otel_langsmith.endpoints import Endpoint
from otel_langsmith.settings import US_CLOUD, Settings

NO_API_KEY: Final = "no_api_key"
NO_ENDPOINT: Final = "no_endpoint"

_KEY_HEADERS: Final = frozenset({"x-api-key", "authorization", "x-service-key", "cookie"})

_NO_ACCOUNT: Final = " (no account? run `otel-langsmith serve` and set the variables it prints)"


def destinations(settings: Settings) -> tuple[Settings, ...]:
    """The settings of each destination, which has one endpoint; at least one."""
    if settings.endpoints is None:  # unusable; the default would be a stranger's
        return (replace(settings, endpoint=None, endpoints=()),)
    return tuple(_of(settings, one) for one in settings.endpoints) or (settings,)


def _of(settings: Settings, one: Endpoint) -> Settings:
    """The settings of one destination.

    A workspace id means nothing to another LangSmith, so ``workspace_id`` is inherited only where
    the key is the same or the address is the US cloud's, as in LangSmith's SDK.
    """
    known = urlsplit(one.url).netloc == urlsplit(US_CLOUD).netloc
    inherits = known or one.api_key == settings.api_key
    return replace(
        settings,
        endpoint=one.url,
        endpoints=(one,),
        api_key=one.api_key,
        workspace_id=one.workspace_id or (settings.workspace_id if inherits else None),
        project=one.project or settings.project,
    )


def names_of(each: Sequence[Settings]) -> list[str]:
    """A name for each destination: its address, numbered if it occurs more than once."""
    seen: Counter[str] = Counter()
    names = []
    for settings in each:
        address = settings.endpoint or ""
        seen[address] += 1
        names.append(address if seen[address] == 1 else f"{address} ({seen[address]})")
    return names


def in_words(text: str, settings: Settings) -> str:
    """The text, with variables replaced by the members of LANGSMITH_RUNS_ENDPOINTS, if used."""
    if settings.endpoints:
        for variable, member in _MEMBERS.items():
            text = text.replace(variable, f"{member} in LANGSMITH_RUNS_ENDPOINTS")
    return text


_MEMBERS: Final = {
    "LANGSMITH_ENDPOINT": "its api_url",
    "LANGSMITH_API_KEY": "its api_key",
    "LANGSMITH_WORKSPACE_ID": "its workspace_id",
}


def undeliverable(settings: Settings) -> str | None:
    """Why nothing can be sent there, as the ledger's reason; None if it can."""
    if settings.endpoint is None:
        return NO_ENDPOINT
    keyed = settings.session is not None or _KEY_HEADERS & {*map(str.lower, settings.headers)}
    return None if settings.api_key or keyed else NO_API_KEY


def missing_key(settings: Settings) -> str:
    """The log's line about a missing key."""
    remedy = _NO_ACCOUNT if settings.endpoint == US_CLOUD else ""
    return f"LANGSMITH_API_KEY is not set, so no run is sent to {settings.endpoint}{remedy}"
