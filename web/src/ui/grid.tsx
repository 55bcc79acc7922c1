// A table of ours: fixed widths, rows of 32, arrows walk it, Enter opens, and it can be had as CSV.
import { type KeyboardEvent, type ReactNode, useRef, useState } from "react";
import { asCsv, download } from "./csv";
import { useSay } from "./words";

export interface Column<T> {
  key: string;
  title: string;
  width?: number | string;
  isNumber?: boolean;
  keep?: boolean;
  cell: (row: T) => ReactNode;
}

interface GridProps<T> {
  label: string;
  columns: Column<T>[];
  rows: T[];
  idOf: (row: T) => string;
  selected?: string | null;
  open?: (row: T) => void;
  /** Where the rows come from: then they can be had as CSV, and as a call of the API. */
  from?: string;
}

export function Grid<T>({ label, columns, rows, idOf, selected, open, from }: GridProps<T>) {
  const table = useRef<HTMLTableElement>(null);
  const body = useRef<HTMLTableSectionElement>(null);
  const walk = (event: KeyboardEvent<HTMLTableRowElement>, row: T) => {
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      const all = [...(body.current?.rows ?? [])];
      all[all.indexOf(event.currentTarget) + step]?.focus();
    }
    if (event.key === "Enter" && open) open(row);
  };
  return (
    <>
    <table ref={table} className="grid" aria-label={label}>
      <colgroup>{columns.map((column) => <col key={column.key} style={{ width: column.width }} />)}</colgroup>
      <thead>
        <tr>{columns.map((column) => <th key={column.key} scope="col" className={column.isNumber ? "right" : ""}>{column.title}</th>)}</tr>
      </thead>
      <tbody ref={body}>
        {rows.map((row, index) => (
          <tr
            key={idOf(row)} tabIndex={open ? (index === 0 || selected === idOf(row) ? 0 : -1) : undefined} onClick={open && (() => open(row))}
            onKeyDown={open && ((event) => walk(event, row))} aria-selected={selected === undefined ? undefined : selected === idOf(row)}
          >
            {columns.map((column) => (
              <td key={column.key} className={`${column.isNumber ? "right" : ""} ${column.keep ? "keep" : ""}`}>{column.cell(row)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
    {from && <Foot table={() => table.current} label={label} count={rows.length} from={from} />}
    </>
  );
}

function Foot({ table, label, count, from }: { table: () => HTMLTableElement | null; label: string; count: number; from: string }) {
  const say = useSay();
  const [isCopied, setCopied] = useState(false);
  const save = () => {
    const [head = [], ...rows] = [...(table()?.rows ?? [])].map((row) => [...row.cells].map((cell) => cell.textContent ?? ""));
    download(`${label.toLowerCase().replaceAll(" ", "-")}.csv`, asCsv(head, rows));
  };
  const copy = async () => {
    await navigator.clipboard.writeText(`curl -H "Authorization: Bearer $GUARDSHIP_TOKEN" ${window.location.origin}${from}`);
    setCopied(true);
  };
  return (
    <div className="grid-foot">
      <span className="grow">{say("grid.count", { count })}</span>
      <button type="button" className="plain" onClick={save}>{say("grid.csv")}</button>
      <button type="button" className="plain" onClick={() => void copy()}>{say(isCopied ? "grid.copied" : "grid.copy")}</button>
    </div>
  );
}
