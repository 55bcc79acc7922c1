// The rail of an incident: the session that lives on, playbooks that fit, and who and what is in it.
import { Globe16Regular, Person16Regular, Server16Regular } from "@fluentui/react-icons";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Schemas } from "../../api/client";
import { RunPlaybook } from "../../api/run-playbook";
import { useNow } from "../../api/session";
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
      <RunPlaybook title={say("incidents.suggested")} alert={incident.alerts.at(-1)} />
      <WhoAndWhat incident={incident} />
    </div>
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
