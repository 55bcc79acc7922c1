// A run that isolated a machine is told by what the probes saw, not by its own word.
import { useQuery } from "@tanstack/react-query";
import { type Schemas, api, dataOf } from "../../api/client";
import { wordOfStatus } from "../../ui/verdict";

export type Isolation = Schemas["IsolationOut"];

/** Isolations by the run that made them. */
export function useIsolationsOfRuns(): Map<string, Isolation> {
  const { data } = useQuery({ queryKey: ["isolations"], queryFn: () => dataOf(api.GET("/api/v1/isolations")) });
  return new Map((data ?? []).flatMap((each) => (each.run_id ? [[each.run_id, each] as const] : [])));
}

/** Proved: a probe saw the effect. Done: it ran. */
export function wordOfRun(run: Schemas["RunOut"], isolation: Isolation | undefined): string {
  const word = wordOfStatus(run.status);
  if (word !== "done" || !isolation?.verified_at) return word;
  return isolation.new_connections_blocked === "verified" && isolation.live_sessions_cut === "verified" ? "proved" : "notProved";
}
