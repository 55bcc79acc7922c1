// Who is signed in: colours, language, the own way in, and the way out.
import { type KeyboardEvent, Suspense, lazy, useEffect, useRef, useState } from "react";
import { useSession } from "../api/session";
import { useSay } from "../ui/words";
import { useAppearance } from "./appearance";

const AccountDialog = lazy(() => import("./account-dialog").then((module) => ({ default: module.AccountDialog })));
const SCHEMES = ["system", "light", "dark"] as const;
const LANGUAGES: [string, string][] = [["en", "English"], ["de", "Deutsch"]];

function initials(name: string): string {
  const parts = name.split(/\s+/).filter(Boolean);
  return parts.length > 1 ? `${parts[0]?.[0] ?? ""}${parts.at(-1)?.[0] ?? ""}`.toUpperCase() : name.slice(0, 2).toUpperCase();
}

export function You() {
  const say = useSay();
  const { me } = useSession();
  const [isOpen, setOpen] = useState(false);
  const [isChanging, setChanging] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const name = me?.display_name ?? "";
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  return (
    <div className="you" onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && setOpen(false)}>
      <button ref={button} type="button" className="avatar" aria-haspopup="menu" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)} title={name}>
        <span aria-hidden="true">{initials(name)}</span><span className="visually-hidden">{say("top.account")}: {name}</span>
      </button>
      {isOpen && <Choices close={close} change={() => { close(); setChanging(true); }} />}
      {isChanging && <Suspense><AccountDialog close={() => setChanging(false)} /></Suspense>}
    </div>
  );
}

function Choices({ close, change }: { close: () => void; change: () => void }) {
  const say = useSay();
  const { leave } = useSession();
  const { scheme, setScheme, language, setLanguage } = useAppearance();
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => list.current?.querySelector("button")?.focus(), []);
  const walk = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const all = [...(list.current?.querySelectorAll("button") ?? [])];
    if (step !== undefined) {
      event.preventDefault();
      all.at((all.indexOf(document.activeElement as HTMLButtonElement) + step) % all.length)?.focus();
    }
    if (event.key === "Escape") close();
  };
  return (
    <div ref={list} className="choices" role="menu" aria-label={say("top.account")} onKeyDown={walk}>
      <div role="group" aria-label={say("top.theme")}>
        {SCHEMES.map((value) => <button key={value} type="button" role="menuitemradio" aria-checked={scheme === value} onClick={() => { setScheme(value); close(); }}>{say(`theme.${value}`)}</button>)}
      </div>
      <div role="group" aria-label={say("top.language")}>
        {LANGUAGES.map(([value, text]) => <button key={value} type="button" role="menuitemradio" lang={value} aria-checked={language === value} onClick={() => { setLanguage(value); close(); }}>{text}</button>)}
      </div>
      <button type="button" role="menuitem" onClick={change}>{say("account.title")} …</button>
      <button type="button" role="menuitem" onClick={() => void leave()}>{say("top.signOut")}</button>
    </div>
  );
}
