"""Whether anything can be sent with the settings as they are: is there an address, and a key?"""

from typing import Final

from otel_langsmith.settings import US_CLOUD, Settings

NO_API_KEY: Final = "no_api_key"
NO_ENDPOINT: Final = "no_endpoint"

_KEY_HEADERS: Final = frozenset({"x-api-key", "authorization", "x-service-key", "cookie"})

_NO_ACCOUNT: Final = " (no account? run `otel-langsmith serve` and set the variables it prints)"


def undeliverable(settings: Settings) -> str | None:
    """Why nothing can be sent with these settings, by its name in the ledger; None if it can."""
    if settings.endpoint is None:
        return NO_ENDPOINT
    keyed = settings.session is not None or _KEY_HEADERS & {*map(str.lower, settings.headers)}
    return None if settings.api_key or keyed else NO_API_KEY


def missing_key(settings: Settings) -> str:
    """What to tell who has given no key."""
    remedy = _NO_ACCOUNT if settings.endpoint == US_CLOUD else ""
    return f"LANGSMITH_API_KEY is not set, so no run is sent to {settings.endpoint}{remedy}"
