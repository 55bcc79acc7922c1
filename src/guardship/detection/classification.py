"""What an incident turned out to be, in the published words, and how the timeline says it."""

import re
from enum import StrEnum


class Classification(StrEnum):
    TRUE_POSITIVE = "TruePositive"
    BENIGN_POSITIVE = "BenignPositive"
    FALSE_POSITIVE = "FalsePositive"
    UNDETERMINED = "Undetermined"


REASONS = {
    Classification.TRUE_POSITIVE: ("SuspiciousActivity",),
    Classification.BENIGN_POSITIVE: ("SuspiciousButExpected",),
    Classification.FALSE_POSITIVE: ("IncorrectAlertLogic", "InaccurateData"),
    Classification.UNDETERMINED: (),
}


def closed_as(classification: Classification, reason: str | None, comment: str | None) -> str:
    """Closed as false positive, incorrect alert logic: the nightly backup."""
    said = ", ".join(_plain(word) for word in (classification, reason) if word)
    return f"Closed as {said}" + (f": {comment}" if comment else "")


def _plain(name: str) -> str:
    """`SuspiciousActivity` as people write it."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
