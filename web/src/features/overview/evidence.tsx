// The session that lives on: what a probe saw of it, in one line.
import { useQuery } from "@tanstack/react-query";
import { api, dataOf } from "../../api/client";
import { moment, since } from "../../ui/time";
import { useSay } from "../../ui/words";

export function Evidence({ id, opened, now }: { id: string; opened: string; now: Date }) {
  const say = useSay();
  const { data } = useQuery({
    queryKey: ["isolation", id],
    queryFn: () => dataOf(api.GET("/api/v1/isolations/{isolation_id}", { params: { path: { isolation_id: id } } })),
  });
  const probe = data?.probes.find((each) => each.result === "open" && each.finding !== "control");
  return (
    <dl className="lamp-evidence">
      <div><dt>{say("overview.session")}</dt><dd className="mono">{probe?.target ?? "–"}</dd></div>
      <div><dt>{say("overview.seen")}</dt><dd>{probe?.detail ?? "–"}</dd></div>
      <div><dt>{say("overview.isolatedAt")}</dt><dd>{moment(opened, now)}, {since(opened, now)}</dd></div>
    </dl>
  );
}
