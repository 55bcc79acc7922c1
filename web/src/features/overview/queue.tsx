// What waits beside the lamp: first what needs somebody, then what is in somebody's hands already.
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Schemas } from "../../api/client";
import { Severity } from "../../ui/severity";
import { moment, since, span } from "../../ui/time";
import { Verdict } from "../../ui/verdict";
import { useSay } from "../../ui/words";

type Overview = Schemas["OverviewOut"];
type Waiting = { isolation: Schemas["IsolationOut"] } | { approval: Schemas["ApprovalOut"] } | { incident: Schemas["IncidentOut"] };

export function hasLamp(found: Overview): boolean {
  return found.not_cut.length + found.approvals.length > 0;
}

/** All that needs a person, but the one thing that is lit: the title counts these. */
export function inLine(found: Overview): Waiting[] {
  const urgent: Waiting[] = [...found.not_cut.map((isolation) => ({ isolation })), ...found.approvals.map((approval) => ({ approval }))];
  return [...urgent.slice(1), ...found.incidents.filter((each) => !each.owner).map((incident) => ({ incident }))];
}

export function Queue({ rows, now }: { rows: Waiting[]; now: Date }) {
  const say = useSay();
  if (rows.length === 0) return null;
  return <List id="next" title={say("overview.next")} count={rows.length}>{rows.map((each) => <Row key={idOf(each)} of={each} now={now} />)}</List>;
}

function idOf(of: Waiting): string {
  if ("isolation" in of) return of.isolation.isolation_id;
  return "approval" in of ? of.approval.approval_id : of.incident.incident_id;
}

interface AlsoOpenProps {
  found: Overview;
  /** Those that another person has to answer. */
  approvals: Schemas["ApprovalOut"][];
  now: Date;
}

/** What waits for others, incidents that somebody has taken, rules in trouble, events that went nowhere. */
export function AlsoOpen({ found, approvals, now }: AlsoOpenProps) {
  const say = useSay();
  const taken = found.incidents.filter((each) => each.owner);
  const count = approvals.length + taken.length + found.troubled_rules.length;
  if (count === 0 && found.set_aside_count === 0) return null;
  const foot = found.set_aside_count > 0 && <p className="card-body tone-bad">{say("overview.setAside", { count: found.set_aside_count })}</p>;
  return (
    <List id="also-open" title={say("overview.alsoOpen")} count={count} foot={foot}>
      {approvals.map((each) => (
        <tr key={each.approval_id}>
          <td><Verdict word="waiting" /></td><td>{each.title}</td><td className="note">{say("overview.another")}</td>
          <td className="right"><Link to={"/admin" as never} search={{ tab: "approvals" } as never}>{say("word.look")}</Link></td>
        </tr>
      ))}
      {taken.map((incident) => <Row key={incident.incident_id} of={{ incident }} now={now} />)}
      {found.troubled_rules.map((each) => (
        <tr key={each.rule_id}>
          <td><Verdict word="open" text={say("overview.blind")} /></td><td title={each.error}>{each.name}: {each.error}</td><td className="note">{each.since ? moment(each.since, now) : ""}</td>
          <td className="right"><Link to={"/analytics-rules" as never}>{say("word.look")}</Link></td>
        </tr>
      ))}
    </List>
  );
}

function List({ id, title, count, foot, children }: { id: string; title: string; count: number; foot?: ReactNode; children: ReactNode }) {
  const say = useSay();
  return (
    <section className="card" aria-labelledby={id}>
      <div className="card-head"><h2 id={id}>{title}</h2><span className="note">{say("grid.count", { count })}</span></div>
      <table className="grid" aria-labelledby={id}>
        <colgroup><col style={{ width: 160 }} /><col /><col style={{ width: 180 }} /><col style={{ width: 90 }} /></colgroup>
        <tbody>{children}</tbody>
      </table>
      {foot}
    </section>
  );
}

function Row({ of, now }: { of: Waiting; now: Date }) {
  const say = useSay();
  if ("isolation" in of) {
    const { isolation_id, machine_name, live_sessions_cut, opened_at } = of.isolation;
    return (
      <tr>
        <td><Verdict word="notProved" /></td><td>{say(live_sessions_cut === "failed" ? "overview.stillConnected" : "overview.notBlocked", { machine: machine_name })}</td>
        <td className="note">{say("overview.waiting", { span: since(opened_at, now) })}</td><td className="right"><Link to={`/containment/${isolation_id}` as never}>{say("word.openIt")}</Link></td>
      </tr>
    );
  }
  if ("approval" in of) {
    return (
      <tr>
        <td><Verdict word="waiting" /></td><td>{of.approval.title}</td><td className="note">{say("overview.expires", { span: span(new Date(of.approval.expires_at).getTime() - now.getTime()) })}</td>
        <td className="right"><Link to={"/admin" as never} search={{ tab: "approvals" } as never}>{say("word.review")}</Link></td>
      </tr>
    );
  }
  const { incident_id, number, title, severity, owner, created_at } = of.incident;
  const to = `/incidents/${incident_id}` as never;
  return (
    <tr>
      <td><Severity value={severity} /></td>
      <td><Link className="in-text" to={to}>{say("word.incident")} {number}</Link> {title}</td>
      <td className="note">{owner ? `${owner}, ` : ""}{say("overview.openFor", { span: since(created_at, now) })}</td>
      <td className="right"><Link to={to}>{say("word.openIt")}</Link></td>
    </tr>
  );
}
