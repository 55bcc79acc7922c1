// Where a page stands: its crumbs in the top bar, and the title of its window.
import { useRouterState } from "@tanstack/react-router";
import { useEffect } from "react";
import { useLastCrumb } from "../ui/crumb";
import { useSay } from "../ui/words";

const CRUMBS: Record<string, [string, string][]> = {
  alerts: [["nav.incidents", "/incidents"], ["crumb.alerts", "/alerts"]], incidents: [["nav.incidents", "/incidents"]],
  playbooks: [["nav.playbooks", "/playbooks"]], runs: [["nav.playbooks", "/playbooks"], ["crumb.runs", "/runs"]],
  "automation-rules": [["nav.playbooks", "/playbooks"], ["crumb.automationRules", "/automation-rules"]],
  runbooks: [["nav.playbooks", "/playbooks"], ["crumb.runbooks", "/runbooks"]], jobs: [["nav.playbooks", "/playbooks"], ["crumb.runbooks", "/runbooks"]],
  containment: [["nav.containment", "/containment"]], machines: [["nav.machines", "/machines"]], logs: [["nav.logs", "/logs"]],
  "analytics-rules": [["nav.logs", "/logs"], ["crumb.analyticsRules", "/analytics-rules"]], admin: [["nav.admin", "/admin"]], "": [["nav.overview", "/"]],
  "sign-in": [["signIn.title", "/sign-in"]],
};

/** The places above the page as key and address, the nearest last; none for an address that is no page of ours. */
export function useCrumbs(): [string, string][] {
  const path = useRouterState({ select: (state) => state.location.pathname });
  return CRUMBS[path.split("/")[1] ?? ""] ?? [];
}

/** "Incident 1042 - Guardship": the record that is shown, else the place. */
export function useTitle(): void {
  const say = useSay();
  const record = useLastCrumb();
  const place = useCrumbs().at(-1)?.[0] ?? "state.notFound";
  const title = `${record || say(place)} - Guardship`;
  useEffect(() => {
    document.title = title;
  }, [title]);
}
