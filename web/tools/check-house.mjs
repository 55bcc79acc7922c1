// The console's house rules that TypeScript does not hold: sizes, default exports, features that import each other.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

const MOST_LINES = 250;
const wrong = [];

for (const file of filesBelow("src")) {
  const name = relative(".", file);
  if (!/\.tsx?$/.test(name) || name.endsWith("schema.ts")) continue;
  const text = readFileSync(file, "utf8");
  const lines = text.split("\n").length;
  if (lines > MOST_LINES && !name.includes("messages.")) wrong.push(`${name}: ${lines} lines, ${MOST_LINES} at most`);
  if (/^export default/m.test(text)) wrong.push(`${name}: a default export`);
  const feature = name.match(/^src\/features\/([^/]+)\//)?.[1];
  for (const [, path] of text.matchAll(/from "([^"]+)"/g)) {
    const other = path.match(/features\/([^/]+)/)?.[1];
    if (feature && other && other !== feature) wrong.push(`${name}: imports the feature ${other}`);
    if (name.startsWith("src/ui/") && /features\/|\/app\//.test(path)) wrong.push(`${name}: the ui knows nothing of ${path}`);
  }
}

if (wrong.length > 0) {
  console.error(wrong.join("\n"));
  process.exit(1);
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesBelow(join(folder, entry.name)) : [join(folder, entry.name)],
  );
}
