// A longer lease is asked for; another person approves.
import { Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, Field, Textarea } from "@fluentui/react-components";
import { useEffect, useRef, useState } from "react";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { useFocusBack } from "../../ui/focus-back";
import { Refused } from "../../ui/refused";
import { span } from "../../ui/time";
import { useSay } from "../../ui/words";

export function ExtendDialog({ isolation, close }: { isolation: Schemas["IsolationDetail"]; close: () => void }) {
  const say = useSay();
  useFocusBack();
  const [reason, setReason] = useState("");
  const ask = useAct({
    mutationFn: () => dataOf(api.POST("/api/v1/isolations/{isolation_id}/extend", { params: { path: { isolation_id: isolation.isolation_id } }, body: { reason, is_forced: false } })),
  });
  const leave = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (ask.isSuccess) leave.current?.focus(); // the button that had the focus is gone
  }, [ask.isSuccess]);
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && close()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{say("containment.extendTitle", { machine: isolation.machine_name })}</DialogTitle>
          <DialogContent>
            <p>{say("containment.extendBy", { span: span(isolation.extends_by_seconds * 1000) })}</p>
            <Field label={say("word.reason")}><Textarea autoFocus value={reason} onChange={(_, data) => setReason(data.value)} maxLength={1000} readOnly={ask.isSuccess} /></Field>
            {ask.isSuccess && <p role="status">{say("containment.asked")}</p>}
            <Refused error={ask.error} />
          </DialogContent>
          <DialogActions>
            <Button ref={leave} onClick={close}>{say(ask.isSuccess ? "word.close" : "containment.cancel")}</Button>
            {!ask.isSuccess && <Button appearance="primary" disabled={!reason.trim()} disabledFocusable={ask.isPending} onClick={() => ask.mutate()}>{say("containment.extendDo")}</Button>}
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
