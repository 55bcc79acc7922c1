// One alert: what was found, by which rule, the rows behind it, and what a playbook would get.
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { type Schemas, api, dataOf } from "../../api/client";
import { RunPlaybook } from "../../api/run-playbook";
import { useNow } from "../../api/session";
import { Code } from "../../ui/code";
import { useCrumb } from "../../ui/crumb";
import { Severity } from "../../ui/severity";
import { Shown } from "../../ui/states";
import { moment } from "../../ui/time";
import { useSay } from "../../ui/words";

type Alert = Schemas["AlertDetail"];

export function AlertPage() {
  const { id = "" } = useParams({ strict: false }) as { id?: string };
  const asked = useQuery({ queryKey: ["alert", id], queryFn: () => dataOf(api.GET("/api/v1/alerts/{alert_id}", { params: { path: { alert_id: id } } })) });
  return <Shown asked={asked} rows={8}>{(alert) => <Body alert={alert} />}</Shown>;
}

function Body({ alert }: { alert: Alert }) {
  const say = useSay();
  const now = useNow();
  useCrumb(`${say("word.alert")} ${alert.number}`);
  return (
    <>
      <div className="page-head">
        <Severity value={alert.severity} solid />
        <div className="grow">
          <h1>{alert.title}</h1>
          <div className="facts"><span>{say("word.alert")} {alert.number}</span><span>{moment(alert.raised_at, now)} UTC</span><span>{alert.rule_name}</span><span className="mono">{alert.techniques.join(", ")}</span>
            <Link to={`/incidents/${alert.incident_id}` as never}>{say("word.incident")}</Link></div>
        </div>
      </div>
      <div className="columns incident">
        <div>
          <section className="card card-body"><h2>{say("alerts.what")}</h2><p>{alert.description}</p>
            {alert.remediation_steps.length > 0 && <><h3>{say("alerts.steps")}</h3><ul>{alert.remediation_steps.map((step) => <li key={step}>{step}</li>)}</ul></>}
          </section>
          <section className="card card-body"><h2>{say("alerts.evidence")}</h2><Code value={alert.evidence} /></section>
          <section className="card card-body"><h2>{say("alerts.trigger")}</h2><Code value={alert.payloads.security_center_alert} /></section>
        </div>
        <RunPlaybook title={say("incidents.runPlaybook")} alert={alert} />
      </div>
    </>
  );
}
