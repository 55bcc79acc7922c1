"""`python -m tests.conformance.expressions FILE`: each failing case, and as the last line `N passed, M failed`."""

import json
import sys
from pathlib import Path

from tests.conformance.expressions.judge import fault_of


def main() -> int:
    cases = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    failed = 0
    for case in cases:
        fault = fault_of(case)
        if fault is not None:
            failed += 1
            print(f"{case['id']}: {case['expression']}\n    {fault}")
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
