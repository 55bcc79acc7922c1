// Another role, or the door shut; either ends the sessions of that person.
import { Checkbox, Field, Select } from "@fluentui/react-components";
import { useQueryClient } from "@tanstack/react-query";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { FormDialog, textOf } from "../../ui/form-dialog";
import { useSay } from "../../ui/words";
import { ROLES } from "./roles";

type Change = Schemas["UserChange"];

export function ChangeUserDialog({ user, close }: { user: Schemas["UserOut"]; close: () => void }) {
  const say = useSay();
  const queries = useQueryClient();
  const { name } = user;
  const change = useAct({
    mutationFn: (body: Change) => dataOf(api.PATCH("/api/v1/users/{name}", { params: { path: { name } }, body })),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["users"] });
      close();
    },
  });
  const submit = (form: FormData) => {
    const role = textOf(form, "role") as Change["role"];
    const isDisabled = form.has("disabled");
    const body: Change = { ...(role !== user.role && { role }), ...(isDisabled !== (user.disabled_at !== null) && { is_disabled: isDisabled }) };
    if (Object.keys(body).length > 0) change.mutate(body);
    else close();
  };
  return (
    <FormDialog title={say("users.changeTitle", { name })} act={say("users.changeDo", { name })} leave={say("users.leave")} sending={change} submit={submit} close={close}>
      <Field label={say("admin.role")}><Select name="role" defaultValue={user.role}>{ROLES.map((each) => <option key={each} value={each}>{each}</option>)}</Select></Field>
      <Checkbox name="disabled" label={say("users.disabled")} defaultChecked={user.disabled_at !== null} />
      <p className="note">{say("users.changeNote")}</p>
    </FormDialog>
  );
}
