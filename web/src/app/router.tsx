// Every address of the console; each page comes when it is asked for.
import { Outlet, createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { useTitle } from "./crumbs";
import { NotFoundPage } from "./not-found";
import { Shell } from "./shell";

const root = createRootRoute({ component: Root, notFoundComponent: NotFoundPage });
const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: (search: Record<string, unknown>): { link?: string; next?: string } => ({
    ...(typeof search.link === "string" ? { link: search.link } : {}),
    ...(typeof search.next === "string" ? { next: search.next } : {}),
  }),
  component: lazyRouteComponent(() => import("../features/session/page"), "SignInPage"),
});
const inside = createRoute({ getParentRoute: () => root, id: "inside", component: Shell });

/** What stands around every page, whoever is signed in. */
function Root() {
  useTitle();
  return <Outlet />;
}

type Search = { tab?: string; action?: string; machine?: string; incident?: string; q?: string; node?: string; view?: string };

function page(path: string, load: () => Promise<Record<string, unknown>>, name: string) {
  return createRoute({
    getParentRoute: () => inside,
    path,
    validateSearch: (search: Record<string, unknown>): Search => {
      const kept: Search = {};
      for (const key of ["tab", "action", "machine", "incident", "q", "node", "view"] as const) {
        if (typeof search[key] === "string") kept[key] = search[key];
      }
      return kept;
    },
    component: lazyRouteComponent(load as () => Promise<Record<string, never>>, name as never),
  });
}

const pages = [
  page("/", () => import("../features/overview/page"), "OverviewPage"),
  page("/alerts", () => import("../features/alerts/list"), "AlertsPage"),
  page("/alerts/$id", () => import("../features/alerts/page"), "AlertPage"),
  page("/incidents", () => import("../features/incidents/list"), "IncidentsPage"),
  page("/incidents/$id", () => import("../features/incidents/page"), "IncidentPage"),
  page("/playbooks", () => import("../features/playbooks/list"), "PlaybooksPage"),
  page("/playbooks/$id", () => import("../features/playbooks/page"), "PlaybookPage"),
  page("/automation-rules", () => import("../features/automation/rules"), "AutomationRulesPage"),
  page("/analytics-rules", () => import("../features/search/rules"), "AnalyticsRulesPage"),
  page("/runs", () => import("../features/runs/page"), "RunsPage"),
  page("/runs/$id", () => import("../features/runs/page"), "RunPage"),
  page("/runbooks", () => import("../features/jobs/runbooks"), "RunbooksPage"),
  page("/runbooks/$name", () => import("../features/jobs/runbook-page"), "RunbookPage"),
  page("/jobs/$id", () => import("../features/jobs/page"), "JobPage"),
  page("/containment", () => import("../features/isolations/page"), "ContainmentPage"),
  page("/containment/$id", () => import("../features/isolations/page"), "ContainmentPage"),
  page("/machines", () => import("../features/machines/page"), "MachinesPage"),
  page("/logs", () => import("../features/search/page"), "LogsPage"),
  page("/admin", () => import("../features/admin/page"), "AdminPage"),
];
const oldName = createRoute({
  getParentRoute: () => root,
  path: "/overview",
  beforeLoad: () => {
    throw redirect({ to: "/" });
  },
});

export const router = createRouter({
  routeTree: root.addChildren([signIn, oldName, inside.addChildren(pages)]),
  defaultPreload: "intent",
  scrollRestoration: true,
});
