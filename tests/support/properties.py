"""How many examples a property is tried with."""

from hypothesis import settings


def examples(count: int) -> settings:
    """``count`` examples under a profile that has Hypothesis' usual 100, and else in proportion."""
    return settings(max_examples=count * settings().max_examples // 100)
