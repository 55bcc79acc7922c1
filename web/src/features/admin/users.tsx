// Who may come in, as what, and who no longer may. Nobody changes their own role or access.
import { Button } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type Schemas, api, dataOf } from "../../api/client";
import { useMay, useNow, useSession } from "../../api/session";
import { type Column, Grid } from "../../ui/grid";
import { Empty, Shown } from "../../ui/states";
import { minute, moment } from "../../ui/time";
import { Verdict } from "../../ui/verdict";
import { useSay } from "../../ui/words";
import { ChangeUserDialog } from "./change-user-dialog";
import { NewUserDialog } from "./new-user-dialog";

type User = Schemas["UserOut"];

export function Users() {
  const say = useSay();
  return useMay("admin") ? <List /> : <Empty text={say("users.forAdmins")} />;
}

function List() {
  const say = useSay();
  const now = useNow();
  const { me } = useSession();
  const [isAdding, setAdding] = useState(false);
  const [changing, setChanging] = useState<User | null>(null);
  const asked = useQuery({ queryKey: ["users"], queryFn: () => dataOf(api.GET("/api/v1/users")) });
  const columns: Column<User>[] = [
    { key: "name", title: say("word.name"), cell: (each) => <><span className={each.disabled_at ? "note" : "strong"}>{each.name}</span> <span className="note">{each.display_name}</span></> },
    { key: "role", title: say("admin.role"), width: 130, cell: (each) => each.role },
    { key: "state", title: say("word.state"), width: 260, keep: true, cell: (each) => (each.disabled_at ? <Verdict word="skipped" text={say("users.disabledSince", { time: moment(each.disabled_at, now) })} /> : say("users.mayComeIn")) },
    { key: "created", title: say("admin.lastSeen"), width: 160, cell: (each) => <span className="mono">{minute(each.created_at, now)}</span> },
    {
      key: "acts", title: say("tokens.acts"), width: 130, keep: true,
      cell: (each) => (each.name === me?.name ? <span className="note" title={say("users.notYourself")}>{say("users.you")}</span> : <button type="button" className="plain" aria-label={say("users.changeOne", { name: each.name })} onClick={() => setChanging(each)}>{say("users.change")}</button>),
    },
  ];
  return (
    <>
      <p><Button onClick={() => setAdding(true)}>{say("admin.newUser")}</Button></p>
      <Shown asked={asked} rows={4}>{(found) => <div className="card"><Grid label={say("admin.access")} columns={columns} rows={found} idOf={(each) => each.name} /></div>}</Shown>
      <p className="note">{say("users.notYourself")} {say("users.wayBack")} <code className="mono">guardship admin reset NAME</code></p>
      {isAdding && <NewUserDialog close={() => setAdding(false)} />}
      {changing && <ChangeUserDialog user={changing} close={() => setChanging(null)} />}
    </>
  );
}
