// Playbooks that can be run on an alert by hand; one press asks first, because what a playbook does is done for real.
import { Button } from "@fluentui/react-components";
import { Play16Regular } from "@fluentui/react-icons";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { AskDialog } from "../ui/ask-dialog";
import { useSay } from "../ui/words";
import { useAct } from "./act";
import { type Schemas, api, dataOf } from "./client";
import { useMay } from "./session";

type Alert = Pick<Schemas["AlertOut"], "alert_id" | "number" | "title" | "compromised_entity">;
type Playbook = Schemas["PlaybookOut"];

export function RunPlaybook({ title, alert }: { title: string; alert: Alert | undefined }) {
  const say = useSay();
  const mayRun = useMay("responder");
  const [asking, setAsking] = useState<Playbook | null>(null);
  const [started, setStarted] = useState<Schemas["StartedRun"] | null>(null);
  const { data } = useQuery({ queryKey: ["playbooks"], queryFn: () => dataOf(api.GET("/api/v1/playbooks")) });
  return (
    <section className="card" aria-labelledby="run-playbook">
      <div className="card-head"><h2 id="run-playbook">{title}</h2></div>
      {(data ?? []).filter((each) => each.starts_from_alerts).map((each) => (
        <div key={each.playbook_id} className="card-body row">
          <Link className="grow strong" to={`/playbooks/${each.playbook_id}` as never}>{each.name}</Link>
          {mayRun && <Button size="small" icon={<Play16Regular />} disabled={!alert} onClick={() => setAsking(each)} aria-label={`${say("incidents.runPlaybook")}: ${each.name}`}>{say("incidents.runPlaybook")}</Button>}
        </div>
      ))}
      {started && <p className="card-body" role="status"><Link to={`/runs/${started.run_id}` as never}>{say("incidents.started", { number: started.number })}</Link></p>}
      {asking && alert && <Ask playbook={asking} alert={alert} started={setStarted} close={() => setAsking(null)} />}
    </section>
  );
}

interface AskProps {
  playbook: Playbook;
  alert: Alert;
  started: (run: Schemas["StartedRun"]) => void;
  close: () => void;
}

function Ask({ playbook: { playbook_id, name }, alert, started, close }: AskProps) {
  const say = useSay();
  const queries = useQueryClient();
  const run = useAct({
    mutationFn: () => dataOf(api.POST("/api/v1/alerts/{alert_id}/runs", { params: { path: { alert_id: alert.alert_id } }, body: { playbook_id } })),
    onSuccess: (found) => {
      started(found);
      void queries.invalidateQueries({ queryKey: ["incident"] });
      close();
    },
  });
  return (
    <AskDialog title={say("incidents.runTitle", { name })} act={say("incidents.runPlaybook")} keep={say("containment.cancel")} sending={run} go={() => run.mutate()} close={close}>
      <p>{say("incidents.runOn")} <span className="strong">{say("word.alert")} {alert.number}: {alert.title}</span>{alert.compromised_entity && `, ${alert.compromised_entity}`}</p>
      <p>{say("incidents.runNote")}</p>
    </AskDialog>
  );
}
