// What waits for a person, and on which page it is found: a count stands where the thing is.
import { useQuery } from "@tanstack/react-query";
import { type Schemas, api, dataOf } from "./client";
import type { Me } from "./session";

/** Consent to isolate, to release, to keep isolated: all that Containment shows. */
export function isOfContainment(approval: Schemas["ApprovalOut"]): boolean {
  return approval.kind.startsWith("containment.");
}

/** Whether this person asked for it, or stands behind what did: another has to answer. */
export function isOf({ asked_by, person }: Schemas["ApprovalOut"], me: Me | null): boolean {
  return [asked_by, person].includes(`user ${me?.name}`);
}

/** How many things wait, by the address of their page. */
export function useWaitingCounts(): Record<string, number> {
  const { data } = useQuery({ queryKey: ["overview", "waiting"], queryFn: () => dataOf(api.GET("/api/v1/overview")) });
  if (!data) return {};
  const ofContainment = data.approvals.filter(isOfContainment).length;
  return { "/containment": data.not_cut.length + ofContainment, "/admin": data.approvals.length - ofContainment };
}
