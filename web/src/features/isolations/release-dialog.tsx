// Before a release: what was and what will be, and a reason. The safe answer is the primary one; Enter never releases.
import { Button, Checkbox, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, Field, Textarea } from "@fluentui/react-components";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "../../api/act";
import { ApiError, api, dataOf } from "../../api/client";
import { Refused } from "../../ui/refused";
import { Shown } from "../../ui/states";
import { useFocusBack } from "../../ui/focus-back";
import { useSay } from "../../ui/words";

// What a refused release may be forced over, by the refusal's code.
const FORCE: Record<string, "containment.force" | "containment.forceShared"> = {
  "containment.drifted": "containment.force",
  "containment.shared": "containment.forceShared",
};

export function ReleaseDialog({ id, close }: { id: string; close: () => void }) {
  const say = useSay();
  useFocusBack();
  const queries = useQueryClient();
  const [reason, setReason] = useState("");
  const [isForced, setForced] = useState(false);
  const [wasAsked, setAsked] = useState(false);
  const path = { isolation_id: id };
  const asked = useQuery({ queryKey: ["isolation", id], queryFn: () => dataOf(api.GET("/api/v1/isolations/{isolation_id}", { params: { path } })) });
  const release = useAct({
    mutationFn: () => dataOf(api.POST("/api/v1/isolations/{isolation_id}/release", { params: { path }, body: { reason, is_forced: isForced } })),
    onSuccess: () => {
      void queries.invalidateQueries();
      close();
    },
  });
  const force = release.error instanceof ApiError ? FORCE[release.error.problem.code ?? ""] : undefined;
  const go = () => {
    setAsked(true);
    if (reason.trim()) release.mutate();
  };
  return (
    <Dialog open modalType="alert" onOpenChange={(_, data) => !data.open && close()}>
      <DialogSurface>
        <Shown asked={asked}>{(found) => (
          <DialogBody>
            <DialogTitle>{say("containment.releaseTitle", { machine: found.machine_name })}</DialogTitle>
            <DialogContent>
              <p>{say("containment.releaseNote")}</p>
              {found.release_restores.map((each) => (
                <p key={each.resource_id}><span className="note">{each.resource_id.split("/").at(-1)}</span><br />{each.group_now || say("containment.noGroup")} → <span className="strong">{each.group_restored || say("containment.noGroup")}</span></p>
              ))}
              <Field label={say("word.reason")} validationMessage={wasAsked && !reason.trim() ? say("containment.reasonNeeded") : undefined}>
                <Textarea autoFocus value={reason} onChange={(_, data) => setReason(data.value)} maxLength={1000} />
              </Field>
              {force && <Checkbox label={say(force)} checked={isForced} onChange={(_, data) => setForced(data.checked === true)} />}
              <Refused error={release.error} />
            </DialogContent>
            <DialogActions>
              <Button appearance="primary" onClick={close}>{say("containment.keep")}</Button>
              <button type="button" className="danger" disabled={release.isPending} onClick={go}>{say("containment.releaseDo", { machine: found.machine_name })}</button>
            </DialogActions>
          </DialogBody>
        )}</Shown>
      </DialogSurface>
    </Dialog>
  );
}
