// Die Sätze der Seiten auf Deutsch; was fehlt, erscheint auf Englisch.
import type { pages } from "./messages.pages";

export const pagesDe: Partial<Record<keyof typeof pages, string>> = {
  "crumb.alerts": "Warnungen", "crumb.runs": "Läufe", "crumb.automationRules": "Automatisierungsregeln", "crumb.runbooks": "Runbooks & Jobs",
  "crumb.analyticsRules": "Regeln", "word.incident": "Vorfall", "word.run": "Lauf", "word.alert": "Warnung", "word.all": "Alle", "word.reason": "Grund",
  "word.machine": "Maschine", "word.state": "Zustand", "word.by": "Durch", "word.time": "Zeit, UTC", "word.duration": "Dauer", "word.name": "Name",
  "overview.quiet": "Nichts braucht Sie jetzt", "overview.one": "Eines braucht Sie jetzt", "overview.many": "{count} Dinge brauchen Sie jetzt",
  "overview.liveSession": "Offene Sitzung auf einer isolierten Maschine", "overview.stillConnected": "Der Angreifer ist noch mit {machine} verbunden",
  "overview.inForce": "Eindämmungen in Kraft", "overview.next": "Als Nächstes", "overview.alertsByHour": "Warnungen je Stunde",
  "first.title": "Hier ist noch nichts geschehen", "first.demo": "Demo starten",
  "finding.new_connections_blocked": "Neue Verbindungen gesperrt", "finding.live_sessions_cut": "Offene Sitzungen getrennt",
  "finding.metadata_service_blocked": "Cloud-Identität geschlossen", "containment.title": "Eindämmung", "containment.keep": "Isoliert lassen",
  "containment.releaseTitle": "{machine} freigeben?", "containment.releaseDo": "{machine} freigeben", "containment.release": "{machine} freigeben …",
  "incidents.title": "Vorfälle", "incidents.timeline": "Zeitleiste", "incidents.runPlaybook": "Playbook starten", "alerts.title": "Warnungen",
  "runs.title": "Läufe", "runs.input": "Eingabe", "runs.output": "Ausgabe", "runs.why": "Warum dieser Zweig", "playbooks.title": "Playbooks",
  "rules.title": "Automatisierungsregeln", "machines.title": "Maschinen", "logs.title": "Protokollsuche", "admin.title": "Verwaltung",
};
