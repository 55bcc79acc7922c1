import { Button } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { type Schemas, api, dataOf } from "../../api/client";
import { useMay, useNow } from "../../api/session";
import { type Column, Grid } from "../../ui/grid";
import { Empty, Shown } from "../../ui/states";
import { moment } from "../../ui/time";
import { Verdict } from "../../ui/verdict";
import { useSay } from "../../ui/words";
import { ImportDialog } from "./import-dialog";

type Playbook = Schemas["PlaybookOut"];

export function PlaybooksPage() {
  const say = useSay();
  const now = useNow();
  const navigate = useNavigate();
  const isAdmin = useMay("admin");
  const [isImporting, setImporting] = useState(false);
  const asked = useQuery({ queryKey: ["playbooks"], queryFn: () => dataOf(api.GET("/api/v1/playbooks")) });
  const columns: Column<Playbook>[] = [
    { key: "name", title: say("word.name"), cell: (each) => <span className="strong">{each.name}</span> },
    { key: "state", title: say("word.state"), width: 140, cell: (each) => say(each.state === "published" ? "playbooks.published" : "playbooks.draft") },
    { key: "problems", title: say("playbooks.problems"), width: 180, keep: true, cell: (each) => (each.problems.length === 0 ? <span className="note">{say("playbooks.noProblems")}</span> : <Verdict word="failed" text={String(each.problems.length)} />) },
    { key: "changed", title: say("playbooks.changed"), width: 140, cell: (each) => <span className="mono">{moment(each.changed_at, now)}</span> },
    { key: "by", title: say("word.by"), width: 160, cell: (each) => each.changed_by },
  ];
  return (
    <>
      <div className="page-head">
        <div className="grow"><h1>{say("playbooks.title")}</h1>
          <div className="facts"><Link to={"/automation-rules" as never}>{say("crumb.automationRules")}</Link><Link to={"/runs" as never}>{say("crumb.runs")}</Link><Link to={"/runbooks" as never}>{say("crumb.runbooks")}</Link></div></div>
        {isAdmin && <Button appearance="primary" onClick={() => setImporting(true)}>{say("playbooks.import")}</Button>}
      </div>
      <Shown asked={asked} rows={6}>{(found) => (found.length === 0 ? <Empty text={say("playbooks.none")} /> : (
        <div className="card"><Grid label={say("playbooks.title")} columns={columns} rows={found} idOf={(each) => each.playbook_id} from="/api/v1/playbooks" open={(each) => void navigate({ to: `/playbooks/${each.playbook_id}` as never })} /></div>
      ))}</Shown>
      {isImporting && <ImportDialog close={() => setImporting(false)} />}
    </>
  );
}
