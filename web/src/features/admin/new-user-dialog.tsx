// Somebody else who may come in: without a second person nobody can approve what the first one asks for.
import { Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, Field, Input, Select } from "@fluentui/react-components";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent } from "react";
import { type Schemas, api, dataOf } from "../../api/client";
import { useFocusBack } from "../../ui/focus-back";
import { Refused } from "../../ui/refused";
import { useSay } from "../../ui/words";

const ROLES = ["reader", "responder", "admin"] as const;

export function NewUserDialog({ close }: { close: () => void }) {
  const say = useSay();
  useFocusBack();
  const queries = useQueryClient();
  const create = useMutation({
    mutationFn: (body: Schemas["NewUser"]) => dataOf(api.POST("/api/v1/users", { body })),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["users"] });
      close();
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "");
    create.mutate({ name: text("name"), display_name: text("display_name"), role: text("role") as Schemas["NewUser"]["role"], password: text("password") });
  };
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && close()}>
      <DialogSurface>
        <form onSubmit={submit}>
          <DialogBody>
            <DialogTitle>{say("admin.newUser")}</DialogTitle>
            <DialogContent>
              <Field label={say("word.name")} required><Input name="name" autoComplete="off" autoFocus required /></Field>
              <Field label={say("admin.displayName")}><Input name="display_name" autoComplete="off" /></Field>
              <Field label={say("admin.role")}><Select name="role" defaultValue="responder">{ROLES.map((each) => <option key={each} value={each}>{each}</option>)}</Select></Field>
              <Field label={say("admin.password")} hint={say("admin.passwordNote")} required><Input name="password" type="password" autoComplete="new-password" required minLength={12} /></Field>
              <Refused error={create.error} />
            </DialogContent>
            <DialogActions>
              <Button onClick={close}>{say("containment.cancel")}</Button>
              <Button appearance="primary" type="submit" disabledFocusable={create.isPending}>{say("admin.add")}</Button>
            </DialogActions>
          </DialogBody>
        </form>
      </DialogSurface>
    </Dialog>
  );
}
