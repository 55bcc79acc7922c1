// Alerts by hour as stacked bars; only High is loud. The same facts stand in a table for those who do not see it.
import type { Schemas } from "../../api/client";
import { useSay } from "../../ui/words";

type Hour = Schemas["HourOut"];

const HEIGHT = 160;
const SHADES: [keyof Pick<Hour, "high" | "medium" | "low">, string, string][] = [
  ["low", "var(--gsChartLow)", "severity.Low"], ["medium", "var(--gsChartMedium)", "severity.Medium"], ["high", "var(--gsChartHigh)", "severity.High"],
];

export function Hours({ hours }: { hours: Hour[] }) {
  const say = useSay();
  const most = Math.max(4, ...hours.map((hour) => hour.high + hour.medium + hour.low));
  if (hours.every((hour) => hour.high + hour.medium + hour.low === 0)) return <p className="note">{say("overview.noAlerts")}</p>;
  const width = 100 / hours.length;
  return (
    <>
      <div className="row" style={{ justifyContent: "flex-end", gap: 16 }}>
        {[...SHADES].reverse().map(([, colour, key]) => <span key={key} className="row note"><i style={{ width: 10, height: 10, borderRadius: 2, background: colour }} />{say(key)}</span>)}
      </div>
      <svg width="100%" height={HEIGHT} aria-hidden="true" style={{ display: "block" }}>
        {hours.map((hour, index) => {
          let top = HEIGHT;
          return SHADES.map(([name, colour]) => {
            const height = (hour[name] / most) * (HEIGHT - 8);
            top -= height;
            return <rect key={`${hour.hour}${name}`} x={`${index * width + width * 0.15}%`} width={`${width * 0.7}%`} y={top} height={height} fill={colour} />;
          });
        })}
      </svg>
      <div className="row note" style={{ justifyContent: "space-between" }}>
        {hours.filter((_, index) => index % Math.ceil(hours.length / 8) === 0).map((hour) => <span key={hour.hour}>{hour.hour.slice(11, 16)}</span>)}
      </div>
      <table className="visually-hidden">
        <caption>{say("overview.alertsByHour")}</caption>
        <tbody>{hours.map((hour) => <tr key={hour.hour}><th scope="row">{hour.hour}</th><td>{hour.high}</td><td>{hour.medium}</td><td>{hour.low}</td></tr>)}</tbody>
      </table>
    </>
  );
}
