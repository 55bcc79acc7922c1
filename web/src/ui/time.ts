// Times and spans as people read them: 03:09:12, 4 min 38 s, 3:55:07.

export function clock(moment: string | Date): string {
  return new Date(moment).toISOString().slice(11, 19);
}

export function clockTenths(moment: string | Date): string {
  return new Date(moment).toISOString().slice(11, 21);
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** Today's things by their time alone, this week's with the day, older ones with the date. */
export function moment(value: string | Date, now: Date = new Date()): string {
  const at = new Date(value);
  const age = now.getTime() - at.getTime();
  if (at.toISOString().slice(0, 10) === now.toISOString().slice(0, 10)) return clock(at);
  if (age < 6 * 86_400_000) return `${DAYS[at.getUTCDay()]} ${at.toISOString().slice(11, 16)}`;
  return at.toISOString().slice(0, 16).replace("T", " ");
}

export function span(milliseconds: number | null | undefined): string {
  if (milliseconds === null || milliseconds === undefined) return "";
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds < 20 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
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
