// The guard ship with its lamp lit, on paper or on night: the hull takes the colour of links.
export function Ship({ size }: { size: number }) {
  return (
    <svg viewBox="0 0 32 32" width={size} height={size} aria-hidden className="ship">
      <path d="M14.5 12h3v6h-3zM4 18.5h24l-3.4 6.7a2 2 0 0 1-1.8 1.1H9.2a2 2 0 0 1-1.8-1.1z" fill="currentColor" />
      <circle cx="16" cy="9" r="2.6" fill="var(--gsSignal)" /><path d="M12.4 8.2 3.5 5v5.6zM19.6 8.2 28.5 5v5.6z" fill="var(--gsSignal)" opacity=".75" />
    </svg>
  );
}
