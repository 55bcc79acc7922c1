// Dieselben Sätze auf Deutsch; keiner fehlt.
import type { MessageKey } from "./messages.en";

export const de: Record<MessageKey, string> = {
  "nav.overview": "Überblick", "nav.incidents": "Vorfälle", "nav.playbooks": "Playbooks", "nav.containment": "Eindämmung",
  "nav.machines": "Maschinen", "nav.logs": "Protokolle", "nav.admin": "Verwaltung", "nav.label": "Orte", "nav.skip": "Zur Seite springen",
  "top.find": "Alles finden", "top.isolated": "{count} isoliert", "top.live": "Live", "top.stale": "Keine Verbindung",
  "top.crumbs": "Wo Sie sind", "top.keys": "Tasten dieser Seite", "top.account": "Sie", "top.signOut": "Abmelden", "top.theme": "Farben", "top.language": "Sprache",
  "theme.system": "Wie das System", "theme.light": "Hell", "theme.dark": "Dunkel",
  "state.loading": "Lädt", "state.tryAgain": "Noch einmal", "state.notFound": "Diese Seite gibt es nicht",
  "state.old": "Stand {time}. Der Server antwortet nicht.", "state.reconnect": "Neu verbinden",
  "state.simulated": "Simulierte Datenebene: dieser Rechner erlaubt keine Netz-Namensräume, kein Paket beweist hier etwas.",
  "news.show": "Zeigen", "news.waiting": "{count} neu", "news.held": "zurückgehalten, damit sich beim Lesen nichts bewegt",
  "keys.find": "Einen Ort oder eine Sache finden", "keys.regions": "Zum nächsten Bereich; mit Umschalt zum vorigen", "keys.close": "Schließen, was oben liegt",
  "keys.these": "Diese Tasten", "keys.rows": "Durch die Zeilen gehen", "keys.open": "Die Zeile öffnen", "keys.actions": "Eingabe und Ausgabe der Aktion zeigen",
  "keys.graph": "Durch die Aktionen des Graphen gehen", "keys.runQuery": "Die Abfrage ausführen", "keys.done": "Schließen",
  "grid.count.one": "{count} Eintrag", "grid.count.other": "{count} Einträge", "grid.csv": "CSV", "grid.copy": "Als API-Aufruf kopieren", "grid.copied": "Kopiert",
  "palette.title": "Alles finden", "palette.empty": "So heißt hier nichts.",
  "palette.isolation": "Isolation", "palette.playbook": "Playbook", "palette.automationRule": "Automatisierungsregel", "palette.analyticsRule": "Analyseregel", "palette.names": "Vorfall {number} nennt {text}", "palette.logs": "Protokolle: Warnungen, die {text} nennen",
  "word.running": "Läuft", "word.done": "Fertig", "word.proved": "Bewiesen", "word.notProved": "Nicht bewiesen", "word.waiting": "Wartet",
  "word.failed": "Gescheitert", "word.skipped": "Übergangen", "word.queued": "In der Reihe", "word.released": "Freigegeben",
  "word.notCut": "Nicht getrennt", "word.notBlocked": "Nicht gesperrt", "word.open": "Offen", "word.cancelled": "Abgebrochen",
  "word.timedOut": "Frist abgelaufen",
  "severity.High": "Hoch", "severity.Medium": "Mittel", "severity.Low": "Niedrig", "severity.Informational": "Hinweis",
  "signIn.title": "Anmelden", "signIn.name": "Name", "signIn.password": "Passwort", "signIn.code": "Code der Authenticator-App",
  "signIn.button": "Anmelden", "signIn.lockedOut": "Ausgesperrt? Auf der Maschine selbst:", "signIn.linkFailed": "Der Link gilt nicht",
  "signIn.busy": "Meldet an", "signIn.where": "Guardship auf {host}",
};
