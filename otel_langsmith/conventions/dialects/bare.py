"""``input`` and ``output``: spans that are written by hand, without any convention.

Its rows are late and near the end, so that any dialect goes before them. On a model's span these
are messages, on any other whatever they are.
"""

from typing import Final

from otel_langsmith.conventions.rows import LATE, Convention, When, attr

_INPUTS: Final = ("input", "inputs", "gen_ai.input", "llm.input")
_OUTPUTS: Final = ("output", "outputs", "gen_ai.output", "llm.output")
_LLM: Final = When(runs=("llm",), turn="late")

BARE: Final = Convention(
    name="bare",
    spec="none: seen in spans that are written by hand",
    rows=(
        attr("inputs.messages", *_INPUTS, when=_LLM),
        attr("inputs", *_INPUTS, when=LATE),
        attr("outputs.messages", *_OUTPUTS, when=_LLM),
        attr("outputs", *_OUTPUTS, when=LATE),
    ),
)
