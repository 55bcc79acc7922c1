// The picture beside the sign-in: a guard ship with its lamp lit, in the harbour at night.
const STARS: [number, number, number][] = [[362, 118, 2], [153, 217, 1.5], [483, 195, 2], [571, 8, 1.5], [703, 140, 1.5], [648, 272, 1.5], [296, 294, 2], [66, 338, 1.5], [813, 350, 1.5]];
const WAVES: [number, number, number][] = [[208, 452, 658], [340, 495, 685], [164, 529, 711], [433, 616, 737], [230, 363, 785], [484, 749, 833]];
const QUAYS: [number, number, number, number][] = [[0, 592, 142, 22], [58, 576, 84, 38], [231, 595, 92, 19], [284, 577, 39, 37], [537, 604, 134, 10], [688, 585, 115, 29], [738, 564, 65, 50], [860, 590, 20, 24]];
const CRANES: [number, number][] = [[176, 512], [820, 494]];

export function Harbour() {
  return (
    <div className="harbour" aria-hidden="true">
      <div className="harbour-name"><img src="/logo.svg" alt="" width={34} height={34} />Guardship</div>
      <svg viewBox="0 0 880 900" preserveAspectRatio="xMidYMid slice" width="100%" height="100%">
        <defs>
          <linearGradient id="sky" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stopColor="#06151d" /><stop offset="1" stopColor="#0c3044" /></linearGradient>
          <linearGradient id="sea" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stopColor="#0a2a35" /><stop offset="1" stopColor="#03101a" /></linearGradient>
          <linearGradient id="west" x1="1" y1="0" x2="0" y2="0"><stop offset="0" stopColor="#c9952b" stopOpacity="0.75" /><stop offset="1" stopColor="#c9952b" stopOpacity="0" /></linearGradient>
          <linearGradient id="east" x1="0" y1="0" x2="1" y2="0"><stop offset="0" stopColor="#c9952b" stopOpacity="0.75" /><stop offset="1" stopColor="#c9952b" stopOpacity="0" /></linearGradient>
        </defs>
        <rect width="880" height="614" fill="url(#sky)" />
        <rect y="614" width="880" height="286" fill="url(#sea)" />
        {STARS.map(([x, y, r]) => <circle key={`${x}${y}`} cx={x} cy={y} r={r} fill="#b4dde8" opacity="0.5" />)}
        <g fill="#061b27">
          {QUAYS.map(([x, y, width, height]) => <rect key={`${x}${y}`} x={x} y={y} width={width} height={height} />)}
          {CRANES.map(([x, y]) => <g key={x}><rect x={x} y={y} width="15" height={614 - y} /><rect x={x - 44} y={y} width="132" height="7" /></g>)}
        </g>
        <path d="M440 437 L0 342 L0 506 Z" fill="url(#west)" />
        <path d="M440 437 L880 342 L880 506 Z" fill="url(#east)" />
        <circle cx="440" cy="438" r="33" fill="#c9952b" opacity="0.35" />
        <rect x="433" y="456" width="14" height="94" fill="#cfe6ec" />
        <circle cx="440" cy="438" r="19" fill="#ffc247" />
        <rect x="387" y="548" width="106" height="30" fill="#b4dde8" />
        {[402, 432, 462].map((x) => <rect key={x} x={x} y="556" width="16" height="13" fill="#0a2230" />)}
        <path d="M330 576 H550 L527 630 Q521 642 508 642 H372 Q359 642 353 630 Z" fill="#e8f7fa" />
        {WAVES.map(([from, to, y]) => <line key={y} x1={from} x2={to} y1={y} y2={y} stroke="#c9952b" strokeWidth="2" opacity="0.45" />)}
      </svg>
    </div>
  );
}
