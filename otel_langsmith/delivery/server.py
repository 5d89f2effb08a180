"""One LangSmith server: its limits, the runs it is known to have, and the requests that suit it."""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import Final

from otel_langsmith.delivery.clock import Clock
from otel_langsmith.delivery.transport import Request, Transport
from otel_langsmith.run import EMPTY, JsonObject
from otel_langsmith.settings import Coding, Settings
from otel_langsmith.version import __version__
from otel_langsmith.wire import basic, multipart
from otel_langsmith.wire.batch import Batch, EncodedRun, batches
from otel_langsmith.wire.compress import compress
from otel_langsmith.wire.info import Capabilities, capabilities_of
from otel_langsmith.wire.reply import Reply
from otel_langsmith.wire.shorten import without_attachments

USER_AGENT: Final = f"otel-langsmith/{__version__}"

INFO_TIMEOUT_S: Final = 2.0
"""Longest that runs wait for what the server says of itself."""

INFO_EXPIRES_S: Final = 3600.0
INFO_RETRY_S: Final = 300.0
"""A server that says nothing of itself is taken by the documented limits, and asked again later."""

_PARENTS_KNOWN: Final = 65_536
"""How many runs sent as plain REST are remembered as accepted; of others nothing is assumed."""

_NO_SUCH_ROUTE: Final = frozenset({404, 405})
_UNKNOWN_CODING: Final = 415


class Server:
    """Makes requests as the server behind the settings takes them; for use from many threads.

    It is asked for its limits (``GET /info``) between two deliveries, once one has succeeded: the
    first runs never wait for that, and a program that sends one batch never asks. The user's own
    limits apply as well.
    """

    def __init__(self, settings: Settings, transport: Transport, clock: Clock) -> None:
        self._settings = settings
        self._transport = transport
        self._clock = clock
        self._headers = headers_of(settings)
        self._lock = threading.Lock()
        self._capabilities = Capabilities()
        self._ask_info_at_s: float | None = None
        self._multipart = True
        self._accepts = False
        self._compresses = True
        self._parents: OrderedDict[str, None] = OrderedDict()

    def batches(self, runs: Iterable[EncodedRun]) -> Iterator[Batch]:
        """The runs in batches that keep the user's limits and the server's."""
        ours, theirs = self._settings, self._capabilities
        return batches(
            runs,
            max_runs=min(ours.max_batch_runs, theirs.max_runs or ours.max_batch_runs),
            max_bytes=min(ours.max_batch_bytes, theirs.max_bytes or ours.max_batch_bytes),
        )

    def learn(self, timeout_s: float) -> None:
        """Ask the server for its limits, if they are unknown or were asked for long ago.

        A failure leaves everything as it was, and only one thread asks.
        """
        with self._lock:
            now_s = self._clock.now_s()
            if self._ask_info_at_s is None or now_s < self._ask_info_at_s or timeout_s <= 0:
                return
            self._ask_info_at_s = now_s + INFO_RETRY_S
        request = Request("GET", f"{self._settings.endpoint}/info", self._headers, b"")
        reply = self._transport.send(request, min(timeout_s, INFO_TIMEOUT_S))
        told = capabilities_of(reply)
        if told is not None:
            with self._lock:
                self._capabilities = told
                self._ask_info_at_s = now_s + INFO_EXPIRES_S

    def request(self, batch: Batch) -> Request:
        """What to send for the batch now."""
        run = batch.runs[0]
        if run.alone:
            return self._plain(
                basic.encode(run.run_id, run.content, run.operation, self.place(run))
            )
        if not (self._multipart and self._capabilities.multipart):
            instructions = [
                (operation, run_id, without_attachments(parts))
                for operation, run_id, parts in batch.instructions()
            ]
            return self._plain(basic.encode_batch(instructions))
        body = multipart.encode(batch.instructions(), os.urandom(16).hex())
        headers = {**self._headers, "Content-Type": body.content_type}
        coding = self._coding()
        if coding != "none":
            headers["Content-Encoding"] = coding
        data = compress(body.data, coding)
        return Request("POST", f"{self._settings.endpoint}/runs/multipart", headers, data)

    def accepted(self, batch: Batch) -> None:
        """The server has the batch."""
        self._accepts = True
        run = batch.runs[0]
        if run.alone:
            if run.moment != "closing":  # that may be of a run that never came
                self._parents[run.run_id] = None
                if len(self._parents) > _PARENTS_KNOWN:
                    self._parents.popitem(last=False)
        elif self._ask_info_at_s is None:
            self._ask_info_at_s = self._clock.now_s()

    def revised_by(self, request: Request, reply: Reply) -> bool:
        """Whether the same runs may be taken at once in another form, which `request` has now.

        A server without multipart gets ``/runs/batch``; one that has neither is asked for multipart
        again when its address is right. A coding it cannot undo is used no more, if we chose it.
        """
        if reply.status in _NO_SUCH_ROUTE:
            return self._rerouted(request)
        coded = "Content-Encoding" in request.headers and self._settings.compression == "auto"
        if reply.status == _UNKNOWN_CODING and coded:
            self._compresses = False
            return True
        return False

    def place(self, run: EncodedRun) -> JsonObject:
        """What a run sent alone says of its place.

        The parent's id, from which the server tells the rest; and the rest as well if the parent
        may not have come yet, as one of another process, and if we know it.
        """
        parent = run.place.get("parent_run_id")
        if parent is None or (run.presence is not None and run.presence.orphaned):
            return EMPTY
        if parent in self._parents or run.operation == "patch":
            return {"parent_run_id": parent}
        return run.place

    def mistook(self, run: EncodedRun) -> bool:
        """Whether the run named only a parent believed to be there, and could have said more.

        That parent is forgotten, so that the run is sent next with its whole place.
        """
        place = self.place(run)
        mistook = run.operation == "post" and 0 < len(place) < len(run.place)
        if mistook:
            self._parents.pop(str(place["parent_run_id"]), None)
        return mistook

    def claims(self, run: EncodedRun) -> bool:
        """Whether all that is known of the run's place is a parent that may not be there."""
        place = self.place(run)
        return len(place) == 1 and place["parent_run_id"] not in self._parents

    def _plain(self, message: basic.Message) -> Request:
        headers = {**self._headers, "Content-Type": basic.CONTENT_TYPE}
        return Request(
            message.method, f"{self._settings.endpoint}{message.path}", headers, message.data
        )

    def _rerouted(self, request: Request) -> bool:
        if request.url.endswith("/runs/multipart"):
            self._multipart, self._accepts = False, False
            return True
        if request.url.endswith("/runs/batch") and not self._accepts:
            self._multipart = True
        return False

    def _coding(self) -> Coding:
        """The user's choice, or the best that the server offers and is installed."""
        if self._settings.compression != "auto":
            return self._settings.compression
        offered = self._capabilities.codings if self._compresses else ()
        if "zstd" in offered and find_spec("zstandard") is not None:
            return "zstd"
        return "gzip" if "gzip" in offered else "none"


def headers_of(settings: Settings) -> Mapping[str, str]:
    """The headers that every request to this LangSmith bears; among them is the key."""
    headers = {"User-Agent": USER_AGENT, **settings.headers}
    if settings.api_key:
        headers["x-api-key"] = settings.api_key
    if settings.workspace_id:
        headers["x-tenant-id"] = settings.workspace_id
    return headers
