// API tokens: who made each, what it opens and until when; made and revoked here.
import { Button } from "@fluentui/react-components";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { useMay, useNow } from "../../api/session";
import { AskDialog } from "../../ui/ask-dialog";
import { type Column, Grid } from "../../ui/grid";
import { Empty, Shown } from "../../ui/states";
import { moment } from "../../ui/time";
import { Verdict } from "../../ui/verdict";
import { useSay } from "../../ui/words";
import { NewTokenDialog } from "./new-token-dialog";

type Token = Schemas["TokenOut"];

export function Tokens() {
  const say = useSay();
  const now = useNow();
  const isAdmin = useMay("admin");
  const [isAdding, setAdding] = useState(false);
  const [leaving, setLeaving] = useState<Token | null>(null);
  const asked = useQuery({ queryKey: ["tokens"], queryFn: () => dataOf(api.GET("/api/v1/tokens")) });
  const columns: Column<Token>[] = [
    { key: "name", title: say("word.name"), cell: (each) => <span className={isOver(each, now) ? "note" : "strong"}>{each.name}</span> },
    { key: "role", title: say("admin.role"), width: 110, cell: (each) => each.role },
    { key: "scope", title: say("admin.scope"), cell: (each) => <span title={each.scope.join(", ")}>{each.scope.join(", ") || say("word.all")}</span> },
    { key: "by", title: say("word.by"), width: 150, cell: (each) => each.created_by },
    { key: "state", title: say("word.state"), width: 130, keep: true, cell: (each) => <State of={each} now={now} /> },
    { key: "expires", title: say("admin.expires"), width: 160, cell: (each) => <span className="mono">{each.expires_at.slice(0, 16).replace("T", " ")}</span> },
    {
      key: "acts", title: say("tokens.acts"), width: 110, keep: true,
      cell: (each) => isAdmin && !isOver(each, now) && <button type="button" className="plain" aria-label={say("tokens.revokeOne", { name: each.name })} onClick={() => setLeaving(each)}>{say("tokens.revoke")}</button>,
    },
  ];
  return (
    <>
      {isAdmin && <p><Button onClick={() => setAdding(true)}>{say("tokens.new")}</Button></p>}
      <Shown asked={asked} rows={4}>{(found) => (found.length === 0 ? <Empty text={say("tokens.none")} /> : <div className="card"><Grid label={say("admin.tokens")} columns={columns} rows={found} idOf={(each) => each.token_id} /></div>)}</Shown>
      {isAdding && <NewTokenDialog close={() => setAdding(false)} />}
      {leaving && <RevokeDialog token={leaving} close={() => setLeaving(null)} />}
    </>
  );
}

function isOver(token: Token, now: Date): boolean {
  return token.revoked_at !== null || new Date(token.expires_at) <= now;
}

function State({ of: token, now }: { of: Token; now: Date }) {
  const say = useSay();
  if (token.revoked_at) return <span title={moment(token.revoked_at, now)}><Verdict word="cancelled" text={say("tokens.revoked")} /></span>;
  if (isOver(token, now)) return <Verdict word="queued" text={say("tokens.expired")} />;
  return <>{say("tokens.valid")}</>;
}

function RevokeDialog({ token, close }: { token: Token; close: () => void }) {
  const say = useSay();
  const queries = useQueryClient();
  const revoke = useAct({
    mutationFn: () => dataOf(api.DELETE("/api/v1/tokens/{token_id}", { params: { path: { token_id: token.token_id } } })),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["tokens"] });
      close();
    },
  });
  const { name } = token;
  return (
    <AskDialog title={say("tokens.revokeTitle", { name })} act={say("tokens.revokeDo", { name })} keep={say("tokens.keep")} sending={revoke} go={() => revoke.mutate()} close={close}>
      <p>{say("tokens.revokeNote")}</p>
    </AskDialog>
  );
}
