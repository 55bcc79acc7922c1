"""`guardship version`."""

import importlib.metadata


def version() -> None:
    """Print the version."""
    print(importlib.metadata.version("guardship"))
