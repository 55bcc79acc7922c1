// Containment: every isolation with its three findings apart, and the chosen one with its evidence, lease and way back.
import { Button } from "@fluentui/react-components";
import { PlugDisconnected20Regular } from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { type Schemas, api, dataOf } from "../../api/client";
import { useMay, useNow } from "../../api/session";
import { isOfContainment } from "../../api/waiting";
import { useCrumb } from "../../ui/crumb";
import { type Column, Grid } from "../../ui/grid";
import { Empty, Shown } from "../../ui/states";
import { countdown, moment } from "../../ui/time";
import { Verdict, wordOfFinding } from "../../ui/verdict";
import { useSay } from "../../ui/words";
import { Detail } from "./detail";
import { IsolateDialog } from "./isolate-dialog";
import { ReleaseDialog } from "./release-dialog";

type Isolation = Schemas["IsolationOut"];
type Approval = Schemas["ApprovalOut"];
/** An isolation, or one that waits for consent. */
type Row = { isolation: Isolation; approval?: undefined } | { isolation?: undefined; approval: Approval };
const OPEN = ["applying", "isolated", "releasing", "drifted"];

export function ContainmentPage() {
  const asked = useQuery({ queryKey: ["isolations"], queryFn: () => dataOf(api.GET("/api/v1/isolations")) });
  return <Shown asked={asked} rows={6}>{(found) => <Body isolations={found} />}</Shown>;
}

function Body({ isolations }: { isolations: Isolation[] }) {
  const say = useSay();
  const mayAct = useMay("responder");
  const columns = useColumns();
  const navigate = useNavigate();
  const { id } = useParams({ strict: false }) as { id?: string };
  const { machine, incident } = useSearch({ strict: false }) as { machine?: string; incident?: string }; // a page that names it asks for the dialog
  const [isIsolating, setIsolating] = useState(machine !== undefined);
  const [releasing, setReleasing] = useState<string | null>(null);
  const open = isolations.filter((each) => OPEN.includes(each.state));
  const unproved = open.filter((each) => each.new_connections_blocked !== "verified" || each.live_sessions_cut !== "verified");
  const { data: approvals } = useQuery({ queryKey: ["approvals", "waiting"], queryFn: () => dataOf(api.GET("/api/v1/approvals", { params: { query: { waiting: true } } })) });
  const waiting = (approvals ?? []).filter(isOfContainment);
  const ended = isolations.filter((each) => !OPEN.includes(each.state));
  const rows: Row[] = [...open.map((isolation) => ({ isolation })), ...waiting.map((approval) => ({ approval })), ...ended.map((isolation) => ({ isolation }))];
  const chosen = isolations.find((each) => each.isolation_id === id) ?? open[0] ?? isolations[0];
  useCrumb(id && chosen ? chosen.machine_name : "");
  const go = ({ isolation }: Row) => void navigate(isolation ? { to: `/containment/${isolation.isolation_id}` as never } : { to: "/admin" as never, search: { tab: "approvals" } as never });
  return (
    <>
      <div className="page-head">
        <div className="grow">
          <h1>{say("containment.title")}</h1>
          <div className="facts"><span>{open.length === 0 ? say("containment.noneNow") : say("containment.facts", { count: open.length, unproved: unproved.length })}</span>
            {waiting.length > 0 && <Link to={"/admin" as never} search={{ tab: "approvals" } as never}>{say("containment.waits", { count: waiting.length })}</Link>}</div>
        </div>
        {mayAct && <Button icon={<PlugDisconnected20Regular />} onClick={() => setIsolating(true)}>{say("containment.isolate")}</Button>}
      </div>
      {rows.length === 0 ? <Empty text={say("containment.none")} /> : (
        <div className="card">
          <Grid
            label={say("containment.title")} columns={columns} rows={rows} idOf={idOf} from="/api/v1/isolations" selected={chosen?.isolation_id} open={go}
          />
        </div>
      )}
      {chosen && <Detail key={chosen.isolation_id} id={chosen.isolation_id} release={() => setReleasing(chosen.isolation_id)} />}
      {mayAct && isIsolating && <IsolateDialog first={machine} incident={incident} close={() => setIsolating(false)} />}
      {releasing && <ReleaseDialog id={releasing} close={() => setReleasing(null)} />}
    </>
  );
}

function idOf({ isolation, approval }: Row): string {
  return isolation ? isolation.isolation_id : approval.approval_id;
}

function useColumns(): Column<Row>[] {
  const say = useSay();
  const now = useNow();
  return [
    { key: "machine", title: say("word.machine"), width: 130, cell: ({ isolation, approval }) => <span className="strong">{isolation ? isolation.machine_name : String(approval.detail.machine ?? "")}</span> },
    { key: "state", title: say("word.state"), width: 200, keep: true, cell: ({ isolation, approval }) => (isolation ? <StateOf isolation={isolation} /> : <span title={approval.title}><Verdict word="waiting" text={say(`${approval.kind}.asks`)} /></span>) },
    { key: "new", title: say("containment.newConnections"), width: 150, keep: true, cell: (row) => <FindingOf row={row} name="new_connections_blocked" /> },
    { key: "live", title: say("containment.sessions"), width: 150, keep: true, cell: (row) => <FindingOf row={row} name="live_sessions_cut" /> },
    { key: "identity", title: say("containment.identity"), width: 150, keep: true, cell: (row) => <FindingOf row={row} name="metadata_service_blocked" /> },
    { key: "since", title: say("word.since"), width: 120, cell: ({ isolation }) => isolation && <span className="mono">{moment(isolation.opened_at, now)}</span> },
    { key: "by", title: say("word.by"), cell: ({ isolation, approval }) => (isolation ? <By isolation={isolation} /> : approval.asked_by) },
    { key: "lease", title: say("containment.lease"), width: 150, isNumber: true, cell: (row) => <LeaseOf row={row} now={now} /> },
  ];
}

function FindingOf({ row: { isolation, approval }, name }: { row: Row; name: "new_connections_blocked" | "live_sessions_cut" | "metadata_service_blocked" }) {
  const say = useSay();
  if (approval) return approval.kind === "containment.isolate" && <span className="note">{say("containment.notYet")}</span>;
  return OPEN.includes(isolation.state) && <Verdict word={wordOfFinding(name, isolation[name])} />;
}

function LeaseOf({ row: { isolation, approval }, now }: { row: Row; now: Date }) {
  const say = useSay();
  if (approval) return <span className="note">{say("containment.askedAt", { time: moment(approval.asked_at, now) })}</span>;
  if (OPEN.includes(isolation.state)) return <span className="strong">{countdown(isolation.lease_ends_at, now)}</span>;
  return <span className="note">–</span>;
}

function By({ isolation }: { isolation: Isolation }) {
  const name = String(isolation.opened_by.name);
  return isolation.run_id && isolation.opened_by.kind === "playbook" ? <Link to={`/runs/${isolation.run_id}` as never} onClick={(event) => event.stopPropagation()}>{name}</Link> : <>{name}</>;
}

function StateOf({ isolation }: { isolation: Isolation }) {
  const say = useSay();
  const isProved = isolation.new_connections_blocked === "verified" && isolation.live_sessions_cut === "verified";
  if (isolation.state === "released") return <Verdict word="released" />;
  if (isolation.state === "failed") return <Verdict word="failed" />;
  if (isolation.state === "drifted") return <Verdict word="open" text={say("containment.drifted")} />;
  if (isolation.state === "applying") return <Verdict word="running" text={say("containment.applying")} />;
  return isProved ? <Verdict word="proved" text={say("containment.isolatedProved")} /> : <Verdict word="notProved" text={say("containment.isolatedNot")} />;
}
