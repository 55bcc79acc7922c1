"""How the command tells a story: a live display in a terminal, plain lines elsewhere, nothing when JSON is asked for."""

import sys
from datetime import datetime
from typing import Protocol

from rich.console import Console
from rich.text import Text

from guardship.cli.story import Line, Story

_STYLES = {"first_hostile": "yellow"}


class Display(Protocol):
    def say(self, text: str) -> None: ...

    def line(self, line: Line) -> None: ...

    def end(self, story: Story) -> None: ...


class Plain:
    """One line a thing, with its time; for logs and pipes."""

    def say(self, text: str) -> None:
        print(text, flush=True)

    def line(self, line: Line) -> None:
        print(f"{clock_of(line.at)}  {line.what}{'  ' + line.detail if line.detail else ''}", flush=True)

    def end(self, story: Story) -> None:
        for text in summary(story):
            print(text, flush=True)


class Live:
    """Coloured lines with what is being waited for under them."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._status = self._console.status("[dim]Starting …[/]", spinner="dots")
        self._status.start()

    def say(self, text: str) -> None:
        self._console.print(text)

    def line(self, line: Line) -> None:
        text = Text()
        text.append(f"{clock_of(line.at)}  ", style="dim")
        text.append(line.what, style=_style_of(line.what))
        if line.detail:
            text.append(f"  {line.detail}", style="dim")
        self._console.print(text)
        self._status.update("[dim]The story goes on …[/]")

    def end(self, story: Story) -> None:
        self._status.stop()
        for text in summary(story):
            self._console.print(text, style="bold green" if story.result.contained and text.startswith("web-1") else None)


class Silent:
    """For JSON: what goes wrong still reaches standard error."""

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def line(self, line: Line) -> None:
        return

    def end(self, story: Story) -> None:
        return


def display_for(*, as_json: bool) -> Display:
    if as_json:
        return Silent()
    return Live() if sys.stdout.isatty() else Plain()


def summary(story: Story) -> list[str]:
    result, seconds = story.result, story.result.seconds
    lines = ["", verdict(story)]
    if seconds["first_packet_to_alert"] is not None:
        lines.append(f"  first hostile packet to alert   {seconds['first_packet_to_alert']:.2f} s")
    if seconds["alert_to_last_packet"] is not None:
        lines.append(f"  alert to last packet            {seconds['alert_to_last_packet']:.2f} s")
    if seconds["put_to_last_packet"] is not None:
        lines.append(f"  group changed to last packet    {seconds['put_to_last_packet'] * 1000:.1f} ms")
    if result.incident_url:
        lines.append(f"  incident  {result.incident_url}")
    if result.run_url:
        lines.append(f"  run       {result.run_url}")
    if story.is_simulated:
        lines.append("  The data plane was simulated: this host allows no network namespaces.")
    return lines


def verdict(story: Story) -> str:
    result = story.result
    if result.contained:
        return "web-1 is cut off: new connections are blocked, the live session is dead, probes saw it."
    if result.new_connections_blocked == "verified" and result.live_sessions_cut == "failed":
        return "web-1 is isolated, not cut: the attacker's session is still live."
    if story.problem:
        return f"web-1 was not contained: {story.problem}"
    return "web-1 was not contained."


def clock_of(at: str) -> str:
    try:
        return datetime.fromisoformat(at).strftime("%H:%M:%S.%f")[:-3]
    except ValueError:
        return " " * 12


def _style_of(what: str) -> str:
    if "attacker" in what.lower():
        return "yellow"
    return "green" if "closed" in what or "Probes" in what else "bold"
