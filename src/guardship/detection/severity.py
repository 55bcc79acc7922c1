"""How bad a finding is; the four words that alerts, incidents and rules share."""

from enum import StrEnum


class Severity(StrEnum):
    HIGH = "High"
    MEDIUM = "Medium"
    LOW = "Low"
    INFORMATIONAL = "Informational"

    @property
    def rank(self) -> int:
        """3 for High down to 0."""
        return _RANKS[self]

    @staticmethod
    def worst(one: "Severity", other: "Severity") -> "Severity":
        return one if one.rank >= other.rank else other


_RANKS = {Severity.HIGH: 3, Severity.MEDIUM: 2, Severity.LOW: 1, Severity.INFORMATIONAL: 0}
