// Who is signed in, and the server's clock: countdowns run from it, not from the reader's.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, createContext, useContext, useEffect, useState } from "react";
import { ApiError, type Schemas, api, dataOf, keepGuard, whenSignedOut } from "./client";

export type Me = Schemas["Me"];

interface Session {
  me: Me | null;
  isLoading: boolean;
  welcome: (me: Me) => void;
  leave: () => Promise<void>;
}

const SessionContext = createContext<Session>({ me: null, isLoading: true, welcome: () => undefined, leave: async () => undefined });

/** Between the tabs of a browser: one signs out, all do. */
const TABS = "guardship.session";

let offset = 0;

function keep(me: Me): Me {
  if (me.guard) keepGuard(me.guard);
  offset = new Date(me.now).getTime() - Date.now();
  return me;
}

export function SessionProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const { data, isPending } = useQuery({
    queryKey: ["session"],
    queryFn: async () => {
      try {
        return keep(await dataOf(api.GET("/api/v1/session")));
      } catch (error) {
        if (error instanceof ApiError && error.problem.status === 401) return null;
        throw error;
      }
    },
    staleTime: Number.POSITIVE_INFINITY,
    retry: 2,
  });
  useEffect(() => {
    // By a page load: nothing that was read stays, and what is typed and not saved is asked about first.
    const toSignIn = () => {
      const { pathname, search } = window.location;
      if (queries.getQueryData(["session"])) window.location.assign(`/sign-in?${new URLSearchParams({ next: pathname + search })}`);
    };
    const tabs = new BroadcastChannel(TABS);
    tabs.onmessage = toSignIn;
    whenSignedOut(toSignIn);
    return () => {
      tabs.close();
      whenSignedOut(() => undefined);
    };
  }, [queries]);
  const session: Session = {
    me: data ?? null,
    isLoading: isPending,
    welcome: (me) => queries.setQueryData(["session"], keep(me)),
    leave: async () => {
      await api.DELETE("/api/v1/session");
      const tabs = new BroadcastChannel(TABS);
      tabs.postMessage("left");
      tabs.close();
      queries.clear();
      window.location.assign("/sign-in");
    },
  };
  return <SessionContext.Provider value={session}>{children}</SessionContext.Provider>;
}

export function useSession(): Session {
  return useContext(SessionContext);
}

const ROLES = ["reader", "responder", "admin"];

/** Whether whoever is signed in holds this role; the server asks again. */
export function useMay(role: "responder" | "admin"): boolean {
  const { me } = useSession();
  return me !== null && ROLES.indexOf(me.role) >= ROLES.indexOf(role);
}

/** The server's time, ticking every second. */
export function useNow(): Date {
  const [now, setNow] = useState(() => new Date(Date.now() + offset));
  useEffect(() => {
    const timer = window.setInterval(() => setNow(new Date(Date.now() + offset)), 1000);
    return () => window.clearInterval(timer);
  }, []);
  return now;
}
