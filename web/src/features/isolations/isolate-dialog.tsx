// Isolate by hand: choose a machine, see what will change, say why.
import { Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, Field, Select, Textarea } from "@fluentui/react-components";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { useAct } from "../../api/act";
import { ApiError, api, dataOf } from "../../api/client";
import { Refused } from "../../ui/refused";
import { Verdict } from "../../ui/verdict";
import { useFocusBack } from "../../ui/focus-back";
import { useSay } from "../../ui/words";

export function IsolateDialog({ first, incident, close }: { first?: string; incident?: string; close: () => void }) {
  const say = useSay();
  useFocusBack();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [taken, setMachine] = useState<string | undefined>();
  const [reason, setReason] = useState("");
  const [wasAsked, setAsked] = useState(false);
  const { data: machines } = useQuery({ queryKey: ["machines"], queryFn: () => dataOf(api.GET("/api/v1/machines")) });
  const free = machines?.filter((each) => !each.isolation_id);
  const named = (machines ?? []).find((each) => [each.machine_id, each.name].some((name) => name.toLowerCase() === first?.toLowerCase()));
  const machine = taken ?? named?.machine_id ?? "";
  const plan = useQuery({
    queryKey: ["plan", machine],
    queryFn: () => dataOf(api.GET("/api/v1/isolations/plan", { params: { query: { machine } } })),
    enabled: machine !== "",
  });
  const isolate = useAct({
    mutationFn: () => dataOf(api.POST("/api/v1/isolations", { body: { machine, reason, incident_id: incident ?? null } })),
    onSuccess: (found) => {
      void queries.invalidateQueries();
      close();
      void navigate({ to: `/containment/${found.isolation_id}` as never });
    },
  });
  const isHeld = isolate.error instanceof ApiError && isolate.error.problem.code === "containment.held";
  const asked = useRef<HTMLParagraphElement>(null);
  useEffect(() => asked.current?.querySelector("a")?.focus(), [isHeld]); // the button that had the focus is gone
  const go = () => {
    setAsked(true);
    if (reason.trim() && machine) isolate.mutate();
  };
  return (
    <Dialog open onOpenChange={(_, data) => !data.open && close()}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{say("containment.isolateTitle")}</DialogTitle>
          <DialogContent>
            <Field label={say("word.machine")} hint={free?.length === 0 ? say("containment.noneFree") : undefined}>
              <Select value={machine} onChange={(_, data) => setMachine(data.value)}>
                <option value="" />
                {(free ?? []).map((each) => <option key={each.machine_id} value={each.machine_id}>{each.name}</option>)}
              </Select>
            </Field>
            <Refused error={plan.error} />
            {plan.data && (
              <div style={{ margin: "12px 0" }}>
                <h3>{say("containment.plan")}</h3>
                {plan.data.steps.map((step) => (
                  <p key={step.interface} className="row wrap">
                    <span className="mono">{step.interface} {step.address}</span> {step.group_before || say("containment.noGroup")} → <span className="strong">{step.group_after}</span>
                    {step.way_left_open && <Verdict word="notBlocked" text={step.way_left_open} />}
                  </p>
                ))}
                {plan.data.is_protected ? <p><Verdict word="waiting" text={say("containment.protected")} /></p> : <p className="note">{say("containment.capNote")}</p>}
              </div>
            )}
            <Field label={say("word.reason")} validationMessage={wasAsked && !reason.trim() ? say("containment.reasonNeeded") : undefined}>
              <Textarea value={reason} onChange={(_, data) => setReason(data.value)} maxLength={1000} />
            </Field>
            {isHeld ? <p role="status" ref={asked}>{say("containment.asked")} <Link className="in-text" to={"/admin" as never} search={{ tab: "approvals" } as never}>{say("admin.approvals")}</Link></p> : <Refused error={isolate.error} />}
          </DialogContent>
          <DialogActions>
            <Button appearance="primary" onClick={close}>{say(isHeld ? "word.close" : "containment.cancel")}</Button>
            {!isHeld && <button type="button" className="danger" disabled={!machine} aria-disabled={isolate.isPending} onClick={() => !isolate.isPending && go()}>{say("containment.isolateDo", { machine: plan.data?.machine_name ?? "" })}</button>}
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
