import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type Schemas, api, dataOf } from "../../api/client";
import { type Column, Grid } from "../../ui/grid";
import { Empty, Shown } from "../../ui/states";
import { Verdict } from "../../ui/verdict";
import { useSay } from "../../ui/words";

type Machine = Schemas["MachineOut"];

export function MachinesPage() {
  const say = useSay();
  const asked = useQuery({ queryKey: ["machines"], queryFn: () => dataOf(api.GET("/api/v1/machines")) });
  const columns: Column<Machine>[] = [
    { key: "name", title: say("word.machine"), width: 180, cell: (each) => <span className="strong">{each.name}</span> },
    { key: "os", title: say("machines.os"), width: 120, cell: (each) => each.os },
    { key: "group", title: say("machines.group"), cell: (each) => each.group },
    { key: "account", title: say("machines.account"), width: 120, cell: (each) => each.account },
    { key: "protected", title: say("machines.protected"), width: 140, cell: (each) => each.is_protected && <Verdict word="waiting" text={say("machines.protected")} /> },
    { key: "state", title: say("word.state"), width: 160, keep: true, cell: (each) => (each.isolation_id ? <Link to={`/containment/${each.isolation_id}` as never}>{say("word.isolated")}</Link> : <span className="note">{say("incidents.notIsolated")}</span>) },
  ];
  return (
    <>
      <div className="page-head"><h1>{say("machines.title")}</h1></div>
      <Shown asked={asked} rows={6}>{(found) => (found.length === 0 ? <Empty text={say("machines.none")} /> : <div className="card"><Grid label={say("machines.title")} columns={columns} rows={found} idOf={(each) => each.machine_id} from="/api/v1/machines" /></div>)}</Shown>
    </>
  );
}
