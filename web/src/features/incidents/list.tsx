import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { type Schemas, api, dataOf } from "../../api/client";
import { useNow } from "../../api/session";
import { type Column, Grid } from "../../ui/grid";
import { HeldBack } from "../../api/held-back";
import { Severity } from "../../ui/severity";
import { Empty, Shown } from "../../ui/states";
import { moment } from "../../ui/time";
import { useSay } from "../../ui/words";

type Incident = Schemas["IncidentOut"];

export function IncidentsPage() {
  const say = useSay();
  const now = useNow();
  const navigate = useNavigate();
  const asked = useQuery({ queryKey: ["incidents"], queryFn: () => dataOf(api.GET("/api/v1/incidents")) });
  const columns: Column<Incident>[] = [
    { key: "severity", title: say("word.severity"), width: 130, keep: true, cell: (each) => <Severity value={each.severity} /> },
    { key: "number", title: "#", width: 70, isNumber: true, cell: (each) => each.number },
    { key: "title", title: say("incidents.named"), cell: (each) => <span className="strong">{each.title}</span> },
    { key: "status", title: say("word.status"), width: 120, cell: (each) => say(`incidents.status.${each.status}`) },
    { key: "owner", title: say("incidents.owner"), width: 140, cell: (each) => each.owner ?? <span className="note">{say("incidents.nobody")}</span> },
    { key: "alerts", title: say("incidents.alerts"), width: 80, isNumber: true, cell: (each) => each.alert_ids.length },
    { key: "opened", title: say("incidents.opened"), width: 140, cell: (each) => <span className="mono">{moment(each.created_at, now)}</span> },
  ];
  return (
    <>
      <div className="page-head"><h1 className="grow">{say("incidents.title")}</h1><Link to={"/alerts" as never}>{say("crumb.alerts")}</Link></div>
      <HeldBack kinds={["incident", "alert"]} queryKey="incidents" />
      <Shown asked={asked} rows={8}>{(found) => (found.length === 0 ? <Empty text={say("incidents.none")} /> : (
        <div className="card"><Grid label={say("incidents.title")} columns={columns} rows={found} idOf={(each) => each.incident_id} from="/api/v1/incidents" open={(each) => void navigate({ to: `/incidents/${each.incident_id}` as never })} /></div>
      ))}</Shown>
    </>
  );
}
