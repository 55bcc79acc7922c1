import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type Schemas, api, dataOf } from "../../api/client";
import { HeldBack } from "../../api/held-back";
import { useNow } from "../../api/session";
import { type Column, Grid } from "../../ui/grid";
import { Severity } from "../../ui/severity";
import { Empty, Shown } from "../../ui/states";
import { moment } from "../../ui/time";
import { useSay } from "../../ui/words";

type Alert = Schemas["AlertOut"];

export function AlertsPage() {
  const say = useSay();
  const now = useNow();
  const navigate = useNavigate();
  const asked = useQuery({ queryKey: ["alerts"], queryFn: () => dataOf(api.GET("/api/v1/alerts")) });
  const columns: Column<Alert>[] = [
    { key: "severity", title: say("word.severity"), width: 130, keep: true, cell: (each) => <Severity value={each.severity} /> },
    { key: "number", title: "#", width: 70, isNumber: true, cell: (each) => each.number },
    { key: "title", title: say("word.alert"), cell: (each) => <span className="strong">{each.title}</span> },
    { key: "machine", title: say("word.machine"), width: 140, cell: (each) => each.compromised_entity },
    { key: "techniques", title: say("alerts.techniques"), width: 160, cell: (each) => <span className="mono">{each.techniques.join(", ")}</span> },
    { key: "status", title: say("word.status"), width: 110, cell: (each) => each.status },
    { key: "raised", title: say("alerts.raised"), width: 140, cell: (each) => <span className="mono">{moment(each.raised_at, now)}</span> },
  ];
  return (
    <>
      <div className="page-head"><h1>{say("alerts.title")}</h1></div>
      <HeldBack kinds={["alert"]} queryKey="alerts" />
      <Shown asked={asked} rows={8}>{(found) => (found.length === 0 ? <Empty text={say("alerts.none")} /> : (
        <div className="card"><Grid label={say("alerts.title")} columns={columns} rows={found} idOf={(each) => each.alert_id} from="/api/v1/alerts" open={(each) => void navigate({ to: `/alerts/${each.alert_id}` as never })} /></div>
      ))}</Shown>
    </>
  );
}
