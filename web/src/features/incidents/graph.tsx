// The graph of an incident: drawing or table, the path in it, and beside it the thing that was chosen.
import { Switch } from "@fluentui/react-components";
import { Link20Regular, Organization20Regular, Table20Regular } from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type ReactNode, useMemo, useState } from "react";
import { type Schemas, api, dataOf } from "../../api/client";
import { Empty, Shown } from "../../ui/states";
import { useSay } from "../../ui/words";
import { Drawing } from "./investigation/drawing";
import { type Approval, type Graph, firstOfInterest } from "./investigation/facts";
import { Legend } from "./investigation/legend";
import { Pane } from "./investigation/pane";
import { Table } from "./investigation/table";

const NONE: Approval[] = [];

export function GraphTab({ incident }: { incident: Schemas["IncidentDetail"] }) {
  const asked = useQuery({
    queryKey: ["incident", incident.incident_id, "graph"],
    queryFn: () => dataOf(api.GET("/api/v1/incidents/{incident_id}/graph", { params: { path: { incident_id: incident.incident_id } } })),
  });
  return <Shown asked={asked} rows={8}>{(graph) => <Body incident={incident} graph={graph} />}</Shown>;
}

function Body({ incident, graph }: { incident: Schemas["IncidentDetail"]; graph: Graph }) {
  const say = useSay();
  const navigate = useNavigate();
  const { node: wanted, view } = useSearch({ strict: false }) as { node?: string; view?: string };
  const [isPathShown, setPathShown] = useState(true);
  const { data } = useQuery({ queryKey: ["approvals", "waiting"], queryFn: () => dataOf(api.GET("/api/v1/approvals", { params: { query: { waiting: true } } })) });
  const approvals = data ?? NONE;
  const chosen = useMemo(() => graph.nodes.find((node) => node.node_id === wanted) ?? firstOfInterest(graph, approvals), [graph, approvals, wanted]);
  if (!chosen) return <Empty text={say("graph.none")} />;
  const isTable = view === "table";
  const show = (change: { node?: string; view?: string }) =>
    void navigate({ to: `/incidents/${incident.incident_id}` as never, search: { tab: "graph", node: wanted, view, ...change } as never, replace: true });
  const choose = (id: string) => show({ node: id });
  const hasPath = graph.edges.some((edge) => edge.is_movement);
  return (
    <section className="graph-tab" aria-label={say("incidents.graph")}>
      <div className="graph-main">
        <div className="graph-bar">
          <div className="segmented" role="group" aria-label={say("graph.view")}>
            <Segment isOn={!isTable} act={() => show({ view: undefined })} icon={<Organization20Regular />} text={say("word.graph")} />
            <Segment isOn={isTable} act={() => show({ view: "table" })} icon={<Table20Regular />} text={say("word.table")} />
          </div>
          {hasPath && !isTable && <Switch checked={isPathShown} onChange={(_, change) => setPathShown(change.checked)} label={say("graph.legend.path")} />}
          <span className="grow" />
          <CopyLink node={chosen.node_id} />
        </div>
        {isTable
          ? <Table graph={graph} approvals={approvals} chosen={chosen.node_id} choose={choose} from={`/api/v1/incidents/${incident.incident_id}/graph`} />
          : <Drawing graph={graph} approvals={approvals} isPathShown={isPathShown} chosen={chosen.node_id} choose={choose} />}
        {!isTable && <Legend graph={graph} approvals={approvals} isPathShown={isPathShown} />}
      </div>
      <Pane graph={graph} node={chosen} approvals={approvals} incident={incident} />
    </section>
  );
}

function Segment({ isOn, act, icon, text }: { isOn: boolean; act: () => void; icon: ReactNode; text: string }) {
  return <button type="button" aria-pressed={isOn} onClick={act}>{icon}{text}</button>;
}

/** The address of this page with the thing that is chosen. */
function CopyLink({ node }: { node: string }) {
  const say = useSay();
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    const address = new URL(window.location.href);
    address.searchParams.set("node", node);
    await navigator.clipboard.writeText(address.href);
    setCopied(true);
  };
  return <button type="button" className="bar-button" onClick={() => void copy()}><Link20Regular />{say(isCopied ? "grid.copied" : "graph.copyLink")}</button>;
}
