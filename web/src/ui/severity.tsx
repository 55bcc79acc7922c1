// Severity as our own glyph, three rising bars, and its word.
import { useSay } from "./words";

const SOLID: Record<string, number> = { High: 3, Medium: 2, Low: 1, Informational: 0 };

export function Severity({ value, solid = false }: { value: string; solid?: boolean }) {
  const say = useSay();
  const count = SOLID[value] ?? 0;
  return (
    <span className={`severity severity-${value} ${solid && value === "High" ? "solid" : ""}`}>
      <svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true" fill="currentColor">
        {[0, 1, 2].map((bar) => (
          <rect key={bar} x={1 + bar * 4.5} y={9 - bar * 4} width="3" height={4 + bar * 4} rx="0.5" opacity={bar < count ? 1 : 0.28} />
        ))}
      </svg>
      {say(`severity.${value}`)}
    </span>
  );
}
