// Where "Find anything" can lead: every page, everything with a name or a number, and what an alert or a log names.
import { useQuery } from "@tanstack/react-query";
import { api, dataOf } from "../api/client";
import { useSettled } from "../ui/settled";
import { type Say, useSay } from "../ui/words";

export interface Goal {
  label: string;
  to: string;
  search?: Record<string, string>;
}

const MOST = 10;
const SHORTEST = 3; // letters that are worth a look into the alerts
const DAYS = 30;
const PLACES: [string, string][] = [
  ["nav.overview", "/"], ["nav.incidents", "/incidents"], ["crumb.alerts", "/alerts"], ["nav.playbooks", "/playbooks"], ["crumb.runs", "/runs"],
  ["crumb.automationRules", "/automation-rules"], ["crumb.runbooks", "/runbooks"], ["nav.containment", "/containment"], ["nav.machines", "/machines"],
  ["nav.logs", "/logs"], ["arules.title", "/analytics-rules"], ["nav.admin", "/admin"],
];
const ADMIN_TABS = ["approvals", "audit", "access", "tokens"];

/** What the text finds by name, then the incidents whose alerts name it, then the logs. */
export function useGoals(text: string): Goal[] {
  const say = useSay();
  const wanted = text.trim();
  const things = useThings();
  const found = [...placesOf(say), ...things].filter((goal) => goal.label.toLowerCase().includes(wanted.toLowerCase())).slice(0, MOST);
  const naming = useIncidentsNaming(wanted).filter((goal) => !found.some((each) => each.to === goal.to));
  const logs: Goal[] = !isNameOfTheirs(wanted) ? [] : [{ label: say("palette.logs", { text: wanted }), to: "/logs", search: { q: queryOf(wanted) } }];
  return [...found, ...naming, ...logs];
}

function placesOf(say: Say): Goal[] {
  return [
    ...PLACES.map(([key, to]) => ({ label: say(key), to })),
    ...ADMIN_TABS.map((tab) => ({ label: `${say("nav.admin")}: ${say(`admin.${tab}`)}`, to: "/admin", search: { tab } })),
  ];
}

function useThings(): Goal[] {
  const say = useSay();
  const { data: incidents } = useIncidents();
  const { data: runs } = useQuery({ queryKey: ["runs"], queryFn: () => dataOf(api.GET("/api/v1/runs")) });
  const { data: machines } = useQuery({ queryKey: ["machines"], queryFn: () => dataOf(api.GET("/api/v1/machines")) });
  const { data: isolations } = useQuery({ queryKey: ["isolations"], queryFn: () => dataOf(api.GET("/api/v1/isolations")) });
  const { data: playbooks } = useQuery({ queryKey: ["playbooks"], queryFn: () => dataOf(api.GET("/api/v1/playbooks")) });
  const { data: runbooks } = useQuery({ queryKey: ["runbooks"], queryFn: () => dataOf(api.GET("/api/v1/runbooks")) });
  const { data: automationRules } = useQuery({ queryKey: ["automation-rules"], queryFn: () => dataOf(api.GET("/api/v1/automation-rules")) });
  const { data: analyticsRules } = useQuery({ queryKey: ["analytics-rules"], queryFn: () => dataOf(api.GET("/api/v1/analytics-rules")) });
  const { data: alerts } = useQuery({ queryKey: ["alerts"], queryFn: () => dataOf(api.GET("/api/v1/alerts")) });
  return [
    ...(machines ?? []).map((each) => ({ label: `${say("word.machine")} ${each.name}`, to: each.isolation_id ? `/containment/${each.isolation_id}` : "/machines" })),
    ...(isolations ?? []).map((each) => ({ label: `${say("palette.isolation")} ${each.number}: ${each.machine_name}`, to: `/containment/${each.isolation_id}` })),
    ...(incidents ?? []).map((each) => ({ label: `${say("word.incident")} ${each.number}: ${each.title}`, to: `/incidents/${each.incident_id}` })),
    ...(playbooks ?? []).map((each) => ({ label: `${say("palette.playbook")}: ${each.name}`, to: `/playbooks/${each.playbook_id}` })),
    ...(runbooks ?? []).map((each) => ({ label: `${say("jobs.runbook")}: ${each.name}`, to: `/runbooks/${encodeURIComponent(each.name)}` })),
    ...(automationRules ?? []).map((each) => ({ label: `${say("palette.automationRule")}: ${each.name}`, to: "/automation-rules" })),
    ...(analyticsRules ?? []).map((each) => ({ label: `${say("palette.analyticsRule")}: ${each.name}`, to: "/analytics-rules" })),
    ...(alerts ?? []).map((each) => ({ label: `${say("word.alert")} ${each.number}: ${each.title}, ${each.compromised_entity}`, to: `/alerts/${each.alert_id}` })),
    ...(runs ?? []).map((each) => ({ label: `${say("word.run")} ${each.number}: ${each.playbook_name}`, to: `/runs/${each.run_id}` })),
  ];
}

function useIncidents() {
  return useQuery({ queryKey: ["incidents"], queryFn: () => dataOf(api.GET("/api/v1/incidents")) });
}

/** Incidents one of whose alerts names an address, an account or anything else called so. */
function useIncidentsNaming(text: string): Goal[] {
  const say = useSay();
  const settled = useSettled(text);
  const { data: incidents } = useIncidents();
  const { data: answer } = useQuery({
    queryKey: ["palette", settled],
    queryFn: () => dataOf(api.POST("/api/v1/search", { body: { query: `${queryOf(settled)}\n| distinct SystemAlertId`, hours: 24 * DAYS, parameters: {}, row_limit: 1000, timeout_seconds: 10 } })),
    enabled: isNameOfTheirs(settled) && settled === text,
    retry: false,
  });
  const ids = new Set((answer?.rows ?? []).map(([id]) => String(id)));
  const naming = (incidents ?? []).filter((each) => each.alert_ids.some((id) => ids.has(id)));
  return naming.slice(0, MOST).map((each) => ({ label: say("palette.names", { number: each.number, text: settled }), to: `/incidents/${each.incident_id}` }));
}

/** A word that an alert may name; a bare number is one of ours. */
function isNameOfTheirs(text: string): boolean {
  return text.length >= SHORTEST && !/^\d+$/.test(text);
}

function queryOf(text: string): string {
  return `SecurityAlert\n| where Entities has ${JSON.stringify(text)}`;
}
