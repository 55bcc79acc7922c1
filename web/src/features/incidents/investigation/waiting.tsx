// An isolation that waits for somebody's consent, and how long it still can.
import { useNow } from "../../../api/session";
import { span } from "../../../ui/time";
import { Verdict } from "../../../ui/verdict";
import { useSay } from "../../../ui/words";
import type { Approval } from "./facts";

export function Waiting({ approval }: { approval: Approval }) {
  const say = useSay();
  const now = useNow();
  return <Verdict word="waiting" text={say("graph.waitsLeft", { span: minutes(new Date(approval.expires_at).getTime() - now.getTime()) })} />;
}

const minutes = (left: number) => (left < 60_000 ? span(Math.max(0, left)) : left < 3_600_000 ? `${Math.floor(left / 60_000)} min` : span(left));
