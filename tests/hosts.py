"""What a test needs of its host. CI gives all of it, so there an unmet need fails; elsewhere the test is skipped and says why."""

import os
from typing import NoReturn

import pytest


def cannot(why: str) -> NoReturn:
    """This host lacks what the test needs."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must give what this test needs: {why}", pytrace=False)
    pytest.skip(why)


def demand_root() -> None:
    """For tests that become somebody else, or mount: an ordinary user can do neither."""
    if os.geteuid() != 0:
        cannot("needs root")
