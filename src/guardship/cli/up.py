"""`guardship up` starts server and lab and stays; `guardship demo` plays the story once and says how it ended."""

import json
import signal
import sys
import threading
from typing import Annotated, Any

import typer

from guardship.cli.progress import Display, Plain, display_for
from guardship.cli.story import Story
from guardship.cli.supervisor import Supervisor
from guardship.settings import Settings, TrackingMode

STORY_SECONDS = 75.0

_ABOUT = (
    "An attacker outside guesses passwords on web-1, gets in, and streams data out: real packets between network namespaces.",
    "A rule sees it, an alert opens an incident, and the armed playbook runs the runbook IsolateVM, which moves web-1 to a closed security group.",
    "Probes then try to get in and out. You can watch it in the console; `guardship release web-1` puts back what was.",
)


class _Stopped(Exception):
    """The person or the system asked the command to end."""


def up(
    lab: Annotated[bool, typer.Option(help="Start the lab and play the story once.")] = True,
) -> None:
    """Start the server, and the lab with its story beside it; stop with Ctrl-C."""
    settings = Settings()
    display = display_for(as_json=False)
    supervisor = Supervisor(settings, tell=display.say)
    _watch_signals()
    try:
        _welcome(supervisor.start_server(), display, with_lab=lab)
        if lab:
            _play(supervisor, display, settings)
        display.say(f"\nGuardship stays up at {supervisor.ready['url']}. Stop it with Ctrl-C.")
        supervisor.attend(until=lambda: False, told=display.line)
    except (_Stopped, KeyboardInterrupt):
        display.say("Stopping …")
    finally:
        supervisor.stop()


def demo(
    once: Annotated[bool, typer.Option("--once", help="Play the story once and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    mode: Annotated[TrackingMode | None, typer.Option(help="How the lab treats open sessions when a group changes.")] = None,
    prove_release: Annotated[bool, typer.Option("--release", help="Release web-1 afterwards and see its traffic flow.")] = False,
) -> None:
    """Play the story; exit code 0 only if the machine is provably cut off."""
    settings = Settings() if mode is None else Settings(lab_mode=mode)
    display = display_for(as_json=as_json)
    supervisor = Supervisor(settings, tell=display.say)
    _watch_signals()
    story: Story | None = None
    try:
        _welcome(supervisor.start_server(), display, with_lab=True)
        story = _play(supervisor, display, settings)
        if prove_release:
            _release(settings, display)
        if not once:
            supervisor.attend(until=lambda: False, told=display.line)
    except (_Stopped, KeyboardInterrupt):
        display.say("Stopping …")
    finally:
        supervisor.stop()
    if as_json and story is not None:
        print(json.dumps(story.result.to_json(), indent=2))
    sys.exit(0 if story is not None and story.result.contained else 1)


def _play(supervisor: Supervisor, display: Display, settings: Settings) -> Story:
    story = supervisor.play(display.line)
    if not supervisor.attend(until=lambda: story.has_ended, seconds=STORY_SECONDS, told=display.line):
        story.problem = f"the story did not end within {STORY_SECONDS:.0f} s"
    display.end(story)
    return story


def _release(settings: Settings, display: Display) -> None:
    from guardship.cli.release import release_online  # only this path needs the HTTP client before the story ends

    display.say(release_online(settings, "web-1", "the demo is over", is_forced=False))


def _welcome(ready: dict[str, Any], display: Display, *, with_lab: bool) -> None:
    display.say(f"Guardship is ready at {ready['url']}")
    if ready.get("sign_in_link"):
        display.say(f"Sign in (this link works once, for 30 minutes): {ready['sign_in_link']}")
    if (with_lab and isinstance(display, Plain)) or not isinstance(display, Plain):
        for text in _ABOUT if with_lab else ():
            display.say(f"  {text}")


def _watch_signals() -> None:
    """SIGTERM and SIGHUP end the command like Ctrl-C does."""

    def stop(number: int, _: Any) -> None:
        raise _Stopped(signal.Signals(number).name)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, stop)
