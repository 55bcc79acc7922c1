// Admin: what waits for consent, who may come in, and what was done.
import { useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { type Schemas, api, dataOf } from "../../api/client";
import { useNow } from "../../api/session";
import { type Column, Grid } from "../../ui/grid";
import { Shown } from "../../ui/states";
import { moment } from "../../ui/time";
import { useSay } from "../../ui/words";
import { Approvals } from "./approvals";
import { Tokens } from "./tokens";
import { Users } from "./users";

const TABS = ["approvals", "audit", "access", "tokens"] as const;

export function AdminPage() {
  const say = useSay();
  const { tab = "approvals" } = useSearch({ strict: false }) as { tab?: string };
  return (
    <>
      <h1>{say("admin.title")}</h1>
      <nav className="tabs" aria-label={say("admin.title")} style={{ marginBottom: 16 }}>
        {TABS.map((each) => <Link key={each} to={"/admin" as never} search={{ tab: each } as never} aria-current={tab === each ? "page" : undefined}>{say(`admin.${each}`)}</Link>)}
      </nav>
      {tab === "approvals" && <Approvals />}
      {tab === "audit" && <Audit />}
      {tab === "access" && <Users />}
      {tab === "tokens" && <Tokens />}
    </>
  );
}

function Audit() {
  const say = useSay();
  const now = useNow();
  const asked = useQuery({ queryKey: ["audit"], queryFn: () => dataOf(api.GET("/api/v1/audit")) });
  const { data: verdict } = useQuery({ queryKey: ["audit", "verification"], queryFn: () => dataOf(api.GET("/api/v1/audit/verification")) });
  const columns: Column<Schemas["Entry"]>[] = [
    { key: "number", title: "#", width: 70, isNumber: true, cell: (each) => each.number },
    { key: "at", title: say("word.time"), width: 140, cell: (each) => <span className="mono">{moment(each.at, now)}</span> },
    { key: "who", title: say("admin.who"), width: 200, cell: (each) => each.who },
    { key: "act", title: say("admin.act"), width: 200, cell: (each) => <span className="mono">{each.act}</span> },
    { key: "subject", title: say("admin.subject"), cell: (each) => <span title={each.subject}>{each.subject.startsWith("/") ? each.subject.split("/").at(-1) : each.subject}</span> },
    { key: "detail", title: say("admin.detail"), cell: (each) => <Detail of={each.detail} /> },
  ];
  return (
    <>
      {verdict && <p className={verdict.is_whole ? "tone-ok" : "tone-bad"} role="status">{verdict.is_whole ? say("admin.chain", { count: verdict.entry_count }) : say("admin.broken", { reason: verdict.reason })}</p>}
      <Shown asked={asked} rows={8}>{(found) => <div className="card"><Grid label={say("admin.audit")} columns={columns} rows={found} idOf={(each) => String(each.number)} /></div>}</Shown>
    </>
  );
}

/** What an entry says beside its subject; the reason first, if there is one. */
function Detail({ of }: { of: Record<string, unknown> }) {
  const { reason, ...rest } = of;
  const text = [reason, ...Object.entries(rest).map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`)].filter(Boolean).join(", ");
  return <span className="note" title={text}>{text}</span>;
}
