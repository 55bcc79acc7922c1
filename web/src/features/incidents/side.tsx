// The rail of an incident: the session that lives on, playbooks that fit, and who and what is in it.
import { Button } from "@fluentui/react-components";
import { Globe16Regular, Person16Regular, Play16Regular, Server16Regular } from "@fluentui/react-icons";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { type Schemas, api, dataOf } from "../../api/client";
import { useMay, useNow } from "../../api/session";
import { Refused } from "../../ui/refused";
import { moment } from "../../ui/time";
import { Verdict } from "../../ui/verdict";
import { useSay } from "../../ui/words";

type Incident = Schemas["IncidentDetail"];
const ICONS: Record<string, ReactNode> = { machine: <Server16Regular />, account: <Person16Regular />, address: <Globe16Regular /> };

export function Side({ incident }: { incident: Incident }) {
  const say = useSay();
  const now = useNow();
  const alive = incident.isolations.find((each) => each.live_sessions_cut === "failed" && each.state !== "released");
  return (
    <div>
      {alive && (
        <section className="lamp small" aria-labelledby="alive">
          <h2 id="alive">{say("overview.stillConnected", { machine: alive.machine_name })}</h2>
          <p className="quiet">{say("overview.stillConnectedNote", { machine: alive.machine_name, time: moment(alive.opened_at, now) })}</p>
          <Link to={`/containment/${alive.isolation_id}` as never} className="signal">{say("overview.openContainment")}</Link>
        </section>
      )}
      <Playbooks incident={incident} />
      <WhoAndWhat incident={incident} />
    </div>
  );
}

function Playbooks({ incident }: { incident: Incident }) {
  const say = useSay();
  const queries = useQueryClient();
  const { data } = useQuery({ queryKey: ["playbooks"], queryFn: () => dataOf(api.GET("/api/v1/playbooks")) });
  const mayRun = useMay("responder");
  const alert = incident.alerts.at(-1);
  const run = useMutation({
    mutationFn: (playbookId: string) => dataOf(api.POST("/api/v1/alerts/{alert_id}/runs", { params: { path: { alert_id: alert?.alert_id ?? "" } }, body: { playbook_id: playbookId } })),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["incident"] }),
  });
  return (
    <section className="card" aria-labelledby="suggested" style={{ marginBottom: 16 }}>
      <div className="card-head"><h2 id="suggested">{say("incidents.suggested")}</h2></div>
      {(data ?? []).filter((each) => each.starts_from_alerts).map((each) => (
        <div key={each.playbook_id} className="card-body row">
          <Link className="grow strong" to={`/playbooks/${each.playbook_id}` as never}>{each.name}</Link>
          {mayRun && <Button size="small" icon={<Play16Regular />} disabled={!alert || run.isPending} onClick={() => run.mutate(each.playbook_id)} aria-label={`${say("incidents.runPlaybook")}: ${each.name}`}>{say("incidents.runPlaybook")}</Button>}
        </div>
      ))}
      {run.data && <p className="card-body" role="status"><Link to={`/runs/${run.data.run_id}` as never}>{say("incidents.started", { number: run.data.number })}</Link></p>}
      <Refused error={run.error} place="card-body" />
    </section>
  );
}

function WhoAndWhat({ incident }: { incident: Incident }) {
  const say = useSay();
  const order = ["machine", "account", "address"];
  const entities = [...incident.entities].sort((left, right) => order.indexOf(left.kind) - order.indexOf(right.kind));
  const stateOf = (label: string) => incident.isolations.filter((each) => each.machine_name === label).at(-1);
  return (
    <section className="card" aria-labelledby="who">
      <div className="card-head"><h2 id="who">{say("incidents.who")}</h2><span className="note">{incident.entities.length}</span></div>
      {entities.map((each) => {
        const isolation = each.kind === "machine" ? stateOf(each.label) : undefined;
        return (
          <div key={`${each.kind}${each.label}`} className="row" style={{ padding: "6px 16px" }}>
            {ICONS[each.kind]}<span className={each.kind === "address" ? "mono grow" : "grow"}>{each.label}</span>
            {isolation && (isolation.state === "released" ? <Verdict word="released" /> : isolation.live_sessions_cut === "verified" ? <Verdict word="proved" text={say("word.isolated")} /> : <Verdict word="notProved" text={say(isolation.live_sessions_cut === "failed" ? "overview.sessionLives" : "word.isolated")} />)}
            {each.kind === "machine" && !isolation && <span className="note">{say("incidents.notIsolated")}</span>}
          </div>
        );
      })}
    </section>
  );
}
