// Somebody else who may come in: without a second person nobody can approve what the first one asks for.
import { Field, Input, Select } from "@fluentui/react-components";
import { useQueryClient } from "@tanstack/react-query";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { FormDialog, textOf } from "../../ui/form-dialog";
import { useSay } from "../../ui/words";
import { ROLES } from "./roles";

export function NewUserDialog({ close }: { close: () => void }) {
  const say = useSay();
  const queries = useQueryClient();
  const create = useAct({
    mutationFn: (body: Schemas["NewUser"]) => dataOf(api.POST("/api/v1/users", { body })),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["users"] });
      close();
    },
  });
  const submit = (form: FormData) =>
    create.mutate({ name: textOf(form, "name"), display_name: textOf(form, "display_name"), role: textOf(form, "role") as Schemas["NewUser"]["role"], password: String(form.get("password") ?? "") });
  return (
    <FormDialog title={say("admin.newUser")} act={say("admin.add")} sending={create} submit={submit} close={close}>
      <Field label={say("word.name")} required><Input name="name" autoComplete="off" required /></Field>
      <Field label={say("admin.displayName")}><Input name="display_name" autoComplete="off" /></Field>
      <Field label={say("admin.role")}><Select name="role" defaultValue="responder">{ROLES.map((each) => <option key={each} value={each}>{each}</option>)}</Select></Field>
      <Field label={say("admin.password")} hint={say("admin.passwordNote")} required><Input name="password" type="password" autoComplete="new-password" required minLength={12} /></Field>
    </FormDialog>
  );
}
