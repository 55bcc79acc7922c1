// Messages by key, in the language of the reader; the catalogues are given from above.
import { type ReactNode, createContext, useContext } from "react";

type Catalogue = Record<string, string>;
type Values = Record<string, string | number>;
export type Say = (key: string, values?: Values) => string;

const Words = createContext<Say>((key) => key);

interface WordsProviderProps {
  language: string;
  catalogues: Catalogue[];
  children: ReactNode;
}

/** Looks a key up in each catalogue in turn and fills in `{name}`. With a `count` it is `key.one` or `key.other`, as the language counts. */
export function WordsProvider({ language, catalogues, children }: WordsProviderProps) {
  const plurals = new Intl.PluralRules(language);
  const say: Say = (key, values) => {
    const wanted = typeof values?.count === "number" ? [`${key}.${plurals.select(values.count)}`, `${key}.other`, key] : [key];
    const text = catalogues.map((each) => wanted.map((one) => each[one]).find(Boolean)).find(Boolean) ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values?.[name] ?? whole));
  };
  return <Words.Provider value={say}>{children}</Words.Provider>;
}

export function useSay(): Say {
  return useContext(Words);
}
