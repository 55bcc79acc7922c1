// What waits for a person's consent; the first answer counts, and a reason goes with it.
import { Button, Field, Textarea } from "@fluentui/react-components";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "../../api/act";
import { type Schemas, api, dataOf } from "../../api/client";
import { useMay, useNow, useSession } from "../../api/session";
import { isOf } from "../../api/waiting";
import { Refused } from "../../ui/refused";
import { Empty, Shown } from "../../ui/states";
import { moment, span } from "../../ui/time";
import { Verdict } from "../../ui/verdict";
import { useSay } from "../../ui/words";

type Approval = Schemas["ApprovalOut"];

export function Approvals() {
  const say = useSay();
  const asked = useQuery({ queryKey: ["approvals"], queryFn: () => dataOf(api.GET("/api/v1/approvals")) });
  return <Shown asked={asked} rows={4}>{(found) => (found.length === 0 ? <Empty text={say("admin.noApprovals")} /> : <>{found.map((each) => <One key={each.approval_id} approval={each} />)}</>)}</Shown>;
}

function One({ approval }: { approval: Approval }) {
  const say = useSay();
  const now = useNow();
  const queries = useQueryClient();
  const [reason, setReason] = useState("");
  const [wasAsked, setAsked] = useState(false);
  const left = new Date(approval.expires_at).getTime() - now.getTime();
  const { me } = useSession();
  const isOwn = isOf(approval, me);
  const mayAnswer = useMay("responder") && !isOwn;
  const isWaiting = approval.answer === "waiting" && left > 0;
  const answer = useAct({
    mutationFn: (isApproved: boolean) => dataOf(api.POST("/api/v1/approvals/{approval_id}/answer", { params: { path: { approval_id: approval.approval_id } }, body: { is_approved: isApproved, reason } })),
    onSuccess: () => void queries.invalidateQueries(),
  });
  const go = (isApproved: boolean) => {
    setAsked(true);
    if (reason.trim()) answer.mutate(isApproved);
  };
  return (
    <section className="card card-body" aria-label={approval.title}>
      <div className="row"><h2 className="grow">{approval.title}</h2>{isWaiting ? <Verdict word="waiting" /> : <Verdict word={approval.answer === "approved" ? "done" : "skipped"} text={say(`admin.is.${approval.answer === "waiting" ? "expired" : approval.answer}`)} />}</div>
      <p className="note">{say("admin.askedBy", { who: approval.asked_by })}, {moment(approval.asked_at, now)}{isWaiting && `, ${say("overview.expires", { span: span(left) })}`}{approval.answered_by && `. ${approval.answered_by}: ${approval.reason ?? ""}`}</p>
      {typeof approval.detail.reason === "string" && <p>{say("word.reason")}: {approval.detail.reason}</p>}
      {isWaiting && isOwn && <p>{say("admin.ownRequest")}</p>}
      {isWaiting && mayAnswer && (
        <>
          <Field label={say("word.reason")} validationMessage={wasAsked && !reason.trim() ? say("containment.reasonNeeded") : undefined}><Textarea value={reason} onChange={(_, data) => setReason(data.value)} /></Field>
          <Refused error={answer.error} />
          <div className="row" style={{ marginTop: 8 }}>
            <button type="button" className="danger" disabled={answer.isPending} onClick={() => go(true)}>{say("admin.approve")}</button>
            <Button appearance="primary" disabled={answer.isPending} onClick={() => go(false)}>{say("admin.refuse")}</Button>
          </div>
        </>
      )}
    </section>
  );
}
