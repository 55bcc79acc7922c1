// Where I am, what I look for, what is isolated, whether this is live, and who I am.
import { PlugDisconnected20Regular, QuestionCircle20Regular, Search20Regular } from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api, dataOf } from "../api/client";
import { useNews } from "../api/news";
import { useNow } from "../api/session";
import { useLastCrumb } from "../ui/crumb";
import { clock } from "../ui/time";
import { useSay } from "../ui/words";
import { useCrumbs } from "./crumbs";
import { openKeys } from "./keys";
import { openPalette } from "./palette";
import { You } from "./you";

export function TopBar() {
  const say = useSay();
  const { isLive } = useNews();
  const now = useNow();
  const last = useLastCrumb();
  const crumbs = useCrumbs();
  return (
    <header className="top">
      <nav className="crumbs" aria-label={say("top.crumbs")}>
        {crumbs.map(([key, to], index) => (
          <span key={to} className="row">
            {index > 0 && <span className="note">›</span>}
            <Link to={to as never} activeOptions={{ exact: true, includeSearch: false }}>{say(key)}</Link>
          </span>
        ))}
        {last && <span className="row"><span className="note">›</span><span aria-current="page" className="cut">{last}</span></span>}
      </nav>
      <span className="grow" />
      <button type="button" className="find" onClick={openPalette}><Search20Regular /> {say("top.find")} <kbd>Ctrl K</kbd></button>
      <Isolated />
      <span className="row"><i className={`live-dot ${isLive ? "" : "stale"}`} />{say(isLive ? "top.live" : "top.stale")} · {clock(now)} UTC</span>
      <button type="button" className="icon-button" aria-label={say("top.keys")} title={say("top.keys")} onClick={openKeys}><QuestionCircle20Regular /></button>
      <You />
    </header>
  );
}

function Isolated() {
  const say = useSay();
  const { data } = useQuery({
    queryKey: ["isolations", "open"],
    queryFn: () => dataOf(api.GET("/api/v1/isolations", { params: { query: { open_only: true } } })),
  });
  if (!data || data.length === 0) return null;
  return <Link to={"/containment" as never} className="row strong isolated"><PlugDisconnected20Regular /> {say("top.isolated", { count: data.length })}</Link>;
}
