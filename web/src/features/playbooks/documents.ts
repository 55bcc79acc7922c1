// The documents of an import, from files or pasted, each with the name its playbook gets.

export interface Document {
  name: string;
  text: string;
  file?: string;
  refusal?: string;
}

const ENDING = /\.jsonc?$/i;

/** Null where the file is of another kind. */
export async function documentOf(file: File): Promise<Document | null> {
  if (!ENDING.test(file.name)) return null;
  return { name: file.name.replace(ENDING, ""), text: decoded(await file.arrayBuffer()), file: file.name };
}

/** By its byte order mark, as PowerShell writes one; UTF-8 otherwise. */
function decoded(bytes: ArrayBuffer): string {
  const [first, second] = new Uint8Array(bytes);
  const isWide = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  return new TextDecoder(isWide ? (first === 0xff ? "utf-16le" : "utf-16be") : "utf-8").decode(bytes);
}
