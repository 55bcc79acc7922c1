"""The command as parent of server and lab: starts both, passes word between them, starts a fallen server again, stops both.

The server asks for the demo over its pipe when somebody presses the button in the console. The lab and its live session stay when
the server falls; when the command dies, both end.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from guardship.cli.child import Child, Message
from guardship.cli.local_server import LocalServer
from guardship.cli.story import Story
from guardship.errors import Fault, GuardshipError
from guardship.settings import Settings, environment_for_child
from guardship.storage.layout import Layout

START_SECONDS = 60.0
STOP_SECONDS = 15.0
MOST_FALLS = 5
FALL_WINDOW_SECONDS = 60.0


class DidNotStart(GuardshipError):
    code = "cli.did_not_start"
    fault = Fault.UNAVAILABLE


class Fell(DidNotStart):
    """A child ended, or said that it cannot start, while something was awaited of it."""

    def __init__(self, name: str, message: Message, log_file: Path) -> None:
        why = message.get("why") or f"it ended with {message.get('code')}"
        super().__init__(f"the {name} did not start: {why}", hint=message.get("hint") or f"its log is {log_file}")
        self.child_message = message


class Supervisor:
    def __init__(self, settings: Settings, *, tell: Callable[[str], None]) -> None:
        self._settings = settings
        self._layout = Layout(settings.home)
        self._tell = tell
        self._inbox: queue.Queue[tuple[str, Message]] = queue.Queue()
        self._server: Child | None = None
        self._lab: Child | None = None
        self._lab_ready: Message | None = None
        self._falls: list[float] = []
        self._is_stopping = False
        self._is_starting_demo = False
        self.story: Story | None = None
        self.ready: Message = {}

    def start_server(self) -> Message:
        """Start the server and return its first words: address and sign-in link."""
        self._layout.make()
        self._server = self._child("server", "guardship.server")
        self.ready = self._await("server", "ready")
        threading.Thread(target=self._listen, name="news", daemon=True).start()
        return self.ready

    def play(self, told: Callable[[Any], None]) -> Story:
        """Start the lab if it is not up, and let the attack play. The story grows while `attend` runs."""
        self._is_starting_demo = True
        try:
            return self._play(told)
        finally:
            self._is_starting_demo = False

    def attend(self, *, until: Callable[[], bool], seconds: float | None = None, told: Callable[[Any], None]) -> bool:
        """Pass word on until `until` holds; False when `seconds` ran out first."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while not until():
            if deadline is not None and time.monotonic() > deadline:
                return False
            try:
                name, message = self._inbox.get(timeout=0.2)
            except queue.Empty:
                continue
            self._take(name, message, told)
        return True

    def stop(self) -> None:
        self._is_stopping = True
        for child in (self._server, self._lab):
            if child is not None:
                child.stop(grace_seconds=STOP_SECONDS)

    def _play_when_asked(self, told: Callable[[Any], None]) -> None:
        """For the button in the console: what does not start is told, and the server stays; the next press begins afresh."""
        if self._is_starting_demo:
            return  # pressed again while the lab starts
        try:
            self.play(told)
        except DidNotStart as error:
            self._tell(f"The demo did not start: {error}")
            lab, self._lab, self._lab_ready = self._lab, None, None
            if lab is not None:
                lab.stop(grace_seconds=STOP_SECONDS)

    def _play(self, told: Callable[[Any], None]) -> Story:
        self.story = Story(self.ready["url"], told)
        if self._lab is None or not self._lab.is_alive:
            self._start_lab()
        else:
            self._lab.send({"do": "reset"})
            self._await("lab", "reset")
            self._connect_lab()
        assert self._lab is not None
        self._lab.send({"do": "attack"})
        return self.story

    def _start_lab(self) -> None:
        tokens = self._ask_server({"do": "prepare_lab"}, "lab_prepared")["tokens"]
        self._lab = self._child("lab", "guardship.lab")
        config = {
            "mode": self._settings.lab_mode.value,
            "arm_host": "127.0.0.1",
            "arm_port": self._settings.lab_arm_port,
            "smtp_port": self._settings.lab_mail_port,
            "ca_dir": str(self._layout.lab),
            "ingest": {"url": self.ready["local_url"], "tokens": tokens, "ca_file": self.ready.get("ca_file")},
            "seed": 1,
        }
        self._lab.send(config)
        self._lab_ready = self._await("lab", "ready")
        self._connect_lab()

    def _connect_lab(self) -> None:
        assert self._lab_ready is not None
        self._ask_server({"do": "connect_lab", "lab": self._lab_ready}, "lab_connected")

    def _ask_server(self, message: Message, event: str) -> Message:
        """Its answer; a server that falls meanwhile is up again when this raises, one that only says no stays."""
        assert self._server is not None
        try:
            self._server.send(message)
            return self._await("server", event)
        except Fell as fell:
            if fell.child_message.get("event") == "ended":
                self._start_again(fell.child_message)
            raise

    def _child(self, name: str, module: str) -> Child:
        environment = environment_for_child(self._settings.home)
        return Child(name, module, log_file=Path(self._layout.home / f"{name}.log"), take=self._put, environment=environment)

    def _put(self, name: str, message: Message) -> None:
        self._inbox.put((name, message))

    def _await(self, name: str, event: str) -> Message:
        """The next such message; others on the way are taken as usual."""
        deadline = time.monotonic() + START_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            try:
                sender, message = self._inbox.get(timeout=left)
            except queue.Empty:
                break
            if sender == name and message.get("event") == event:
                return message
            if sender == name and message.get("event") in ("ended", "failed") and self._is_of_now(name, message):
                raise Fell(name, message, self._layout.home / f"{name}.log")
            self._take(sender, message, lambda _: None)
        raise DidNotStart(f"the {name} did not say {event} within {START_SECONDS:.0f} s", hint=f"its log is {self._layout.home / name}.log")

    def _is_of_now(self, name: str, message: Message) -> bool:
        """Whether it speaks of the child that is there now, not of one that was there before."""
        child = self._server if name == "server" else self._lab
        return message.get("event") != "ended" or message.get("pid") == getattr(child, "pid", None)

    def _take(self, name: str, message: Message, told: Callable[[Any], None]) -> None:
        event = message.get("event")
        if name == "server" and event == "ended" and not self._is_stopping and self._is_of_now(name, message):
            self._start_again(message)
        elif name == "server" and event == "start_demo":
            self._play_when_asked(told)
        elif name == "lab" and event == "ended" and not self._is_stopping and self._is_of_now(name, message):
            self._tell(f"The lab ended with {message.get('code')}; its log is {self._layout.home / 'lab.log'}")
            self._lab = None
        elif name == "lab" and self.story is not None:
            self.story.take_lab(message)
        elif name == "news" and self.story is not None:
            self.story.take_news(message)

    def _start_again(self, message: Message) -> None:
        """Until it is up; gives up when it has fallen too often, whatever it was doing."""
        while True:
            self._count_fall()
            self._tell(f"The server fell ({message.get('code')}) and is started again; the lab stays")
            self._server = self._child("server", "guardship.server")
            try:
                self.ready = self._await("server", "ready")
            except Fell as fell:
                message = fell.child_message
                continue
            break
        if self._lab is not None and self._lab_ready is not None:
            with contextlib.suppress(Fell):  # then it was started once more meanwhile, and has the lab
                self._connect_lab()

    def _count_fall(self) -> None:
        now = time.monotonic()
        self._falls = [fall for fall in self._falls if now - fall < FALL_WINDOW_SECONDS] + [now]
        if len(self._falls) > MOST_FALLS:
            raise DidNotStart("the server fell too often", hint=f"its log is {self._layout.home / 'server.log'}")

    def _listen(self) -> None:
        """Follow the news of the server, through its falls."""
        while not self._is_stopping:
            try:
                for item in LocalServer.find(self._settings.home).news():
                    self._put("news", item)
            except (httpx.HTTPError, GuardshipError):
                time.sleep(0.05)
