"""What the log says of delivery: when its state changes, without secrets and content."""

import logging
import threading
from typing import Final
from urllib.parse import quote

from otel_langsmith.keys import in_words
from otel_langsmith.settings import Settings
from otel_langsmith.wire.reply import Paused, Rejected, Reply, RetryLater, Verdict

_LEAST_SECRET: Final = 6
"""A shorter header value is no secret, and would be found in ordinary words."""

_REMEDIES: Final = {
    0: " (is LANGSMITH_ENDPOINT right, and can this machine reach it?)",
    401: " (is LANGSMITH_API_KEY right?)",
    402: " (does the plan still have room?)",
    403: " (are LANGSMITH_API_KEY, LANGSMITH_ENDPOINT's region and LANGSMITH_WORKSPACE_ID right?)",
    407: " (does the proxy want a password? pass a session that knows it)",
    415: " (does OTEL_EXPORTER_LANGSMITH_COMPRESSION name what the server can undo?)",
}
_WHERE: Final = " (is LANGSMITH_ENDPOINT right?)"

_LOST: Final = "they are lost; set OTEL_EXPORTER_LANGSMITH_SPOOL_DIR to keep such runs"
_KEPT: Final = "they are kept with the reason: see `otel-langsmith spool ls --dir %s`"

_log: Final = logging.getLogger("otel_langsmith")


class Reports:
    """Logs when delivery begins to fail and when it works again, not in between."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._endpoint = settings.endpoint
        values = (settings.api_key or "", *settings.headers.values())
        self._secrets = [value for value in values if len(value) >= _LEAST_SECRET]
        self._lock = threading.Lock()
        self._since_s: float | None = None
        self._paused = False
        self._back_s: float | None = None
        self._sent = 0
        self._refusals: set[str] = set()

    def heard(self, reply: Reply, verdict: Verdict, now_s: float) -> None:
        """LangSmith replied, or did not.

        Its words are logged at DEBUG only, for they may quote what was sent.
        """
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("LangSmith answered: %.300s", self.scrubbed(str(reply)))
        paused = isinstance(verdict, Paused)
        if not isinstance(verdict, Paused | RetryLater) or not self._began(now_s, paused=paused):
            return
        why = f"{self._endpoint}: {reply.summary}"
        if paused:
            message = "LangSmith takes no runs, they wait: %s%s"
            _log.warning(message, why, self._remedy(reply, _WHERE))
        else:
            _log.warning("delivery to LangSmith is failing: %s%s", why, self._remedy(reply, ""))

    def sent(self, runs: int, now_s: float) -> None:
        """LangSmith took so many runs."""
        if self._since_s is None:
            return
        with self._lock:
            if self._since_s is not None:
                self._back_s = now_s if self._back_s is None else self._back_s
                self._sent += runs

    def clear(self) -> None:
        """Nothing waits any more; logged if delivery had failed before."""
        with self._lock:
            since_s, back_s, runs = self._since_s, self._back_s, self._sent
            if since_s is None or back_s is None:
                return
            self._since_s = self._back_s = None
            self._sent, self._paused = 0, False
        message = "delivery to LangSmith recovered after %.0f s, %s runs sent%s"
        where = f": {self._endpoint}" if self._settings.endpoints else ""
        _log.warning(message, back_s - since_s, f"{runs:,}", where)

    def refused(self, verdict: Rejected, reply: Reply) -> None:
        """LangSmith will never take some runs; logged once for each reason."""
        if verdict.reason not in self._refusals:
            self._refusals.add(verdict.reason)
            spool_dir = self._settings.spool_dir
            fate = _LOST if spool_dir is None else _KEPT % spool_dir
            _log.warning("LangSmith refuses runs: %s: %s (%s)", self._endpoint, reply.summary, fate)

    def _remedy(self, reply: Reply, otherwise: str) -> str:
        return in_words(_REMEDIES.get(reply.status or 0, otherwise), self._settings)

    def scrubbed(self, text: str) -> str:
        """The text without the API key and the values of the extra headers."""
        for secret in self._secrets:
            text = text.replace(secret, "[secret]").replace(quote(secret), "[secret]")
        return text

    def _began(self, now_s: float, *, paused: bool) -> bool:
        """Whether this failure is the first since delivery worked, or the first that pauses it."""
        with self._lock:
            news = self._since_s is None or (paused and not self._paused)
            self._since_s = now_s if self._since_s is None else self._since_s
            self._back_s = None
            self._paused = paused
            return news
