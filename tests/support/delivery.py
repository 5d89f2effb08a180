"""A scripted network and a clock that only moves when someone waits."""

import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone

from otel_langsmith.delivery.thread import LazyThread
from otel_langsmith.delivery.transport import Request
from otel_langsmith.pipeline import Pipeline
from otel_langsmith.wire.reply import Reply


class ManualClock:
    """Waiting moves it at once; ``interrupt_after`` waits, every event counts as set."""

    def __init__(self, interrupt_after: int | None = None) -> None:
        self.elapsed_s = 0.0
        self.waits: list[float] = []
        self._interrupt_after = interrupt_after

    def now_s(self) -> float:
        return self.elapsed_s

    def utc(self) -> datetime:
        return datetime(2026, 11, 21, tzinfo=timezone.utc) + timedelta(seconds=self.elapsed_s)

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        self.waits.append(timeout_s)
        if event.is_set() or len(self.waits) == self._interrupt_after:
            return True
        self.elapsed_s += timeout_s
        return False


class ScriptedTransport:
    """Answers each request with the next reply of a script, the last one for ever after."""

    def __init__(
        self, replies: Iterable[Reply | BaseException], clock: ManualClock, cost_s: float = 0.0
    ) -> None:
        self.script(replies)
        self._clock = clock
        self._cost_s = cost_s
        self.requests: list[Request] = []
        self.info: Reply | None = None
        self.asked = 0
        self.timeouts: list[float] = []
        self.closed = False
        self.on_send: Callable[[], None] = lambda: None

    def script(self, replies: Iterable[Reply | BaseException]) -> None:
        """Go on with other replies."""
        self._replies = list(replies)

    def send(self, request: Request, timeout_s: float) -> Reply:
        if request.url.endswith("/info"):  # which is no part of the script
            self.asked += 1
            return self.info or Reply(404)
        self.requests.append(request)
        self.timeouts.append(timeout_s)
        self._clock.elapsed_s += self._cost_s
        self.on_send()
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, BaseException):
            raise reply
        return reply

    def close(self) -> None:
        self.closed = True

    def hang_up(self) -> None:
        """Nothing is under way."""


def give_time(pipeline: Pipeline) -> None:
    """Let what was impatient, so that failures take little time, wait for a slow machine."""
    for settings in (pipeline.settings, *(lane.settings for lane in pipeline._lanes)):
        object.__setattr__(settings, "timeout", 60.0)


def join(thread: LazyThread, timeout_s: float) -> None:
    """Wait for the end of a thread that was started."""
    assert thread._thread is not None
    thread._thread.join(timeout_s)
