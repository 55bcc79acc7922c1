// A token for a script or another server; its secret is shown this once and kept nowhere.
import { Field, Input, Select } from "@fluentui/react-components";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { useNow } from "../../api/session";
import { Checks } from "../../ui/checks";
import { CopyField } from "../../ui/copy-field";
import { FormDialog, textOf } from "../../ui/form-dialog";
import { useSay } from "../../ui/words";

const DAY_MS = 86_400_000;

export function NewTokenDialog({ close }: { close: () => void }) {
  const say = useSay();
  const now = useNow();
  const queries = useQueryClient();
  const [scope, setScope] = useState<string[]>([]);
  const [typed, setTyped] = useState<string | null>(null);
  const { data: choices, error } = useQuery({ queryKey: ["tokens", "choices"], queryFn: () => dataOf(api.GET("/api/v1/tokens/choices")) });
  const create = useAct({
    mutationFn: (body: Schemas["NewToken"]) => dataOf(api.POST("/api/v1/tokens", { body })),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["tokens"] }),
    gcTime: 0, // the answer holds the secret
  });
  const days = Number(typed ?? choices?.days);
  const ends = days > 0 && days <= (choices?.most_days ?? 0) ? new Date(now.getTime() + days * DAY_MS).toISOString().slice(0, 10) : "";
  const submit = (form: FormData) => create.mutate({ name: textOf(form, "name"), role: textOf(form, "role") as Schemas["NewToken"]["role"], scope, days });
  return (
    <FormDialog
      title={say("tokens.newTitle")} act={say("tokens.create")} sending={{ error: create.error ?? error, isPending: create.isPending }} submit={submit} close={close} isReady={choices !== undefined} width={640}
      done={create.data && <><CopyField label={say("tokens.secret", { name: create.data.token.name })} value={create.data.secret} /><p>{say("tokens.secretOnce")}</p></>}
    >
      <Field label={say("word.name")} hint={say("tokens.nameNote")} required><Input name="name" autoComplete="off" required maxLength={120} /></Field>
      <Field label={say("admin.role")}><Select name="role">{choices?.roles.map((each) => <option key={each} value={each}>{each}</option>)}</Select></Field>
      <Checks legend={say("admin.scope")} note={say("tokens.scopeNote")} options={(choices?.scopes ?? []).map((each) => ({ value: each, label: each }))} picked={scope} change={setScope} />
      <Field label={say("tokens.days")} hint={ends && say("tokens.ends", { date: ends, most: choices?.most_days ?? 0 })} required>
        <Input type="number" min={1} max={choices?.most_days} required value={typed ?? String(choices?.days ?? "")} onChange={(_, data) => setTyped(data.value)} />
      </Field>
    </FormDialog>
  );
}
