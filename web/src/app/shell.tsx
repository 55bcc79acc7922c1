// The frame of every page: rail, top bar, banners, the palette, and the news that keep it live.
import { useQuery } from "@tanstack/react-query";
import { Link, Navigate, Outlet, useRouterState } from "@tanstack/react-router";
import {
  Board20Regular, DocumentSearch20Regular, Flow20Regular, LockClosed20Regular, Server20Regular, Settings20Regular, ShieldError20Regular,
} from "@fluentui/react-icons";
import { type ReactNode, useMemo, useState } from "react";
import { api, dataOf } from "../api/client";
import { NewsProvider, useNews } from "../api/news";
import { useNow, useSession } from "../api/session";
import { useWaitingCounts } from "../api/waiting";
import { moment } from "../ui/time";
import { useSay } from "../ui/words";
import { Keys } from "./keys";
import { Palette } from "./palette";
import { TopBar } from "./top-bar";

interface Place {
  to: string;
  key: string;
  icon: ReactNode;
  below: string[];
}

const PLACES: Place[] = [
  { to: "/", key: "nav.overview", icon: <Board20Regular />, below: [] },
  { to: "/incidents", key: "nav.incidents", icon: <ShieldError20Regular />, below: ["/incidents", "/alerts"] },
  { to: "/playbooks", key: "nav.playbooks", icon: <Flow20Regular />, below: ["/playbooks", "/runs", "/automation-rules", "/runbooks", "/jobs"] },
  { to: "/containment", key: "nav.containment", icon: <LockClosed20Regular />, below: ["/containment"] },
  { to: "/machines", key: "nav.machines", icon: <Server20Regular />, below: ["/machines"] },
  { to: "/logs", key: "nav.logs", icon: <DocumentSearch20Regular />, below: ["/logs", "/analytics-rules"] },
];
const ADMIN: Place = { to: "/admin", key: "nav.admin", icon: <Settings20Regular />, below: ["/admin"] };

export function Shell() {
  const { me, isLoading } = useSession();
  const path = useRouterState({ select: (state) => state.location.href });
  const [wanted] = useState(path); // the address changes while the sign-in page is still on its way
  const search = useMemo(() => ({ next: wanted }), [wanted]);
  if (isLoading) return null;
  if (!me) return <Navigate to={"/sign-in" as never} search={search as never} replace />;
  return (
    <NewsProvider>
      <Frame />
    </NewsProvider>
  );
}

function Frame() {
  const say = useSay();
  const path = useRouterState({ select: (state) => state.location.pathname });
  const waiting = useWaitingCounts();
  return (
    <div className="shell">
      <a href="#page" className="visually-hidden">{say("nav.skip")}</a>
      <nav className="rail" aria-label={say("nav.label")}>
        <div className="rail-mark"><img src="/logo.svg" alt="Guardship" /></div>
        {PLACES.map((place) => <RailLink key={place.to} place={place} path={path} count={waiting[place.to] ?? 0} />)}
        <div className="rail-foot"><RailLink place={ADMIN} path={path} count={waiting[ADMIN.to] ?? 0} /></div>
      </nav>
      <div className="main">
        <TopBar />
        <Banners />
        <main id="page" className="page" tabIndex={-1}><Outlet /></main>
      </div>
      <Palette />
      <Keys />
    </div>
  );
}

function RailLink({ place, path, count }: { place: Place; path: string; count: number }) {
  const say = useSay();
  const isHere = place.to === "/" ? path === "/" : place.below.some((below) => path === below || path.startsWith(`${below}/`));
  return (
    <Link to={place.to as never} aria-current={isHere ? "page" : undefined}>
      {place.icon}
      <span>{say(place.key)}</span>
      {count > 0 && <span className="rail-count">{count}</span>}
    </Link>
  );
}

function Banners() {
  const say = useSay();
  const { isLive, lastAt } = useNews();
  const now = useNow();
  const { data } = useQuery({ queryKey: ["health"], queryFn: () => dataOf(api.GET("/api/v1/health")), refetchInterval: 30_000 });
  const isSimulated = data?.clouds.some((cloud) => cloud.is_simulated);
  return (
    <div role="status">
      {isSimulated && <div className="banner">{say("state.simulated")}</div>}
      {!isLive && lastAt && <div className="banner">{say("state.old", { time: moment(lastAt, now) })}</div>}
    </div>
  );
}
