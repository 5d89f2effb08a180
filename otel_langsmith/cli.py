"""The console script ``otel-langsmith``; what it does is in `otel_langsmith.commands`.

Everyone who installs this package gets the script, but only the extra ``local`` brings the packages
it needs. So this module imports nothing but the standard library, and says what is missing.
"""

import importlib
import sys


def main() -> None:
    """Runs the command line; without the extra, one line on how to install it, and exit code 1."""
    try:
        # Not an import statement: whether it works is the question, asked when the script runs.
        commands = importlib.import_module("otel_langsmith.commands")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("otel_langsmith"):
            raise
        sys.exit(
            f"otel-langsmith needs {error.name}, which is not installed: "
            'pip install "otel-langsmith[local]"'
        )
    commands.command_line(prog_name="otel-langsmith")


if __name__ == "__main__":
    main()
