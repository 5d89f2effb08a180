"""`delivery.server`: what one LangSmith takes is learned from it, and never in the way."""

import json
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.delivery import ManualClock, ScriptedTransport

from otel_langsmith.delivery.server import INFO_EXPIRES_S, INFO_RETRY_S, Server
from otel_langsmith.identity import run_id_of
from otel_langsmith.settings import resolve
from otel_langsmith.wire.batch import Batch, EncodedRun
from otel_langsmith.wire.info import Capabilities, capabilities_of
from otel_langsmith.wire.parts import MAIN
from otel_langsmith.wire.reply import Reply

BEST = "zstd" if find_spec("zstandard") else "gzip"
FLAGS = {"zstd_compression_enabled": True, "gzip_body_enabled": True}


def info(flags: Mapping[str, object] = FLAGS, **ingest: object) -> Reply:
    return Reply(200, text=json.dumps({"batch_ingest_config": ingest, "instance_flags": flags}))


def run(number: int, *, alone: bool = False) -> EncodedRun:
    return EncodedRun(run_id_of(number), {MAIN: b'{"id":1}'}, alone=alone)


def batch(*numbers: int, alone: bool = False) -> Batch:
    return Batch([run(number, alone=alone) for number in numbers], 8)


class Bench:
    """A server that has delivered, with everything around it scripted."""

    def __init__(self, told: Reply | None, *, alone: bool = False, **settings: Any) -> None:
        self.clock = ManualClock()
        self.transport = ScriptedTransport([Reply(202)], self.clock)
        self.transport.info = told
        arguments = {"endpoint": "http://langsmith.test", "api_key": "sesame", **settings}
        self.server = Server(resolve(arguments, {})[0], self.transport, self.clock)
        self.server.accepted(batch(1, alone=alone))

    def coding(self) -> str | None:
        return self.server.request(batch(1)).headers.get("Content-Encoding")


def test_what_a_server_says_is_read() -> None:
    told = info(size_limit=7, size_limit_bytes=8, use_multipart_endpoint=False)
    assert capabilities_of(told) == Capabilities(7, 8, ("zstd", "gzip"), multipart=False)
    assert capabilities_of(info({})) == Capabilities()


@pytest.mark.parametrize(
    "reply",
    [
        Reply(None, error="ReadTimeout"),
        Reply(403, text="{}"),
        Reply(200, text="<html>"),
        Reply(200, text="[]"),
        Reply(200, text=""),
    ],
)
def test_a_failure_says_nothing(reply: Reply) -> None:
    assert capabilities_of(reply) is None


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-1, 10**30)
        | st.floats(allow_nan=False)
        | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "batch_ingest_config",
                        "instance_flags",
                        "size_limit",
                        "zstd_compression_enabled",
                    ]
                ),
                inner,
            )
        ),
    )
)
def test_no_answer_raises(document: Any) -> None:
    told = capabilities_of(Reply(200, text=json.dumps(document)))
    assert told is None or told.max_runs is None or told.max_runs > 0


def test_nothing_is_asked_before_something_was_delivered() -> None:
    clock = ManualClock()
    transport = ScriptedTransport([Reply(202)], clock)
    server = Server(resolve({"api_key": "k"}, {})[0], transport, clock)
    server.learn(10)
    assert transport.asked == 0


def test_plain_rest_needs_to_know_nothing() -> None:
    bench = Bench(info(), alone=True, mode="basic")
    bench.server.learn(10)
    assert bench.transport.asked == 0


def test_the_answer_holds_for_an_hour_and_a_failure_for_minutes() -> None:
    bench = Bench(None)
    for _ in range(5):
        bench.server.learn(10)
    assert (bench.transport.asked, bench.coding()) == (1, None)
    bench.transport.info = info()
    bench.clock.elapsed_s += INFO_RETRY_S
    bench.server.learn(10)
    assert (bench.transport.asked, bench.coding()) == (2, BEST)
    bench.transport.info = None
    bench.clock.elapsed_s += INFO_EXPIRES_S - 1
    bench.server.learn(10)
    assert bench.transport.asked == 2
    bench.clock.elapsed_s += 1
    bench.server.learn(10)
    assert (bench.transport.asked, bench.coding()) == (3, BEST)


@pytest.mark.parametrize(
    ("flags", "setting", "coding"),
    [
        (FLAGS, "auto", BEST),
        ({"gzip_body_enabled": True}, "auto", "gzip"),
        ({"gzip_body_enabled": "yes"}, "auto", None),
        ({}, "auto", None),
        (FLAGS, "none", None),
        ({}, "gzip", "gzip"),
    ],
)
def test_bodies_are_compressed_as_offered_unless_the_user_says(
    flags: Mapping[str, object], setting: str, coding: str | None
) -> None:
    bench = Bench(info(flags), compression=setting)
    bench.server.learn(10)
    assert bench.coding() == coding


def test_limits_are_the_lower_of_the_users_and_the_servers() -> None:
    bench = Bench(info(size_limit=3), max_batch_runs=5)
    runs = [run(number) for number in range(12)]
    assert [len(one) for one in bench.server.batches(runs)] == [5, 5, 2]
    bench.server.learn(10)
    assert [len(one) for one in bench.server.batches(runs)] == [3, 3, 3, 3]
    bench = Bench(info(size_limit=100, size_limit_bytes=16), max_batch_runs=5)
    bench.server.learn(10)
    assert [len(one) for one in bench.server.batches(runs)] == [2] * 6


def test_a_coding_that_we_chose_and_the_server_cannot_undo_is_dropped() -> None:
    bench = Bench(info())
    bench.server.learn(10)
    request = bench.server.request(batch(1))
    assert bench.server.revised_by(request, Reply(415))
    assert bench.coding() is None
    assert not bench.server.revised_by(bench.server.request(batch(1)), Reply(415))
    chosen = Bench(info(), compression="gzip")
    assert not chosen.server.revised_by(chosen.server.request(batch(1)), Reply(415))


def test_a_server_without_multipart_gets_json_from_then_on() -> None:
    bench = Bench(None)
    assert bench.server.revised_by(bench.server.request(batch(1, 2)), Reply(404))
    request = bench.server.request(batch(1, 2))
    assert request.url == "http://langsmith.test/runs/batch"
    assert json.loads(request.body) == {"post": [{"id": 1}, {"id": 1}], "patch": []}
    bench.server.accepted(batch(1, 2))
    assert not bench.server.revised_by(request, Reply(404))
    assert bench.server.request(batch(1)).url.endswith("/runs/batch")


def test_an_address_with_neither_is_asked_for_multipart_again() -> None:
    bench = Bench(None)
    assert bench.server.revised_by(bench.server.request(batch(1)), Reply(404))
    assert not bench.server.revised_by(bench.server.request(batch(1)), Reply(404))
    assert bench.server.request(batch(1)).url.endswith("/runs/multipart")


def test_a_server_that_says_it_has_no_multipart_is_believed() -> None:
    bench = Bench(info(use_multipart_endpoint=False))
    bench.server.learn(10)
    assert bench.server.request(batch(1)).url.endswith("/runs/batch")
