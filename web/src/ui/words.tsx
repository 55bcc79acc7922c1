// Messages by key, in the language of the reader; the catalogue is given from above.
import { type ReactNode, createContext, useContext } from "react";

type Catalogue = Record<string, string>;
export type Say = (key: string, values?: Record<string, string | number>) => string;

const Words = createContext<Say>((key) => key);

/** Looks a key up in each catalogue in turn and fills in `{name}`. */
export function WordsProvider({ catalogues, children }: { catalogues: Catalogue[]; children: ReactNode }) {
  const say: Say = (key, values) => {
    const text = catalogues.find((each) => key in each)?.[key] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values?.[name] ?? whole));
  };
  return <Words.Provider value={say}>{children}</Words.Provider>;
}

export function useSay(): Say {
  return useContext(Words);
}
