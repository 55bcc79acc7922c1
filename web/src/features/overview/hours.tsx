// Alerts by hour as stacked bars; only High is loud. The same facts stand in a table for those who do not see it.
import type { Schemas } from "../../api/client";
import { useSay } from "../../ui/words";

type Hour = Schemas["HourOut"];

const HEIGHT = 200;
const LEFT = 4; // per cent, for the numbers
const SHADES: [keyof Pick<Hour, "high" | "medium" | "low">, string, string][] = [
  ["low", "var(--gsChartLow)", "severity.Low"], ["medium", "var(--gsChartMedium)", "severity.Medium"], ["high", "var(--gsChartHigh)", "severity.High"],
];

export function Hours({ hours }: { hours: Hour[] }) {
  const say = useSay();
  const most = Math.max(4, ...hours.map((hour) => hour.high + hour.medium + hour.low));
  if (hours.every((hour) => hour.high + hour.medium + hour.low === 0)) return <p className="note">{say("overview.noAlerts")}</p>;
  const width = (100 - LEFT) / hours.length;
  const step = Math.max(1, Math.ceil(most / 4));
  const lines = Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step);
  const heightOf = (count: number) => (count / most) * (HEIGHT - 12);
  return (
    <>
      <svg width="100%" height={HEIGHT + 6} aria-hidden="true" style={{ display: "block" }}>
        {lines.map((count) => (
          <g key={count}>
            <line x1={`${LEFT}%`} x2="100%" y1={HEIGHT - heightOf(count)} y2={HEIGHT - heightOf(count)} stroke="var(--gsLine)" />
            <text x={`${LEFT - 1}%`} y={HEIGHT - heightOf(count) + 4} textAnchor="end" fontSize="11" fill="var(--gsText3)">{count}</text>
          </g>
        ))}
        {hours.map((hour, index) => {
          let top = HEIGHT;
          return SHADES.map(([name, colour]) => {
            const height = heightOf(hour[name]);
            top -= height;
            return <rect key={`${hour.hour}${name}`} x={`${LEFT + index * width + width * 0.15}%`} width={`${width * 0.7}%`} y={top} height={height} fill={colour} />;
          });
        })}
      </svg>
      <div className="hours-axis" aria-hidden="true">
        {hours.map((hour, index) => <span key={hour.hour} style={{ left: `${LEFT + index * width}%`, width: `${width}%` }}>{index % 3 === 0 ? hour.hour.slice(11, 16) : ""}</span>)}
      </div>
      <div className="visually-hidden"><table>
        <caption>{say("overview.alertsByHour")}</caption>
        <tbody>{hours.map((hour) => <tr key={hour.hour}><th scope="row">{hour.hour}</th><td>{hour.high}</td><td>{hour.medium}</td><td>{hour.low}</td></tr>)}</tbody>
      </table></div>
    </>
  );
}

export function Legend() {
  const say = useSay();
  return <span className="row" style={{ gap: 16 }}>{[...SHADES].reverse().map(([, colour, key]) => <span key={key} className="row note"><i style={{ width: 10, height: 10, borderRadius: 2, background: colour }} />{say(key)}</span>)}</span>;
}
