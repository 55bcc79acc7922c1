// The chosen thing: what is proved of it, what is known, what can be asked, how it was reached and what breaks the path.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { type Schemas, api, dataOf } from "../../../api/client";
import { Severity } from "../../../ui/severity";
import { Verdict } from "../../../ui/verdict";
import { type Say, useSay } from "../../../ui/words";
import { type Approval, type Edge, type Graph, type Node, approvalOf, endOfPath, isInForce, pathInto, timeOf } from "./facts";
import { BreakThePath } from "./break-the-path";
import { questionsAbout } from "./questions";
import { Waiting } from "./waiting";

interface PaneProps {
  graph: Graph;
  node: Node;
  approvals: Approval[];
  incident: Schemas["IncidentDetail"];
}

export function Pane({ graph, node, approvals, incident }: PaneProps) {
  const labels = new Map(graph.nodes.map((each) => [each.node_id, each.label]));
  const way = wayShown(graph, node);
  return (
    <aside className="investigation-pane" aria-labelledby="thing">
      <section>
        <h2 id="thing">{node.label}</h2>
        {node.kind === "machine" && <Verdicts node={node} approval={approvalOf(node, approvals)} />}
        <Facts graph={graph} node={node} />
      </section>
      <Questions node={node} since={incident.first_activity_at} />
      {way.length > 0 && <PathInto way={way} labels={labels} />}
      {way.length > 0 && <BreakThePath graph={graph} way={way} approvals={approvals} incident={incident.incident_id} />}
    </aside>
  );
}

/** The whole path where the thing is on it, else the way to the thing itself. */
function wayShown(graph: Graph, node: Node): Edge[] {
  const end = endOfPath(graph);
  const whole = end ? pathInto(graph, end) : [];
  const own = pathInto(graph, node.node_id);
  return own.every((edge) => whole.includes(edge)) ? whole : own;
}

function Verdicts({ node, approval }: { node: Node; approval: Approval | undefined }) {
  const say = useSay();
  const { isolation } = node;
  if (isolation && !isInForce(node)) return <div><Verdict word="released" text={isolation.ended_at ? say("graph.releasedAt", { time: timeOf(isolation.ended_at) }) : undefined} /></div>;
  if (!isolation) return <div>{approval ? <Waiting approval={approval} /> : <span className="note">{say("incidents.notIsolated")}</span>}</div>;
  const blocked = isolation.new_connections_blocked;
  const cut = isolation.live_sessions_cut;
  return (
    <>
      <div><Verdict word={blocked === "verified" ? "proved" : blocked === "failed" ? "notBlocked" : "notProved"} text={say(`graph.blocked.${blocked}`, { time: timeOf(isolation.opened_at) })} /></div>
      <div><Verdict word={cut === "verified" ? "proved" : cut === "failed" ? "open" : "notProved"} text={say(`graph.cut.${cut}`)} /></div>
    </>
  );
}

function Facts({ graph, node }: { graph: Graph; node: Node }) {
  const say = useSay();
  const facts = [...ownFacts(node, say), ...useMachineFacts(node, say)];
  const alerts = graph.edges.filter((edge) => edge.kind === "names" && edge.target_id === node.node_id).length;
  if (alerts > 0) facts.push([say("incidents.alerts"), say("graph.inThisIncident", { count: alerts })]);
  if (node.first_at) facts.push([say("graph.firstNamed"), <span className="mono">{timeOf(node.first_at)}</span>]);
  return <dl className="investigation-facts">{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>;
}

type Fact = [string, ReactNode];

/** What the alerts say of the thing itself. */
function ownFacts(node: Node, say: Say): Fact[] {
  const { details } = node;
  const text = (name: string) => (typeof details[name] === "string" || typeof details[name] === "number" ? String(details[name]) : "");
  const facts: [string, string, boolean?][] = [
    ["graph.address", text("LastIpAddress"), true], ["graph.system", [text("OSFamily"), text("OSVersion")].filter(Boolean).join(" ")], ["graph.domain", text("NTDomain") || text("DnsDomain") || text("UPNSuffix")],
    ["graph.processId", text("ProcessId"), true], ["graph.started", text("CreationTimeUtc") && timeOf(text("CreationTimeUtc")), true], ["graph.folder", text("Directory"), true],
  ];
  const own: Fact[] = facts.filter(([, value]) => value).map(([name, value, isCode]) => [say(name), isCode ? <span className="mono">{value}</span> : value]);
  if (node.kind !== "alert") return own;
  return [
    [say("word.severity"), <Severity value={text("severity")} />], [say("alerts.what"), text("description")],
    [say("word.alert"), <Link to={`/alerts/${text("alert_id")}` as never}>{text("number")}</Link>],
  ];
}

/** What the cloud says of a machine that alerts name. */
function useMachineFacts(node: Node, say: Say): Fact[] {
  const { data } = useQuery({ queryKey: ["machines"], queryFn: () => dataOf(api.GET("/api/v1/machines")), enabled: node.kind === "machine", retry: false, staleTime: 60_000 });
  const id = String(node.details.AzureID ?? "").toLowerCase();
  const machine = node.kind === "machine" ? data?.find((each) => each.machine_id.toLowerCase() === id) : undefined;
  if (!machine) return [];
  const facts: [string, string][] = [["machines.os", machine.os], ["machines.group", machine.group], ["word.state", machine.is_protected ? say("machines.protected") : ""]];
  return facts.filter(([, value]) => value).map(([name, value]) => [say(name), value]);
}

function Questions({ node, since }: { node: Node; since: string }) {
  const say = useSay();
  const questions = questionsAbout(node, since);
  if (questions.length === 0) return null;
  return (
    <section aria-labelledby="ask">
      <h3 id="ask">{say("graph.ask", { name: node.label })}</h3>
      <ul className="investigation-questions">
        {questions.map(({ key, query }) => <li key={key}><Link to={"/logs" as never} search={{ q: query } as never}>{say(`graph.ask.${node.kind}.${key}`, { time: timeOf(since) })}</Link></li>)}
      </ul>
    </section>
  );
}

function PathInto({ way, labels }: { way: Edge[]; labels: Map<string, string> }) {
  const say = useSay();
  const name = labels.get(way.at(-1)?.target_id ?? "") ?? "";
  return (
    <section aria-labelledby="path-into">
      <h3 id="path-into">{say("graph.pathInto", { name })}</h3>
      <ol className="investigation-steps">
        {way.map((edge) => (
          <li key={edge.target_id}><b>{edge.step}</b><span className="grow">{labels.get(edge.source_id)} → {labels.get(edge.target_id)}</span><span className="mono note">{edge.at && timeOf(edge.at)}</span></li>
        ))}
      </ol>
    </section>
  );
}
