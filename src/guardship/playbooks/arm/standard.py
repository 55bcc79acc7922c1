"""Standard apps: a folder or a zip with one folder a workflow.

`Block_IP/workflow.json` is `{"definition": {…}, "kind": "Stateful"}`. Beside the folders stand `connections.json`
(`{"managedApiConnections": {"sentinel": {"api": {"id": "…/managedApis/azuresentinel"}, "connection": {"id": "…"}}}}`), `parameters.json`
and `local.settings.json`, whose `Values` are the app settings that `@appsetting('X')` means. In a definition a setting becomes a secure
parameter, `parameters('setting_X')`, for many a setting is a secret.
"""

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from pathlib import PurePosixPath
from typing import Any

from guardship.playbooks.actions.reading import field_of
from guardship.playbooks.arm.found import FoundConnection, FoundWorkflow
from guardship.playbooks.arm.lenient_json import JsonSyntax, decode, parse
from guardship.playbooks.arm.parameters import given_values
from guardship.playbooks.arm.report import Report
from guardship.playbooks.arm.resources import object_of, read_workflow_resource, text_in
from guardship.playbooks.arm.secrets import declared_secure
from guardship.playbooks.definition import Path, Problem
from guardship.playbooks.expressions.values import text_of

MOST_FILES = 2000
MOST_BYTES = 64 * 1024 * 1024
_READ = ("workflow.json", "connections.json", "parameters.json", "local.settings.json")
_CALL = re.compile(r"@\{?\s*(appsetting|parameters)\s*\(\s*'((?:[^']|'')*)'\s*\)\s*(\}?)", re.IGNORECASE)
_SETTING = re.compile(r"\bappsetting\s*\(\s*'((?:[^']|'')*)'\s*\)", re.IGNORECASE)
_REFUSED = {"serviceProviderConnections": "a built-in connection", "agentConnections": "a connection of an agent"}


@dataclass(frozen=True, slots=True)
class AppWorkflow:
    found: FoundWorkflow
    text: str


@dataclass(slots=True)
class App:
    workflows: list[AppWorkflow] = field(default_factory=list)
    connections: list[FoundConnection] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    broken: list[tuple[str, JsonSyntax]] = field(default_factory=list)  # files that are no JSON
    problems: list[tuple[str, Problem]] = field(default_factory=list)  # by file
    texts: dict[str, str] = field(default_factory=dict)


def is_zip(document: bytes) -> bool:
    return document[:4] == b"PK\x03\x04"


def unzipped(document: bytes) -> dict[str, bytes]:
    """The files of a zip that are read here; what is too large to be a workflow is refused."""
    try:
        with zipfile.ZipFile(io.BytesIO(document)) as archive:
            entries = [entry for entry in archive.infolist() if PurePosixPath(entry.filename).name in _READ]
            if len(entries) > MOST_FILES or sum(entry.file_size for entry in entries) > MOST_BYTES:
                raise JsonSyntax(f"the zip holds more than {MOST_FILES} files or {MOST_BYTES} bytes")
            return {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise JsonSyntax(f"this zip cannot be read: {error}") from error


def files_of(folder: FilePath) -> dict[str, bytes]:
    """The same from a directory."""
    found = {}
    for file in sorted((*folder.glob("*.json"), *folder.glob("*/*.json"), *folder.glob("*/*/*.json"))):
        if file.name in _READ and file.is_file() and not file.is_symlink():
            found[file.relative_to(folder).as_posix()] = file.read_bytes()
    return found


def read_app(files: Mapping[str, bytes], given: Mapping[str, Any]) -> App:
    """`given` are values for app settings and parameters that the files lack."""
    app = App()
    root = _root(files)
    contents: dict[str, Any] = {}
    for path, content in files.items():
        if path.startswith(root):
            _parse(path.removeprefix(root), content, contents, app)
    settings = {**object_of(contents.get("local.settings.json"), "Values"), **given_values(given)}
    parameters = {name: {**entry} for name, entry in (contents.get("parameters.json") or {}).items() if isinstance(entry, dict)}
    filling = _Filling(settings, parameters, app)
    values = {name: filling.value(field_of(entry, "value"), "parameters.json", (name, "value")) for name, entry in parameters.items()}
    filling.from_settings = frozenset(name for name, entry in parameters.items() if _SETTING.search(str(field_of(entry, "value"))))
    filling.values = {name.casefold(): value for name, value in values.items()}
    connections = _connections(contents.get("connections.json"), filling, app)
    for path, content in contents.items():
        if path.endswith("/workflow.json"):
            _workflow(path, content, values, connections, filling)
    return app


def _root(files: Mapping[str, bytes]) -> str:
    """A zip may hold the app in a folder of its own."""
    depths = [path.count("/") for path in files if path.endswith("/workflow.json")]
    if not depths or min(depths) < 2:
        return ""
    first = next(path for path in files if path.count("/") == min(depths) and path.endswith("/workflow.json"))
    return "/".join(first.split("/")[:-2]) + "/"


def _parse(path: str, content: bytes, contents: dict[str, Any], app: App) -> None:
    try:
        app.texts[path] = decode(content)
        contents[path] = parse(app.texts[path])
    except JsonSyntax as error:
        app.broken.append((path, error))
        return
    if not isinstance(contents[path], dict):
        app.problems.append((path, Problem((), f"{path} must hold an object", "InvalidDefinition")))
        contents[path] = {}


def _workflow(path: str, content: dict[str, Any], values: Mapping[str, Any], connections: Mapping[str, Any], filling: "_Filling") -> None:
    app, name = filling.app, path.split("/")[-2]
    made = read_workflow_resource(name, {"properties": content}, (), Report())
    if not isinstance(made.definition, dict):
        app.problems.append((path, Problem((), f"{name} has no definition", "InvalidDefinition")))
        return
    declared = object_of(made.definition, "parameters")
    given = {key: value for key, value in values.items() if field_of(declared, key) is not None}
    lifted = _LiftedSettings(filling, path)
    definition = {key: lifted.value(inner, ("definition", key)) for key, inner in made.definition.items() if key.lower() != "parameters"}
    secure = {key: {"type": "SecureString"} for key in lifted.parameters}
    made = replace(
        made,
        definition={**definition, "parameters": {"$connections": {"type": "Object"}, **declared, **secure}},
        parameters={**given, **lifted.parameters, "$connections": connections},
        secure=declared_secure(made.definition, given) | frozenset(secure) | (filling.from_settings & set(given)),
        kind=text_in(content, "kind", "Stateful"),
    )
    app.workflows.append(AppWorkflow(made, app.texts[path]))


def _connections(document: Any, filling: "_Filling", app: App) -> dict[str, Any]:
    """What `$connections` holds in other playbooks: each connection by the name that actions refer to."""
    file, made = "connections.json", {}
    for kind, listed in document.items() if isinstance(document, dict) else ():
        for name, entry in listed.items() if isinstance(listed, dict) else ():
            if kind in _REFUSED:
                message = f"{name} is {_REFUSED[kind]} ({kind}), which cannot run here"
                hint = "use a managed connector, or Http, in its place"
                app.problems.append((file, Problem((kind, name), message, "UnsupportedConnection", hint)))
            elif kind != "managedApiConnections" or not isinstance(entry, dict):
                app.ignored.append(f"{kind} {name}")
            else:
                made[name] = _connection(entry, filling, file, (kind, name))
                app_id = text_in(object_of(made[name], "api"), "id")
                app.connections.append(FoundConnection(name, app_id.rstrip("/").rsplit("/", 1)[-1].lower(), name, app_id))
    return made


def _connection(entry: dict[str, Any], filling: "_Filling", file: str, path: Path) -> dict[str, Any]:
    """Without its keys and its address, which our own connection has: nothing is asked for on their account."""
    kept: dict[str, Any] = {key: filling.value(field_of(entry, key), file, (*path, key)) for key in ("api", "connection") if key in entry}
    authentication = field_of(entry, "authentication")
    if isinstance(authentication, dict):
        kept["authentication"] = {key: inner for key, inner in authentication.items() if key.lower() in ("type", "identity")}
    return kept


class _LiftedSettings:
    """The app settings of one definition as parameters of it."""

    def __init__(self, filling: "_Filling", file: str) -> None:
        self._filling = filling
        self._file = file
        self.parameters: dict[str, Any] = {}

    def value(self, given: Any, path: Path) -> Any:
        if isinstance(given, dict):
            return {name: self.value(inner, (*path, name)) for name, inner in given.items()}
        if isinstance(given, list):
            return [self.value(inner, (*path, index)) for index, inner in enumerate(given)]
        if not isinstance(given, str) or "@" not in given:
            return given
        return _SETTING.sub(lambda match: self._reference(match, path), given)

    def _reference(self, match: re.Match[str], path: Path) -> str:
        name = f"setting_{match[1]}"
        known = next((key for key in self.parameters if key.casefold() == name.casefold()), None)
        if known is None:
            known = name
            self.parameters[name] = text_of(self._filling.named("appsetting", match[1].replace("''", "'"), self._file, path, ""))
        return f"parameters('{known}')"


class _Filling:
    """Puts app settings and parameters in their places; what nobody gave is asked for once."""

    def __init__(self, settings: Mapping[str, Any], parameters: Mapping[str, Any], app: App) -> None:
        self._settings = {name.casefold(): value for name, value in settings.items()}
        self.app = app
        self._asked: set[tuple[str, str]] = set()
        self.values: dict[str, Any] = {}
        self.from_settings: frozenset[str] = frozenset()  # parameters that may hold a secret for that

    def value(self, given: Any, file: str, path: Path) -> Any:
        if isinstance(given, dict):
            return {name: self.value(inner, file, (*path, name)) for name, inner in given.items()}
        if isinstance(given, list):
            return [self.value(inner, file, (*path, index)) for index, inner in enumerate(given)]
        if not isinstance(given, str) or "@" not in given:
            return given
        whole = _CALL.fullmatch(given)
        if whole is not None and not whole[3]:
            return self.named(whole[1].lower(), whole[2].replace("''", "'"), file, path, given)
        return _CALL.sub(lambda match: text_of(self.named(match[1].lower(), match[2].replace("''", "'"), file, path, match[0])), given)

    def named(self, what: str, name: str, file: str, path: Path, otherwise: str) -> Any:
        known = self._settings if what == "appsetting" else {**self._settings, **self.values}
        if name.casefold() in known:
            return known[name.casefold()]
        if (what, name.casefold()) not in self._asked:
            self._asked.add((what, name.casefold()))
            shown, place = ("app setting", "local.settings.json") if what == "appsetting" else ("parameter", "parameters.json")
            message = f"the {shown} '{name}' has no value"
            self.app.problems.append((file, Problem(path, message, "MissingParameter", f"give it with the import, or in {place}")))
        return otherwise
