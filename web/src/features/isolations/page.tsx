// Containment: every isolation with its three findings apart, and the chosen one with its evidence, lease and way back.
import { Button } from "@fluentui/react-components";
import { PlugDisconnected20Regular } from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { type Schemas, api, dataOf } from "../../api/client";
import { useNow } from "../../api/session";
import { type Column, Grid } from "../../ui/grid";
import { Empty, Shown } from "../../ui/states";
import { countdown, moment } from "../../ui/time";
import { Verdict, wordOfFinding } from "../../ui/verdict";
import { useSay } from "../../ui/words";
import { Detail } from "./detail";
import { IsolateDialog } from "./isolate-dialog";
import { ReleaseDialog } from "./release-dialog";

type Isolation = Schemas["IsolationOut"];
const OPEN = ["applying", "isolated", "releasing", "drifted"];

export function ContainmentPage() {
  const asked = useQuery({ queryKey: ["isolations"], queryFn: () => dataOf(api.GET("/api/v1/isolations")) });
  return <Shown asked={asked} rows={6}>{(found) => <Body isolations={found} />}</Shown>;
}

function Body({ isolations }: { isolations: Isolation[] }) {
  const say = useSay();
  const navigate = useNavigate();
  const { id } = useParams({ strict: false }) as { id?: string };
  const { machine } = useSearch({ strict: false }) as { machine?: string }; // a page that names it asks for the dialog
  const [isIsolating, setIsolating] = useState(machine !== undefined);
  const [releasing, setReleasing] = useState<string | null>(null);
  const open = isolations.filter((each) => OPEN.includes(each.state));
  const unproved = open.filter((each) => each.new_connections_blocked !== "verified" || each.live_sessions_cut !== "verified");
  const { data: waiting } = useQuery({ queryKey: ["approvals", "waiting"], queryFn: () => dataOf(api.GET("/api/v1/approvals", { params: { query: { waiting: true } } })) });
  const chosen = isolations.find((each) => each.isolation_id === id) ?? open[0] ?? isolations[0];
  return (
    <>
      <div className="page-head">
        <div className="grow">
          <h1>{say("containment.title")}</h1>
          <div className="facts"><span>{say(open.length === 1 ? "containment.factOne" : "containment.facts", { isolated: open.length, unproved: unproved.length })}</span>
            {(waiting?.length ?? 0) > 0 && <Link to={"/admin" as never} search={{ tab: "approvals" } as never}>{say(waiting?.length === 1 ? "containment.waitsOne" : "containment.waits", { count: waiting?.length ?? 0 })}</Link>}</div>
        </div>
        <Button icon={<PlugDisconnected20Regular />} onClick={() => setIsolating(true)}>{say("containment.isolate")}</Button>
      </div>
      {isolations.length === 0 ? <Empty text={say("containment.none")} /> : (
        <div className="card">
          <Grid
            label={say("containment.title")} columns={useColumns()} rows={isolations} idOf={(each) => each.isolation_id} from="/api/v1/isolations" selected={chosen?.isolation_id}
            open={(each) => void navigate({ to: `/containment/${each.isolation_id}` as never })}
          />
        </div>
      )}
      {chosen && <Detail key={chosen.isolation_id} id={chosen.isolation_id} release={() => setReleasing(chosen.isolation_id)} />}
      {isIsolating && <IsolateDialog first={machine} close={() => setIsolating(false)} />}
      {releasing && <ReleaseDialog id={releasing} close={() => setReleasing(null)} />}
    </>
  );
}

function useColumns(): Column<Isolation>[] {
  const say = useSay();
  const now = useNow();
  const isOpen = (each: Isolation) => OPEN.includes(each.state);
  return [
    { key: "machine", title: say("word.machine"), width: 130, cell: (each) => <span className="strong">{each.machine_name}</span> },
    { key: "state", title: say("word.state"), width: 200, keep: true, cell: (each) => <StateOf isolation={each} /> },
    { key: "new", title: say("containment.newConnections"), width: 150, keep: true, cell: (each) => isOpen(each) && <Verdict word={wordOfFinding("new_connections_blocked", each.new_connections_blocked)} /> },
    { key: "live", title: say("containment.sessions"), width: 150, keep: true, cell: (each) => isOpen(each) && <Verdict word={wordOfFinding("live_sessions_cut", each.live_sessions_cut)} /> },
    { key: "identity", title: say("containment.identity"), width: 150, keep: true, cell: (each) => isOpen(each) && <Verdict word={wordOfFinding("metadata_service_blocked", each.metadata_service_blocked)} /> },
    { key: "since", title: say("word.since"), width: 120, cell: (each) => <span className="mono">{moment(each.opened_at, now)}</span> },
    { key: "by", title: say("word.by"), cell: (each) => <By isolation={each} /> },
    { key: "lease", title: say("containment.lease"), width: 150, isNumber: true, cell: (each) => (isOpen(each) ? <span className="strong">{countdown(each.lease_ends_at, now)}</span> : <span className="note">{each.ended_at ? moment(each.ended_at, now) : ""}</span>) },
  ];
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
