// Leases that run, each with its findings apart.
import { PlugDisconnected16Regular } from "@fluentui/react-icons";
import { Link } from "@tanstack/react-router";
import type { Schemas } from "../../api/client";
import { countdown, minute } from "../../ui/time";
import { Verdict, wordOfFinding } from "../../ui/verdict";
import { useSay } from "../../ui/words";

type Isolation = Schemas["IsolationOut"];

export function InForce({ isolations, now }: { isolations: Isolation[]; now: Date }) {
  const say = useSay();
  return (
    <section className="card" aria-labelledby="in-force">
      <div className="card-head"><h2 id="in-force">{say("overview.inForce")}</h2><Link to={"/containment" as never}>{say("word.all")}</Link></div>
      {isolations.length === 0 && <p className="card-body note">{say("word.none")}</p>}
      {isolations.map((each) => <Lease key={each.isolation_id} isolation={each} now={now} />)}
    </section>
  );
}

function Lease({ isolation, now }: { isolation: Isolation; now: Date }) {
  const say = useSay();
  const whole = new Date(isolation.lease_ends_at).getTime() - new Date(isolation.opened_at).getTime();
  const left = Math.max(0, new Date(isolation.lease_ends_at).getTime() - now.getTime());
  return (
    <div className="card-body lease">
      <div className="row">
        <PlugDisconnected16Regular />
        <Link to={`/containment/${isolation.isolation_id}` as never} className="strong">{isolation.machine_name}</Link>
        <span className="note">{say("overview.until", { time: minute(isolation.lease_ends_at, now) })}</span>
        {isolation.is_simulated && <span className="tone-warn">{say("word.simulated")}</span>}
        <span className="grow" />
        <span className="strong">{countdown(isolation.lease_ends_at, now)}</span>
      </div>
      <div className="bar" style={{ margin: "6px 0" }}><i style={{ width: `${whole > 0 ? (100 * left) / whole : 0}%` }} /></div>
      <div className="row wrap" style={{ justifyContent: "space-between" }}>
        <Verdict word={wordOfFinding("new_connections_blocked", isolation.new_connections_blocked)} text={say("finding.new_connections_blocked")} />
        <Verdict word={wordOfFinding("live_sessions_cut", isolation.live_sessions_cut)} text={isolation.live_sessions_cut === "failed" ? say("overview.sessionLives") : say("finding.live_sessions_cut")} />
      </div>
    </div>
  );
}
