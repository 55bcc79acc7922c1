import { Link } from "@tanstack/react-router";
import { useSay } from "../ui/words";

export function NotFoundPage() {
  const say = useSay();
  return (
    <main className="empty">
      <h1>{say("state.notFound")}</h1>
      <p><Link to={"/" as never}>{say("nav.overview")}</Link></p>
    </main>
  );
}
