// Light or dark, and the language: as the system says until the reader chooses.
import { FluentProvider } from "@fluentui/react-components";
import { type ReactNode, createContext, useContext, useEffect, useState } from "react";
import { WordsProvider } from "../ui/words";
import { de } from "./messages.de";
import { en } from "./messages.en";
import { pages } from "./messages.pages";
import { pagesDe } from "./messages.pages.de";
import { darkTheme, lightTheme } from "./theme";

export type Scheme = "system" | "light" | "dark";

interface Choice {
  scheme: Scheme;
  setScheme: (scheme: Scheme) => void;
  language: string;
  setLanguage: (language: string) => void;
}

const ChoiceContext = createContext<Choice | null>(null);

function kept<T extends string>(key: string, otherwise: T): [T, (value: T) => void] {
  const [value, setValue] = useState<T>(() => (window.localStorage.getItem(key) as T | null) ?? otherwise);
  const keep = (next: T) => {
    window.localStorage.setItem(key, next);
    setValue(next);
  };
  return [value, keep];
}

function useSystemIsDark(): boolean {
  const [query] = useState(() => window.matchMedia("(prefers-color-scheme: dark)"));
  const [isDark, setDark] = useState(query.matches);
  useEffect(() => {
    const change = () => setDark(query.matches);
    query.addEventListener("change", change);
    return () => query.removeEventListener("change", change);
  }, [query]);
  return isDark;
}

export function Appearance({ children }: { children: ReactNode }) {
  const [scheme, setScheme] = kept<Scheme>("guardship.scheme", "system");
  const [language, setLanguage] = kept<string>("guardship.language", navigator.language.startsWith("de") ? "de" : "en");
  const systemIsDark = useSystemIsDark();
  const isDark = scheme === "dark" || (scheme === "system" && systemIsDark);
  document.documentElement.lang = language; // before the pages are drawn: they name days in it
  useEffect(() => {
    document.documentElement.style.colorScheme = isDark ? "dark" : "light";
  }, [isDark]);
  const catalogues = language === "de" ? [de, pagesDe, en, pages] : [en, pages];
  return (
    <ChoiceContext.Provider value={{ scheme, setScheme, language, setLanguage }}>
      <FluentProvider theme={isDark ? darkTheme : lightTheme} style={{ height: "100%" }}>
        <WordsProvider language={language} catalogues={catalogues as Record<string, string>[]}>{children}</WordsProvider>
      </FluentProvider>
    </ChoiceContext.Provider>
  );
}

export function useAppearance(): Choice {
  const choice = useContext(ChoiceContext);
  if (!choice) throw new Error("useAppearance stands inside Appearance");
  return choice;
}
