"""Everything this package raises at its users.

    OtelLangSmithError
    ├── ConfigurationError   a setting cannot be used; raised while constructing, never later
    └── WireError            a request body is not what LangSmith's ingest API accepts

Delivery failures are not exceptions: they are counted in the ledger (`Ledger`).
"""


class OtelLangSmithError(Exception):
    """The base of every exception this package raises."""


class ConfigurationError(OtelLangSmithError, ValueError):
    """A setting that cannot be used: the message names the setting, its value and the remedy."""


class WireError(OtelLangSmithError, ValueError):
    """A body that breaks the rules of the ingest API; raised only by those who decode one."""
