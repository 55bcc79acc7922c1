// What waits for a person, and on which page it is found: a count stands where the thing is.
import { useQuery } from "@tanstack/react-query";
import { type Schemas, api, dataOf } from "./client";

/** Consent to isolate, to release, to keep isolated: all that Containment shows. */
export function isOfContainment(approval: Schemas["ApprovalOut"]): boolean {
  return approval.kind.startsWith("containment.");
}

/** How many things wait, by the address of their page. */
export function useWaitingCounts(): Record<string, number> {
  const { data } = useQuery({ queryKey: ["overview", "waiting"], queryFn: () => dataOf(api.GET("/api/v1/overview")) });
  if (!data) return {};
  const ofContainment = data.approvals.filter(isOfContainment).length;
  return { "/containment": data.not_cut.length + ofContainment, "/admin": data.approvals.length - ofContainment };
}
