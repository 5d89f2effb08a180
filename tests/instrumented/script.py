"""What the model of these tests says, and what each answer costs."""

from typing import Any, Final

ANSWER: Final = "It is 21 degrees in Paris."
THOUGHT: Final = "The tools know."
QUOTA: Final = "You exceeded your current quota."

INPUT, CACHED, OUTPUT, REASONING = 120, 64, 30, 11

USAGE: Final[dict[str, Any]] = {
    "input_tokens": INPUT,
    "output_tokens": OUTPUT,
    "total_tokens": INPUT + OUTPUT,
    "input_token_details": {"cache_read": CACHED},
    "output_token_details": {"reasoning": REASONING},
}
"""The cost as LangSmith wants it."""

ARGUMENTS: Final = {"answer": ANSWER, "city": "Paris", "unit": "celsius"}
"""What the model passes for a parameter of this name."""
