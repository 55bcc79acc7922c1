// News from the server: what changed is read anew; lists that are being read are told how many things wait.
import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, createContext, useContext, useEffect, useRef, useState } from "react";
import { api, dataOf } from "./client";

interface Item {
  kind: string;
  id: string;
  at: string;
}

interface News {
  isLive: boolean;
  lastAt: string | null;
  /** Counts items of these kinds since the caller last took them. */
  subscribe: (take: (item: Item) => void) => () => void;
}

const NewsContext = createContext<News>({ isLive: false, lastAt: null, subscribe: () => () => undefined });

/** Which queries an item makes stale. Lists of alerts, incidents and runs wait for Show. */
const STALE: Record<string, string[]> = {
  alert: ["overview"], incident: ["overview", "incident"], run: ["overview", "run", "job", "incident"],
  isolation: ["overview", "isolations", "isolation", "machines", "incident"], approval: ["overview", "approvals", "incident"],
};

export function NewsProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [isLive, setLive] = useState(false);
  const [lastAt, setLastAt] = useState<string | null>(null);
  const takers = useRef(new Set<(item: Item) => void>());
  useEffect(() => {
    let source: EventSource | undefined;
    const connect = () => {
      source = new EventSource("/api/v1/news");
      source.onopen = () => setLive(true);
      source.onerror = () => {
        setLive(false);
        if (source?.readyState === EventSource.CLOSED) dataOf(api.GET("/api/v1/session")).catch(() => undefined); // refused: perhaps nobody is signed in any more
      };
      source.onmessage = (event: MessageEvent<string>) => take(JSON.parse(event.data) as Item);
    };
    const take = (item: Item) => {
      if (item.kind === "hello") return;
      setLastAt(item.at ?? null);
      if (item.kind === "reread") void queries.invalidateQueries();
      for (const key of STALE[item.kind] ?? []) void queries.invalidateQueries({ queryKey: [key] });
      for (const each of takers.current) each(item);
    };
    // A tab that nobody looks at gives its connection back: a browser opens six to one host, and a seventh tab would hang.
    const look = () => {
      source?.close();
      if (document.hidden) return;
      connect();
      void queries.invalidateQueries({ queryKey: ["overview"] });
    };
    connect();
    document.addEventListener("visibilitychange", look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      source?.close();
    };
  }, [queries]);
  const subscribe = (take: (item: Item) => void) => {
    takers.current.add(take);
    return () => {
      takers.current.delete(take);
    };
  };
  return <NewsContext.Provider value={{ isLive, lastAt, subscribe }}>{children}</NewsContext.Provider>;
}

export function useNews(): News {
  return useContext(NewsContext);
}

/** How many items of these kinds came since the last `show`, which reads the queries under `key` anew. */
export function useHeldBack(kinds: string[], key: string): { count: number; show: () => void } {
  const { subscribe } = useContext(NewsContext);
  const queries = useQueryClient();
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const wanted = kinds.join();
  useEffect(
    () => subscribe((item) => {
      if (wanted.split(",").includes(item.kind)) setIds((known) => new Set([...known, item.id]));
    }),
    [subscribe, wanted],
  );
  const show = () => {
    setIds(new Set());
    void queries.invalidateQueries({ queryKey: [key] });
  };
  return { count: ids.size, show };
}
