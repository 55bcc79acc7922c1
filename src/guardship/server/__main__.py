"""`python -m guardship.server`: the server as one process, started by the command, which it tells what happens over its pipe."""

from guardship.server import interpreter


def main() -> None:
    interpreter.hurry()
    from guardship.server import serving  # late: all of the server's modules come with it

    serving.serve()


if __name__ == "__main__":
    main()
