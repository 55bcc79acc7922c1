"""`guardship …` and `python -m guardship …`."""

from guardship.cli.app import app


def main() -> None:
    app(prog_name="guardship")


if __name__ == "__main__":
    main()
