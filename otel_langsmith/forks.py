"""State that a forked child makes anew: its locks may be held by threads that it does not have."""

import os
from collections.abc import Callable
from weakref import WeakMethod


def begin_anew_in_children(begin: Callable[[], None]) -> None:
    """Call this method in each forked child for as long as its object lives."""
    if hasattr(os, "register_at_fork"):
        held = WeakMethod(begin)

        def after_in_child() -> None:
            alive = held()
            if alive is not None:
                alive()

        os.register_at_fork(after_in_child=after_in_child)
