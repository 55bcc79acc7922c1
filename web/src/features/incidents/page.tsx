// One incident: its timeline with our own acts in it, its graph, who and what, and what can be done.
import { Button } from "@fluentui/react-components";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import { Suspense, lazy, useState } from "react";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { useMay, useNow, useSession } from "../../api/session";
import { useCrumb } from "../../ui/crumb";
import { Refused } from "../../ui/refused";
import { Severity } from "../../ui/severity";
import { Loading, Shown } from "../../ui/states";
import { moment, since, span } from "../../ui/time";
import { Verdict, wordOfStatus } from "../../ui/verdict";
import { type Say, useSay } from "../../ui/words";
import { CloseDialog } from "./close-dialog";
import { Side } from "./side";
import { Timeline } from "./timeline";

export type Incident = Schemas["IncidentDetail"];
const GraphTab = lazy(() => import("./graph").then((module) => ({ default: module.GraphTab })));
const TABS = ["timeline", "graph", "entities", "runs"] as const;

export function IncidentPage() {
  const { id = "" } = useParams({ strict: false }) as { id?: string };
  const asked = useQuery({
    queryKey: ["incident", id],
    queryFn: () => dataOf(api.GET("/api/v1/incidents/{incident_id}", { params: { path: { incident_id: id } } })),
  });
  return <Shown asked={asked} rows={8}>{(found) => <Body incident={found} />}</Shown>;
}

function Body({ incident }: { incident: Incident }) {
  const say = useSay();
  useCrumb(`${say("word.incident")} ${incident.number}`);
  const { tab = "timeline" } = useSearch({ strict: false }) as { tab?: string };
  return (
    <div className="record">
      <Head incident={incident} tab={tab} />
      <div className="record-body">
        {tab === "graph" ? <Suspense fallback={<Loading rows={8} />}><GraphTab incident={incident} /></Suspense> : (
          <div className="columns incident">
            <div>
              {tab === "timeline" && <Timeline incident={incident} />}
              {tab === "entities" && <Entities incident={incident} />}
              {tab === "runs" && <Runs incident={incident} />}
            </div>
            <Side incident={incident} />
          </div>
        )}
      </div>
    </div>
  );
}

function Head({ incident, tab }: { incident: Incident; tab: string }) {
  const say = useSay();
  const now = useNow();
  const { me } = useSession();
  const queries = useQueryClient();
  const mayAct = useMay("responder");
  const [isClosing, setClosing] = useState(false);
  const change = useAct({
    mutationFn: (body: Schemas["IncidentChange"]) => dataOf(api.PATCH("/api/v1/incidents/{incident_id}", { params: { path: { incident_id: incident.incident_id } }, body })),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["incident"] }),
  });
  const machines = incident.entities.filter((each) => each.kind === "machine").map((each) => each.label);
  const counts: Record<string, number | undefined> = { entities: incident.entities.length, runs: incident.runs.length };
  return (
    <div className="record-head">
      <div className="row">
        <Severity value={incident.severity} solid />
        <h1 className="grow">{incident.title}</h1>
        {mayAct && incident.status === "New" && <Button onClick={() => change.mutate({ status: "Active", owner: me?.name ?? null })}>{say("incidents.take")}</Button>}
        {mayAct && incident.status === "Closed" && <Button onClick={() => change.mutate({ status: "Active" })}>{say("incidents.reopen")}</Button>}
        {mayAct && incident.status !== "Closed" && <Button onClick={() => setClosing(true)}>{say("incidents.close")}</Button>}
      </div>
      <Refused error={change.error} />
      <dl className="record-facts">
        <div><dt>{say("word.status")}</dt><dd>{say(`incidents.status.${incident.status}`)}</dd></div>
        <div><dt>{say("incidents.owner")}</dt><dd>{incident.owner ?? say("incidents.nobody")}</dd></div>
        <div><dt>{say("incidents.opened")}</dt><dd>{moment(incident.created_at, now)}{!incident.closed_at && `, ${since(incident.created_at, now)}`}</dd></div>
        {incident.closed_at && <div><dt>{say("incidents.status.Closed")}</dt><dd>{moment(incident.closed_at, now)}, {say("incidents.wasOpen", { span: since(incident.created_at, new Date(incident.closed_at)) })}</dd></div>}
        <div><dt>{say("incidents.machines")}</dt><dd>{machines.join(", ") || say("word.none")}</dd></div>
        <div><dt>{say("incidents.classification")}</dt><dd>{verdictOf(incident, say) || <span className="note">{say("incidents.askedWhenClosed")}</span>}</dd></div>
        {incident.classification_comment && <div className="told"><dt>{say("word.reason")}</dt><dd className="cut" title={incident.classification_comment}>{incident.classification_comment}</dd></div>}
      </dl>
      <nav className="tabs" aria-label={say("word.incident")}>
        {TABS.map((each) => <Link key={each} to={`/incidents/${incident.incident_id}` as never} search={{ tab: each } as never} aria-current={tab === each ? "page" : undefined}>{say(`incidents.${each}`)} {counts[each] ?? ""}</Link>)}
      </nav>
      {isClosing && <CloseDialog incident={incident} close={() => setClosing(false)} />}
    </div>
  );
}

/** What it turned out to be, once it is closed: true positive, suspicious activity. */
function verdictOf(incident: Incident, say: Say): string {
  const keys = [incident.classification && `incidents.is.${incident.classification}`, incident.classification_reason && `incidents.for.${incident.classification_reason}`];
  return keys.filter(Boolean).map((key) => say(String(key))).join(", ");
}

function Entities({ incident }: { incident: Incident }) {
  const say = useSay();
  return (
    <section className="card" aria-label={say("incidents.entities")}>
      {incident.entities.map((each) => (
        <div key={`${each.kind}${each.label}`} className="card-body" style={{ borderBottom: "1px solid var(--gsLine)" }}>
          <span className="note">{each.kind}</span> <span className="strong">{each.label}</span>
          <div className="mono note">{Object.entries(each.details).filter(([, value]) => typeof value === "string").map(([name, value]) => `${name}: ${String(value)}`).join("  ")}</div>
        </div>
      ))}
    </section>
  );
}

function Runs({ incident }: { incident: Incident }) {
  const say = useSay();
  const now = useNow();
  return (
    <section className="card" aria-label={say("incidents.runs")}>
      {incident.runs.map((run) => (
        <div key={run.run_id} className="card-body row">
          <Link to={`/runs/${run.run_id}` as never}>{say("word.run")} {run.number}</Link><span className="grow">{run.playbook_name}</span>
          <span className="note">{moment(run.accepted_at, now)}{run.milliseconds !== null && `, ${span(run.milliseconds)}`}</span><Verdict word={wordOfStatus(run.status)} />
        </div>
      ))}
      {incident.runs.length === 0 && <p className="card-body note">{say("word.none")}</p>}
    </section>
  );
}
