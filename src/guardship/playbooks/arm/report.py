"""What was found wrong in a template, each thing once, and what only a deployment can tell."""

from dataclasses import dataclass, field

from guardship.playbooks.definition import Path, Problem


@dataclass(frozen=True, slots=True)
class NeedsDeployment:
    """The value at `path` holds `expression`, which a deployment alone can work out."""

    path: Path
    expression: str


@dataclass(slots=True)
class Report:
    problems: list[Problem] = field(default_factory=list)
    needs_deployment: list[NeedsDeployment] = field(default_factory=list)
    unusable: set[Path] = field(default_factory=set)  # where a value is not what its author meant, told already
    has_secrets: bool = False  # a secure value has been looked at
    _told: set[tuple[str, ...]] = field(default_factory=set, repr=False)

    def problem(self, path: Path, message: str, code: str, *, hint: str | None = None, start: int = 0, end: int = 0) -> None:
        """Whatever is asked for again and again is a problem once: the same words at the same place."""
        self.once(("problem", repr(path), code, message), Problem(path, message, code, hint, start, end))

    def once(self, key: tuple[str, ...], problem: Problem) -> None:
        if key not in self._told:
            self._told.add(key)
            self.problems.append(problem)

    def deferred(self, path: Path, expression: str) -> None:
        key = ("deferred", expression)
        if key not in self._told:
            self._told.add(key)
            self.needs_deployment.append(NeedsDeployment(path, expression))
