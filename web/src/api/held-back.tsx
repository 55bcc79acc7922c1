// "2 new - Show": what has come waits, so that nothing moves while you read.
import { useSay } from "../ui/words";
import { useHeldBack } from "./news";

export function HeldBack({ kinds, queryKey }: { kinds: string[]; queryKey: string }) {
  const say = useSay();
  const { count, show } = useHeldBack(kinds, queryKey);
  if (count === 0) return null;
  return (
    <div className="held" role="status" style={{ margin: "0 0 12px" }}>
      <span className="strong">{say("news.waiting", { count })}</span> <span className="note">{say("news.held")}</span><span className="grow" />
      <button type="button" className="plain" onClick={show}>{say("news.show")}</button>
    </div>
  );
}
