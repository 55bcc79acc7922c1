// Where I am, what I look for, what is isolated, whether this is live, and who I am.
import { Avatar, Menu, MenuDivider, MenuItemRadio, MenuItem, MenuList, MenuPopover, MenuTrigger } from "@fluentui/react-components";
import { PlugDisconnected20Regular, Search20Regular } from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import { Link, useRouterState } from "@tanstack/react-router";
import { api, dataOf } from "../api/client";
import { useNews } from "../api/news";
import { useNow, useSession } from "../api/session";
import { clock } from "../ui/time";
import { useSay } from "../ui/words";
import { type Scheme, useAppearance } from "./appearance";
import { openPalette } from "./palette";

const CRUMBS: Record<string, [string, string][]> = {
  alerts: [["nav.incidents", "/incidents"], ["crumb.alerts", "/alerts"]], incidents: [["nav.incidents", "/incidents"]],
  playbooks: [["nav.playbooks", "/playbooks"]], runs: [["nav.playbooks", "/playbooks"], ["crumb.runs", "/runs"]],
  "automation-rules": [["nav.playbooks", "/playbooks"], ["crumb.automationRules", "/automation-rules"]],
  runbooks: [["nav.playbooks", "/playbooks"], ["crumb.runbooks", "/runbooks"]], jobs: [["nav.playbooks", "/playbooks"], ["crumb.runbooks", "/runbooks"]],
  containment: [["nav.containment", "/containment"]], machines: [["nav.machines", "/machines"]], logs: [["nav.logs", "/logs"]],
  "analytics-rules": [["nav.logs", "/logs"], ["crumb.analyticsRules", "/analytics-rules"]], admin: [["nav.admin", "/admin"]], "": [["nav.overview", "/"]],
};

export function TopBar() {
  const say = useSay();
  const { isLive } = useNews();
  const now = useNow();
  const path = useRouterState({ select: (state) => state.location.pathname });
  const crumbs = CRUMBS[path.split("/")[1] ?? ""] ?? [];
  return (
    <header className="top">
      <nav className="crumbs" aria-label="Breadcrumb">
        {crumbs.map(([key, to], index) => (
          <span key={to} className="row">
            {index > 0 && <span className="note">›</span>}
            <Link to={to as never} aria-current={to === path ? "page" : undefined}>{say(key)}</Link>
          </span>
        ))}
      </nav>
      <span className="grow" />
      <button type="button" className="find" onClick={openPalette}><Search20Regular /> {say("top.find")} <kbd>Ctrl K</kbd></button>
      <Isolated />
      <span className="row"><i className={`live-dot ${isLive ? "" : "stale"}`} />{say(isLive ? "top.live" : "top.stale")} · {clock(now)} UTC</span>
      <You />
    </header>
  );
}

function Isolated() {
  const say = useSay();
  const { data } = useQuery({
    queryKey: ["isolations", "open"],
    queryFn: () => dataOf(api.GET("/api/v1/isolations", { params: { query: { open_only: true } } })),
  });
  if (!data || data.length === 0) return null;
  return <Link to={"/containment" as never} className="row strong"><PlugDisconnected20Regular /> {say("top.isolated", { count: data.length })}</Link>;
}

function You() {
  const say = useSay();
  const { me, leave } = useSession();
  const { scheme, setScheme, language, setLanguage } = useAppearance();
  return (
    <Menu checkedValues={{ scheme: [scheme], language: [language] }} onCheckedValueChange={(_, { name, checkedItems }) => {
      if (name === "scheme") setScheme(checkedItems[0] as Scheme);
      if (name === "language") setLanguage(checkedItems[0] ?? "en");
    }}>
      <MenuTrigger disableButtonEnhancement>
        <button type="button" className="plain" aria-label={`${say("top.account")}: ${me?.display_name ?? ""}`}><Avatar name={me?.display_name} size={28} color="brand" aria-hidden /></button>
      </MenuTrigger>
      <MenuPopover>
        <MenuList>
          {(["system", "light", "dark"] as const).map((value) => <MenuItemRadio key={value} name="scheme" value={value}>{say(`theme.${value}`)}</MenuItemRadio>)}
          <MenuDivider />
          <MenuItemRadio name="language" value="en">English</MenuItemRadio>
          <MenuItemRadio name="language" value="de">Deutsch</MenuItemRadio>
          <MenuDivider />
          <MenuItem onClick={() => void leave()}>{say("top.signOut")}</MenuItem>
        </MenuList>
      </MenuPopover>
    </Menu>
  );
}
