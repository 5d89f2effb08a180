"""The version of this package, read by the build and written into every run's runtime."""

from typing import Final

__version__: Final = "0.1.0"
