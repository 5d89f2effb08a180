"""`assembly`: whatever the order of arrival, each span is placed once and after its parent."""

import random
from collections.abc import Iterable
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan
from support.properties import examples
from support.spans import SECOND, START, context, span

from otel_langsmith.assembly import (
    ORPHANED,
    REMEMBERED,
    REMEMBERED_BYTES,
    Assembly,
    Bounds,
    Placed,
)
from otel_langsmith.identity import run_id_of
from otel_langsmith.lineage import Lineage, child, root
from otel_langsmith.tracking import hang

WIDE = Bounds(spans=1_000_000, bytes=2**40, age_s=1e9)


def orders(placed: Iterable[Placed]) -> dict[int, str]:
    return {p.span.context.span_id: p.lineage.dotted_order for p in placed}


def expected(tree: list[tuple[int, int | None, int]]) -> dict[int, str]:
    """The dotted orders that follow from the tree alone."""
    known: dict[int, Lineage] = {}
    for span_id, parent, start in tree:
        run_id = run_id_of(span_id)
        known[span_id] = (
            root(run_id, start) if parent is None else child(known[parent], run_id, start)
        )
    return {span_id: lineage.dotted_order for span_id, lineage in known.items()}


def tree_of(seed: int, nodes: int) -> list[tuple[int, int | None, int]]:
    """(span id, parent's span id, start): several roots, deep and wide, clocks that jump."""
    draw = random.Random(seed)
    tree: list[tuple[int, int | None, int]] = []
    for span_id in range(1, nodes + 1):
        parent = draw.choice(tree[-50:])[0] if tree and draw.random() > 0.01 else None
        start = START + draw.choice([0, 0, 999, 1000, SECOND, -SECOND, -3600 * SECOND])
        tree.append((span_id, parent, start))
    return tree


def spans_of(tree: list[tuple[int, int | None, int]], *, shared: bool) -> list[ReadableSpan]:
    """The spans of a tree; ``shared``: a parent's context is one object, as the SDK has it."""
    made: dict[int, ReadableSpan] = {}
    for span_id, parent, start in tree:
        above = made[parent].context if shared and parent is not None else parent
        made[span_id] = span(span_id, above, start=start)
    return list(made.values())


@given(st.integers(0, 2**32), st.integers(1, 120), st.integers(1, 30), st.booleans())
@examples(150)
def test_any_order_and_any_batching_give_the_same_tree(
    seed: int, nodes: int, batch: int, shared: bool
) -> None:
    tree = tree_of(seed, nodes)
    spans = spans_of(tree, shared=shared)
    random.Random(seed).shuffle(spans)
    assembly = Assembly(WIDE)
    placed = [
        found
        for at in range(0, nodes, batch)
        for found in assembly.add(spans[at : at + batch], now_s=0)
    ]
    assert len(placed) == nodes
    assert len(assembly) == 0
    assert orders(placed) == expected(tree)
    position = {p.span.context.span_id: i for i, p in enumerate(placed)}
    assert all(position[parent] < position[own] for own, parent, _ in tree if parent is not None)


@pytest.mark.large
@pytest.mark.parametrize("reverse", [False, True])
def test_ten_thousand_spans_in_any_order(reverse: bool) -> None:
    tree = tree_of(7, 10_000)
    spans = spans_of(tree, shared=False)
    if reverse:
        spans.reverse()
    else:
        random.Random(7).shuffle(spans)
    assembly = Assembly(WIDE)
    assert orders(assembly.add(spans, now_s=0)) == expected(tree)


def test_a_chain_deeper_than_pythons_stack_is_placed() -> None:
    chain = [(n, n - 1 if n > 1 else None, START) for n in range(1, 3_000)]
    assembly = Assembly(WIDE)
    assert len(assembly.add(reversed(spans_of(chain, shared=False)), now_s=0)) == 2_999


def test_a_span_waits_for_its_parent_and_a_remote_parent_is_not_waited_for() -> None:
    assembly = Assembly(WIDE)
    assert assembly.add([span(2, 1)], now_s=0) == []
    assert len(assembly) == 1
    (remote,) = assembly.add([span(3, 9, remote=True)], now_s=0)
    assert remote.lineage.parent_run_id is None
    assert len(assembly.add([span(1)], now_s=0)) == 2


def test_a_remote_parent_that_carries_a_lineage_is_believed() -> None:
    remote = context(9, remote=True)
    hang(remote, root(run_id_of(9), START))
    (placed,) = Assembly(WIDE).add([span(3, remote)], now_s=0)
    assert placed.lineage.parent_run_id == run_id_of(9)


def test_a_child_that_ends_long_after_its_parent_still_finds_it() -> None:
    assembly = Assembly(WIDE)
    parent = span(1)
    assembly.add([parent], now_s=0)
    assembly.add([span(n, trace_id=2) for n in range(2, 20_000)], now_s=0)  # all that is remembered
    (late,) = assembly.add([span(20_000, parent.context)], now_s=9_999)
    assert late.lineage.parent_run_id == run_id_of(1)


@pytest.mark.parametrize(
    ("bounds", "now_s"),
    [
        (Bounds(spans=2, bytes=2**40, age_s=1e9), 0),
        (Bounds(spans=100, bytes=7_500, age_s=1e9), 0),
        (Bounds(spans=100, bytes=2**40, age_s=10), 11),
    ],
)
def test_beyond_a_bound_the_oldest_becomes_a_root(bounds: Bounds, now_s: float) -> None:
    assembly = Assembly(bounds)
    assert assembly.add([span(11, 1)], now_s=0) == []
    assert assembly.add([span(12, 2)], now_s=5) == []
    (oldest,) = assembly.add([span(13, 3)] if now_s == 0 else [], now_s=now_s)
    assert oldest.span.context.span_id == 11
    assert oldest.lineage.parent_run_id is None
    assert oldest.lineage.notes == (ORPHANED,)


def test_what_hangs_together_is_given_up_together() -> None:
    assembly = Assembly(WIDE)
    assembly.add([span(4, 3), span(3, 2), span(2, 1), span(5, 2), span(9, 8)], now_s=0)
    placed = assembly.drain()
    assert [p.span.context.span_id for p in placed] == [2, 3, 5, 4, 9]
    assert [p.lineage.parent_run_id for p in placed] == [
        None,
        run_id_of(2),
        run_id_of(2),
        run_id_of(3),
        None,
    ]
    assert [bool(p.lineage.notes) for p in placed] == [True, False, False, False, True]
    assert len(assembly) == 0


class Unreadable(ReadableSpan):
    """A span of somebody's SDK that fails when it is looked into."""

    @property
    def start_time(self) -> int:
        raise LookupError


@pytest.mark.parametrize("order", [(1, 2, 3, 4), (4, 3, 2, 1), (3, 1, 4, 2)])
def test_a_span_that_cannot_be_placed_costs_no_other(order: tuple[int, ...]) -> None:
    lost: list[Exception] = []
    assembly = Assembly(WIDE, lost=lost.append)
    bad = Unreadable("bad", context=context(3), parent=context(2))
    made = {1: span(1), 2: span(2, 1), 3: bad, 4: span(4, 2)}
    placed = assembly.add([made[own] for own in order], now_s=0)
    assert {one.span.context.span_id for one in placed if one.span.context} == {1, 2, 4}
    assert [type(error) for error in lost] == [LookupError]
    assert (len(assembly), assembly._held_bytes, assembly._waiting) == (0, 0, {})


def test_a_span_that_cannot_even_wait_leaves_nothing_behind() -> None:
    class Unreadable(ReadableSpan):
        @property
        def attributes(self) -> NoReturn:
            raise LookupError

    lost: list[Exception] = []
    assembly = Assembly(WIDE, lost=lost.append)
    bad = Unreadable("bad", context=context(2), parent=context(1))
    assert not assembly.add([bad], now_s=0)
    assert len(lost) == 1
    assert not assembly._waiting
    same = bad.parent
    placed = assembly.add([bad, span(3, same), span(4, same), span(1)], now_s=0)
    assert [p.span.context.span_id for p in placed if p.span.context] == [1, 3, 4]


def test_a_span_with_a_value_that_cannot_be_weighed_waits_like_any_other() -> None:
    odd = ReadableSpan("odd", context(2), context(1), attributes={"a class": dict})
    placed = Assembly(WIDE).add([odd, span(1)], now_s=0)
    assert [one.span.name for one in placed] == ["span", "odd"]


def test_a_release_that_was_interrupted_costs_its_spans_and_no_more() -> None:
    class Interrupting(ReadableSpan):
        @property
        def start_time(self) -> NoReturn:
            raise KeyboardInterrupt

    assembly = Assembly(WIDE)
    first = Interrupting("first", context=context(2), parent=context(1))
    assembly.add([span(4, 3), span(9, 8), first, span(3, 1)], now_s=0)
    with pytest.raises(KeyboardInterrupt):
        assembly.add([span(1)], now_s=0)
    assembly._decided.clear()
    assembly.add([span(5, 1)], now_s=0)
    assert orders(assembly.drain()).keys() == {4, 5, 9}
    assert (len(assembly), assembly._held_bytes, assembly._waiting) == (0, 0, {})


def test_of_many_decided_spans_the_latest_are_remembered() -> None:
    assembly = Assembly(WIDE)
    numbers = range(1, 2 * REMEMBERED)
    for at in range(0, len(numbers), 512):
        assembly.add([span(number) for number in numbers[at : at + 512]], now_s=0)
        assert len(assembly._decided) <= REMEMBERED
    assert assembly.add([span(number) for number in numbers[-REMEMBERED // 2 :]], now_s=0) == []
    assert len(assembly.add([span(1)], now_s=0)) == 1


def test_of_deep_trees_fewer_spans_are_remembered() -> None:
    assembly = Assembly(WIDE)
    for trace_id in range(1, 5):
        assembly.add([span(1, trace_id=trace_id)], now_s=0)
        above = assembly._decided[trace_id, 1]
        assert above.parent_run_id is None
        for at in range(2, 1_000, 64):
            chain = [span(n, n - 1, trace_id=trace_id) for n in range(at, min(at + 64, 1_000))]
            assert len(assembly.add(chain, now_s=0)) == len(chain)
        taken = sum(len(one.dotted_order) for one in assembly._decided.values())
        assert taken < 1.2 * REMEMBERED_BYTES


def test_a_parent_that_comes_after_it_was_given_up_is_a_trace_of_its_own() -> None:
    assembly = Assembly(WIDE)
    assembly.add([span(2, 1)], now_s=0)
    assembly.drain()
    (late,) = assembly.add([span(1)], now_s=0)
    assert late.lineage.parent_run_id is None


@pytest.mark.parametrize(
    "spans",
    [
        [span(1, 1)],
        [span(1, 2), span(2, 1)],
        [span(1, 2), span(2, 3), span(3, 1), span(4, 2)],
        [span(1, 9), span(1, 9), span(1, 9)],
    ],
    ids=["own parent", "two in a circle", "three in a circle", "the same span thrice"],
)
def test_impossible_trees_come_out_whole(spans: list[ReadableSpan]) -> None:
    assembly = Assembly(WIDE)
    placed = assembly.add(spans, now_s=0) + assembly.drain()
    ids = {one.context.span_id for one in spans if one.context}
    assert sorted(p.span.context.span_id for p in placed if p.span.context) == sorted(ids)
    assert len(placed) + assembly.doubles == len(spans)


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 8)), max_size=40), st.integers(0, 5))
def test_nothing_is_lost_or_doubled_whatever_the_ids(
    pairs: list[tuple[int, int]], limit: int
) -> None:
    spans = [span(own, parent or None) for own, parent in pairs]
    assembly = Assembly(Bounds(spans=limit, bytes=2**40, age_s=1e9))
    placed = []
    for one in spans:
        placed += assembly.add([one], now_s=0)
        assert len(assembly) <= limit
    placed += assembly.drain()
    assert sorted(p.span.context.span_id for p in placed if p.span.context) == sorted(
        {own for own, _ in pairs}
    )
    assert len(placed) + assembly.doubles == len(spans)
    assert (len(assembly), assembly._held_bytes, assembly._waiting) == (0, 0, {})
