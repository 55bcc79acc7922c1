// Times and spans as people read them: 03:09:12, 4 min 38 s, 3:55:07.

export function clock(moment: string | Date): string {
  return new Date(moment).toISOString().slice(11, 19);
}

export function clockTenths(moment: string | Date): string {
  return new Date(moment).toISOString().slice(11, 21);
}

const NEAR_MS = 6 * 86_400_000;

/** Today's things by their time alone, those within a week with the day, others with the date. */
export function moment(value: string | Date, now: Date): string {
  return isSameDay(value, now) ? clock(value) : minute(value, now);
}

/** The same without seconds: 07:09, Wed 07:09, 2026-12-24 07:09. */
export function minute(value: string | Date, now: Date): string {
  const at = new Date(value);
  const time = clock(at).slice(0, 5);
  if (isSameDay(at, now)) return time;
  if (Math.abs(now.getTime() - at.getTime()) < NEAR_MS) return `${at.toLocaleDateString(language(), { weekday: "short", timeZone: "UTC" })} ${time}`;
  return `${at.toISOString().slice(0, 10)} ${time}`;
}

export function isSameDay(left: string | Date, right: string | Date): boolean {
  return new Date(left).toISOString().slice(0, 10) === new Date(right).toISOString().slice(0, 10);
}

/** Tuesday 24 November, as a heading says it. */
export function dayOf(value: string | Date): string {
  return new Date(value).toLocaleDateString(language(), { weekday: "long", day: "numeric", month: "long", timeZone: "UTC" });
}

/** The language the page is written in; English days stand before their months. */
function language(): string {
  return document.documentElement.lang === "de" ? "de" : "en-GB";
}

export function span(milliseconds: number | null | undefined): string {
  if (milliseconds === null || milliseconds === undefined) return "";
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds < 20 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return withRest(minutes, "min", Math.floor(seconds % 60), "s");
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? withRest(hours, "h", minutes % 60, "min") : withRest(Math.floor(hours / 24), "d", hours % 24, "h");
}

function withRest(whole: number, unit: string, rest: number, smaller: string): string {
  return rest === 0 ? `${whole} ${unit}` : `${whole} ${unit} ${rest} ${smaller}`;
}

export function since(value: string, now: Date): string {
  return span(now.getTime() - new Date(value).getTime());
}

/** A countdown such as 3:55:07; nothing below zero. */
export function countdown(until: string, now: Date): string {
  const left = Math.max(0, Math.floor((new Date(until).getTime() - now.getTime()) / 1000));
  const two = (value: number) => String(value).padStart(2, "0");
  return `${Math.floor(left / 3600)}:${two(Math.floor(left / 60) % 60)}:${two(left % 60)}`;
}
