"""`python -m guardship.lab`: a pretend cloud whose packets are real, as one child of the command; it speaks JSON lines."""

import os
import sys

from guardship.lab.opening import open_lab


def main() -> None:
    code = open_lab()
    sys.stdout.flush()
    os._exit(code)  # the thread that reads orders may still wait on standard input


if __name__ == "__main__":
    main()
