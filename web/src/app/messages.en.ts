// Every sentence of the shell, in English. Features keep theirs here too, under their own names.
export const en = {
  "nav.overview": "Overview", "nav.incidents": "Incidents", "nav.playbooks": "Playbooks", "nav.containment": "Containment",
  "nav.machines": "Machines", "nav.logs": "Logs", "nav.admin": "Admin", "nav.label": "Places", "nav.skip": "Skip to the page",
  "top.find": "Find anything", "top.isolated": "{count} isolated", "top.live": "Live", "top.stale": "No connection",
  "top.crumbs": "Where you are", "top.keys": "Keys of this page", "top.account": "You", "top.signOut": "Sign out", "top.theme": "Theme", "top.language": "Language",
  "theme.system": "As the system", "theme.light": "Light", "theme.dark": "Dark",
  "state.loading": "Loading", "state.tryAgain": "Try again", "state.notFound": "There is no such page",
  "state.old": "Shown as of {time}. The server does not answer.", "state.reconnect": "Reconnect", "state.simulated":
    "Simulated data plane: this host allows no network namespaces, so no packet proves anything here.",
  "news.show": "Show", "news.waiting": "{count} new", "news.held": "held back so that nothing moves while you read",
  "keys.find": "Find a place or a thing", "keys.regions": "To the next region; with Shift to the one before", "keys.close": "Close what lies on top",
  "keys.these": "These keys", "keys.rows": "Walk the rows", "keys.open": "Open the row", "keys.actions": "Show the action's input and output", "keys.graph": "Walk the actions of the graph",
  "keys.runQuery": "Run the query", "keys.done": "Close",
  "grid.count.one": "{count} item", "grid.count.other": "{count} items", "grid.csv": "CSV", "grid.copy": "Copy as API call", "grid.copied": "Copied",
  "palette.title": "Find anything", "palette.empty": "Nothing is called that.",
  "palette.isolation": "Isolation", "palette.playbook": "Playbook", "palette.automationRule": "Automation rule", "palette.analyticsRule": "Analytics rule", "palette.names": "Incident {number} names {text}", "palette.logs": "Logs: alerts that name {text}",
  "word.running": "Running", "word.done": "Done", "word.proved": "Proved", "word.notProved": "Not proved", "word.waiting": "Waiting",
  "word.failed": "Failed", "word.skipped": "Skipped", "word.queued": "Queued", "word.released": "Released", "word.notCut": "Not cut",
  "word.notBlocked": "Not blocked", "word.open": "Open", "word.cancelled": "Cancelled", "word.timedOut": "Timed out",
  "severity.High": "High", "severity.Medium": "Medium", "severity.Low": "Low", "severity.Informational": "Informational",
  "signIn.title": "Sign in", "signIn.name": "Name", "signIn.password": "Password", "signIn.code": "Code of the authenticator app",
  "signIn.button": "Sign in", "signIn.lockedOut": "Locked out? On the machine itself:", "signIn.linkFailed": "The link did not work",
  "signIn.busy": "Signing in", "signIn.where": "Guardship on {host}",
} as const;

export type MessageKey = keyof typeof en;
