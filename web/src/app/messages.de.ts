// Dieselben Sätze auf Deutsch. Was fehlt, erscheint auf Englisch.
import type { MessageKey } from "./messages.en";

export const de: Partial<Record<MessageKey, string>> = {
  "nav.overview": "Überblick", "nav.incidents": "Vorfälle", "nav.playbooks": "Playbooks", "nav.containment": "Eindämmung",
  "nav.machines": "Maschinen", "nav.logs": "Protokolle", "nav.admin": "Verwaltung", "nav.label": "Orte", "nav.skip": "Zur Seite springen",
  "top.find": "Suchen oder tun", "top.isolated": "{count} isoliert", "top.live": "Live", "top.stale": "Keine Verbindung",
  "top.keys": "Tasten dieser Seite", "top.account": "Sie", "top.signOut": "Abmelden", "top.theme": "Farben", "top.language": "Sprache",
  "theme.system": "Wie das System", "theme.light": "Hell", "theme.dark": "Dunkel",
  "state.loading": "Lädt", "state.tryAgain": "Noch einmal", "state.notFound": "Diese Seite gibt es nicht",
  "state.old": "Stand {time}. Der Server antwortet nicht.", "state.reconnect": "Neu verbinden",
  "state.simulated": "Simulierte Datenebene: dieser Rechner erlaubt keine Netz-Namensräume, kein Paket beweist hier etwas.",
  "news.show": "Zeigen", "news.waiting": "{count} neu", "news.held": "zurückgehalten, damit sich beim Lesen nichts bewegt",
  "palette.title": "Suchen oder tun", "palette.empty": "So heißt hier nichts.",
  "word.running": "Läuft", "word.done": "Fertig", "word.proved": "Bewiesen", "word.notProved": "Nicht bewiesen", "word.waiting": "Wartet",
  "word.failed": "Gescheitert", "word.skipped": "Übergangen", "word.queued": "In der Reihe", "word.released": "Freigegeben",
  "word.notCut": "Nicht getrennt", "word.notBlocked": "Nicht gesperrt", "word.open": "Offen", "word.cancelled": "Abgebrochen",
  "word.timedOut": "Frist abgelaufen",
  "severity.High": "Hoch", "severity.Medium": "Mittel", "severity.Low": "Niedrig", "severity.Informational": "Hinweis",
  "signIn.title": "Anmelden", "signIn.name": "Name", "signIn.password": "Passwort", "signIn.code": "Code der Authenticator-App",
  "signIn.button": "Anmelden", "signIn.lockedOut": "Ausgesperrt? Auf der Maschine selbst:", "signIn.linkFailed": "Der Link gilt nicht",
  "signIn.busy": "Meldet an", "signIn.where": "Guardship auf {host}",
};
