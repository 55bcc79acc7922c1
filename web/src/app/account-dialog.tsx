// What a person changes of their own way in: the password, and a second factor by an authenticator app.
import { Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, Field, Input } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useAct } from "../api/act";
import { api, dataOf } from "../api/client";
import { useFocusBack } from "../ui/focus-back";
import { Refused } from "../ui/refused";
import { useSay } from "../ui/words";

export function AccountDialog({ close }: { close: () => void }) {
  const say = useSay();
  useFocusBack();
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && close()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{say("account.title")}</DialogTitle>
          <DialogContent>
            <Password />
            <SecondFactor />
          </DialogContent>
          <DialogActions><Button onClick={close}>{say("word.close")}</Button></DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}

function Password() {
  const say = useSay();
  const change = useAct({ mutationFn: (body: { old: string; new: string }) => dataOf(api.POST("/api/v1/users/me/password", { body })) });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    change.mutate({ old: String(form.get("old") ?? ""), new: String(form.get("new") ?? "") });
  };
  return (
    <form onSubmit={submit} aria-label={say("account.password")}>
      <h3>{say("account.password")}</h3>
      <Field label={say("account.oldPassword")} hint={say("account.oldPasswordNote")}><Input name="old" type="password" autoComplete="current-password" /></Field>
      <Field label={say("account.newPassword")} hint={say("admin.passwordNote")} required><Input name="new" type="password" autoComplete="new-password" required minLength={12} /></Field>
      <Refused error={change.error} />
      <div className="row"><Button type="submit" disabled={change.isPending}>{say("account.change")}</Button>{change.isSuccess && <span role="status" className="tone-ok">{say("account.changed")}</span>}</div>
    </form>
  );
}

function SecondFactor() {
  const say = useSay();
  const [isWanted, setWanted] = useState(false);
  const { data: offer, error } = useQuery({
    queryKey: ["second-factor"],
    queryFn: () => dataOf(api.POST("/api/v1/users/me/second-factor")),
    enabled: isWanted,
    staleTime: Number.POSITIVE_INFINITY, // one secret as long as the dialog stands, and none that is kept
    gcTime: 0,
  });
  const confirm = useAct({ mutationFn: (body: { secret: string; code: string; old_code: string }) => dataOf(api.PUT("/api/v1/users/me/second-factor", { body })) });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    if (offer) confirm.mutate({ secret: offer.secret, code: String(form.get("code") ?? "").trim(), old_code: String(form.get("old_code") ?? "").trim() });
  };
  return (
    <form onSubmit={submit} aria-label={say("account.secondFactor")} style={{ marginTop: 20 }}>
      <h3>{say("account.secondFactor")}</h3>
      <p className="note">{say("account.secondFactorNote")}</p>
      <Refused error={error} />
      {confirm.isSuccess ? <p role="status" className="tone-ok">{say("account.secondFactorSet")}</p> : !offer ? <Button onClick={() => setWanted(true)}>{say("account.setUp")}</Button> : (
        <>
          <Field label={say("account.secret")}><Input readOnly value={offer.secret} className="mono" /></Field>
          <p><a href={offer.address}>{say("account.openApp")}</a></p>
          <Field label={say("account.code")} required><Input name="code" inputMode="numeric" autoComplete="one-time-code" required maxLength={10} /></Field>
          <Field label={say("account.oldCode")} hint={say("account.oldCodeNote")}><Input name="old_code" inputMode="numeric" autoComplete="off" maxLength={10} /></Field>
          <Refused error={confirm.error} />
          <Button type="submit" disabled={confirm.isPending}>{say("account.confirm")}</Button>
        </>
      )}
    </form>
  );
}
