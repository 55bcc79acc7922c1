// A restart ends the sessions of a machine and loses what is in its memory: the dialog says so, and asks for a reason.
import { Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, Field, Textarea } from "@fluentui/react-components";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { useFocusBack } from "../../ui/focus-back";
import { Refused } from "../../ui/refused";
import { useSay } from "../../ui/words";

export function RestartDialog({ isolation, close }: { isolation: Schemas["IsolationDetail"]; close: () => void }) {
  const say = useSay();
  useFocusBack();
  const queries = useQueryClient();
  const [reason, setReason] = useState("");
  const [wasAsked, setAsked] = useState(false);
  const restart = useAct({
    mutationFn: () => dataOf(api.POST("/api/v1/isolations/{isolation_id}/end-sessions", { params: { path: { isolation_id: isolation.isolation_id } }, body: { reason, is_forced: false } })),
    onSuccess: () => {
      void queries.invalidateQueries();
      close();
    },
  });
  const go = () => {
    setAsked(true);
    if (reason.trim()) restart.mutate();
  };
  const machine = isolation.machine_name;
  return (
    <Dialog open modalType="alert" onOpenChange={(_, data) => !data.open && close()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{say("containment.restartTitle", { machine })}</DialogTitle>
          <DialogContent>
            <p>{say("containment.restartNote")}</p>
            <Field label={say("word.reason")} validationMessage={wasAsked && !reason.trim() ? say("containment.reasonNeeded") : undefined}>
              <Textarea autoFocus value={reason} onChange={(_, data) => setReason(data.value)} maxLength={1000} />
            </Field>
            <Refused error={restart.error} />
          </DialogContent>
          <DialogActions>
            <Button appearance="primary" onClick={close}>{say("containment.leave")}</Button>
            <button type="button" className="danger" disabled={restart.isPending} onClick={go}>{say("containment.restartDo", { machine })}</button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
