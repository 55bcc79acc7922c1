// Before anything has happened: three ways in, one of which needs nothing but this machine.
import { Button } from "@fluentui/react-components";
import { useAct } from "../../api/act";
import { api, dataOf } from "../../api/client";
import { useMay } from "../../api/session";
import { Refused } from "../../ui/refused";
import { useSay } from "../../ui/words";

export function FirstRun() {
  const say = useSay();
  const mayStart = useMay("responder");
  const demo = useAct({ mutationFn: () => dataOf(api.POST("/api/v1/demo")) });
  return (
    <>
      <div className="page-head"><div><h1>{say("first.title")}</h1><div className="facts">{say("first.text")}</div></div></div>
      <div className="columns three">
        <section className="card card-body">
          <h2>{say("first.demo")}</h2>
          <p className="quiet">{say("first.demoText")}</p>
          <p><code className="mono">guardship up</code></p>
          {mayStart && <Button appearance="primary" disabled={demo.isPending || demo.isSuccess} onClick={() => demo.mutate()}>{say("first.demo")}</Button>}
          {demo.isSuccess && <p role="status">{say("first.started")}</p>}
          <Refused error={demo.error} />
        </section>
        <section className="card card-body"><h2>{say("first.azure")}</h2><p className="quiet">{say("first.azureText")}</p></section>
        <section className="card card-body"><h2>{say("first.machine")}</h2><p className="quiet">{say("first.machineText")}</p></section>
      </div>
    </>
  );
}
