// One isolation: three findings, each with the probes behind it; how it went; lease and way back.
import { Button } from "@fluentui/react-components";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { useMay, useNow } from "../../api/session";
import { Shown } from "../../ui/states";
import { countdown, moment, span } from "../../ui/time";
import { Verdict, wordOfFinding } from "../../ui/verdict";
import { type Say, useSay } from "../../ui/words";
import { ExtendDialog } from "./extend-dialog";
import { RestartDialog } from "./restart-dialog";

type Isolation = Schemas["IsolationDetail"];
type Probe = Schemas["ProbeOut"];
const FINDINGS = ["new_connections_blocked", "live_sessions_cut", "metadata_service_blocked"] as const;
const ORDER = ["tcp_in", "tcp_out", "udp_out", "dns_out", "ipv6_out", "metadata", "live_session", "control"];
const OPEN = ["applying", "isolated", "releasing", "drifted"];

export function Detail({ id, release }: { id: string; release: () => void }) {
  const asked = useQuery({
    queryKey: ["isolation", id],
    queryFn: () => dataOf(api.GET("/api/v1/isolations/{isolation_id}", { params: { path: { isolation_id: id } } })),
    refetchInterval: 10_000,
  });
  return <Shown asked={asked} rows={8}>{(found) => <Body isolation={found} release={release} />}</Shown>;
}

function Body({ isolation, release }: { isolation: Isolation; release: () => void }) {
  const say = useSay();
  const isOpen = OPEN.includes(isolation.state);
  return (
    <section aria-label={isolation.machine_name}>
      <div className="page-head" style={{ margin: "16px 0 12px" }}>
        <h2 className="grow section">{isolation.machine_name} {isolation.is_simulated && <span className="tone-warn">{say("word.simulated")}</span>}</h2>
        <span className="row">
          {isolation.incident_id && <Link to={`/incidents/${isolation.incident_id}` as never}>{say("word.incident")}</Link>}
          {isolation.run_id && <Link to={`/runs/${isolation.run_id}` as never}>{say("word.run")}</Link>}
          <Link to={"/admin" as never} search={{ tab: "audit" } as never}>{say("containment.auditNote")}</Link>
        </span>
      </div>
      <div className="columns three">
        <Finding isolation={isolation} name="new_connections_blocked" />
        <div>
          <Finding isolation={isolation} name="live_sessions_cut" />
          <Finding isolation={isolation} name="metadata_service_blocked" />
          {isOpen && <HowItWent isolation={isolation} />}
        </div>
        {isOpen ? <div><Lease isolation={isolation} /><WayBack isolation={isolation} release={release} /></div> : <HowItWent isolation={isolation} />}
      </div>
    </section>
  );
}

function Finding({ isolation, name }: { isolation: Isolation; name: (typeof FINDINGS)[number] }) {
  const say = useSay();
  const now = useNow();
  const mayAct = useMay("responder");
  const word = wordOfFinding(name, isolation[name]);
  const isOver = !OPEN.includes(isolation.state);
  const tone = isOver ? "" : word === "proved" ? "tone-ok" : isolation[name] === "failed" ? "tone-bad" : "tone-warn";
  const latest = latestProbes(isolation.probes, name);
  const queries = useQueryClient();
  const again = useAct({
    mutationFn: () => dataOf(api.POST("/api/v1/isolations/{isolation_id}/verify", { params: { path: { isolation_id: isolation.isolation_id } } })),
    onSuccess: (found) => queries.setQueryData(["isolation", isolation.isolation_id], found),
  });
  return (
    <section className={`card finding ${tone}`} aria-label={say(`finding.${name}`)}>
      <div className="finding-head"><h3>{say(`finding.${name}`)}</h3><span className="grow" />{!isOver && <Verdict word={word} pill />}
      <p className="note">{isolation.verified_at ? say(isOver ? "containment.probedBefore" : "containment.probed", { time: moment(isolation.verified_at, now) }) : say("containment.notProbed")}</p></div>
      {latest.map((probe) => <ProbeRow key={`${probe.name}${probe.target}`} probe={probe} />)}
      {name === "live_sessions_cut" && isolation[name] === "failed" && <Alive isolation={isolation} />}
      {mayAct && name === "new_connections_blocked" && OPEN.includes(isolation.state) && (
        <div className="card-body row"><Button size="small" disabled={again.isPending} onClick={() => again.mutate()}>{say("containment.probeAgain")}</Button>{again.error && <span role="alert" className="field-error">{again.error.message}</span>}</div>
      )}
    </section>
  );
}

/** The session lives on: what ends it, and what that costs. */
function Alive({ isolation }: { isolation: Isolation }) {
  const say = useSay();
  const mayAct = useMay("responder");
  const [isRestarting, setRestarting] = useState(false);
  return (
    <div className="card-body">
      <p className="note" style={{ margin: "0 0 8px" }}>{say("containment.cutNote")}</p>
      {mayAct && isolation.can_restart && <Button onClick={() => setRestarting(true)}>{say("containment.restart", { machine: isolation.machine_name })}</Button>}
      {isRestarting && <RestartDialog isolation={isolation} close={() => setRestarting(false)} />}
    </div>
  );
}

function ProbeRow({ probe }: { probe: Probe }) {
  const say = useSay();
  const isControl = probe.finding === "control";
  const shown = probe.result === "shut" ? <Verdict word={isControl ? "failed" : "done"} text={say(probe.name === "live_session" ? "word.dead" : probe.name === "metadata" ? "word.shut" : "word.refused")} /> : probe.result === "open" ? <Verdict word={isControl ? "done" : "open"} text={say(isControl ? "word.answers" : probe.name === "live_session" ? "word.live" : "word.through")} /> : <Verdict word="notProved" text={say("word.notMade")} />;
  return (
    <div className="probe" title={probe.detail}>
      <span className="mono">{probe.target.split(" → ").map((side, index) => <span key={index}>{index > 0 && " → "}<span className="side">{side}</span></span>)}</span><span className="note">{say(`probe.${probe.name}`)}</span>{shown}
    </div>
  );
}

/** What happened, in the order of time: the first look that proved it stays, however often it was looked again. */
function stepsOf(isolation: Isolation, say: Say): { at: string; what: ReactNode }[] {
  const { contained_at: proved, verified_at: looked, ended_at: ended } = isolation;
  const reason = typeof isolation.opened_by.reason === "string" ? isolation.opened_by.reason : "";
  const steps = isolation.writes.map((write) => ({
    at: write.sent_at,
    what: (
      <>
        <span className="grow">{say("containment.moved", { group: write.group_after || say("containment.noGroup") })} <span className="note">{write.resource_id.split("/").at(-1)}</span></span>
        {write.state !== "done" && <Verdict word={write.state === "failed" ? "failed" : "waiting"} text={write.problem ?? undefined} />}
      </>
    ),
  }));
  if (reason) steps.unshift({ at: isolation.opened_at, what: <span>{say("containment.askedFor", { who: String(isolation.opened_by.name), reason })}</span> });
  if (proved) steps.push({ at: proved, what: <span className="strong">{say("containment.provedFirst")}</span> });
  if (looked && looked !== proved) steps.push({ at: looked, what: <span>{say("containment.lastLook")} {say(`containment.saw.${isolation.live_sessions_cut}`)}</span> });
  if (ended) steps.push({ at: ended, what: <span>{say("containment.ended", { who: isolation.ended_by ?? "" })}{isolation.end_reason && `: ${isolation.end_reason}`}</span> });
  return steps.sort((one, other) => new Date(one.at).getTime() - new Date(other.at).getTime());
}

function HowItWent({ isolation }: { isolation: Isolation }) {
  const say = useSay();
  const now = useNow();
  return (
    <section className="card" aria-labelledby="how">
      <div className="card-head"><h3 id="how">{say("containment.howItWent")}</h3></div>
      <ol className="steps">
        {stepsOf(isolation, say).map(({ at, what }, index) => <li key={index}><span className="mono">{moment(at, now)}</span>{what}</li>)}
        {isolation.problem && <li className="tone-bad">{isolation.problem}</li>}
      </ol>
    </section>
  );
}

function Lease({ isolation }: { isolation: Isolation }) {
  const say = useSay();
  const now = useNow();
  const mayAct = useMay("responder");
  const [isExtending, setExtending] = useState(false);
  const ends = new Date(isolation.lease_ends_at).getTime();
  const whole = ends - new Date(isolation.opened_at).getTime();
  const left = ends - now.getTime();
  return (
    <section className="card" aria-labelledby="lease">
      <div className="card-head"><h3 id="lease">{say("containment.leaseTitle")}</h3><span className="note">{span(whole)}</span></div>
      <div className="card-body">
        <div style={{ fontSize: 28, lineHeight: "36px", fontWeight: 600 }}>{countdown(isolation.lease_ends_at, now)} <span className="note" style={{ fontSize: 13, fontWeight: 400 }}>{say("containment.left", { time: moment(isolation.lease_ends_at, now) })}</span></div>
        <div className="bar" style={{ margin: "8px 0 12px" }}><i style={{ width: `${whole > 0 ? (100 * Math.max(0, left)) / whole : 0}%` }} /></div>
        {mayAct && <div className="row"><Button size="small" onClick={() => setExtending(true)}>{say("containment.extend")}</Button><span className="note">{say("containment.extendNote")}</span></div>}
      </div>
      {isExtending && <ExtendDialog isolation={isolation} close={() => setExtending(false)} />}
    </section>
  );
}

function WayBack({ isolation, release }: { isolation: Isolation; release: () => void }) {
  const say = useSay();
  const mayAct = useMay("responder");
  return (
    <section className="card" aria-labelledby="way-back">
      <div className="card-head"><h3 id="way-back">{say("containment.restore")}</h3></div>
      {isolation.release_restores.map((each) => (
        <div key={each.resource_id} className="card-body" style={{ borderBottom: "1px solid var(--gsLine)" }}>
          <div className="note">{each.resource_id.split("/").at(-1)}</div>
          <div>{each.group_now || say("containment.noGroup")} → <span className="strong">{each.group_restored || say("containment.noGroup")}</span></div>
        </div>
      ))}
      <div className="card-body">
        <p className="note" style={{ marginTop: 0 }}>{say("containment.kept")}</p>
        {mayAct && <button type="button" className="danger" onClick={release}>{say("containment.release", { machine: isolation.machine_name })}</button>}
      </div>
    </section>
  );
}

/** The probes of the last look that belong to a finding, the control with the first. */
function latestProbes(probes: Probe[], finding: string): Probe[] {
  const last = probes[0]?.at;
  const wanted = probes.filter((probe) => probe.at === last && (probe.finding === finding || (finding === "new_connections_blocked" && probe.finding === "control")));
  return wanted.sort((left, right) => ORDER.indexOf(left.name) - ORDER.indexOf(right.name) || left.target.localeCompare(right.target));
}
