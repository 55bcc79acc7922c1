"""Print the OpenAPI document: `python -m guardship.api.openapi`. The console's typed client is generated from it."""

import json
import sys

from guardship.api.app import describe

if __name__ == "__main__":
    json.dump(describe().openapi(), sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")
