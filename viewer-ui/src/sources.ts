// Where traces come from: the page itself, files, a server.

import { readTrace, type Trace } from "./trace";

/** A trace by name, read when it is looked at. */
export interface Source {
  name: string;
  open(): Promise<Trace>;
}

/** Return a source that reads its bytes once. */
export function sourceOf(name: string, bytes: () => Promise<Uint8Array>): Source {
  let opened: Promise<Trace> | null = null;
  return {
    name,
    open: () => (opened ??= bytes().then(readTrace)),
  };
}

/** Return the traces that the page holds. */
export function embedded(): Source[] {
  const tags = document.querySelectorAll<HTMLScriptElement>(
    'script[type="application/octet-stream"][id^="trace-"]',
  );
  return Array.from(tags, (tag) =>
    sourceOf(tag.dataset.name || tag.id, async () => decode(tag.textContent ?? "")),
  );
}

function decode(base64: string): Uint8Array {
  const native = (Uint8Array as { fromBase64?(text: string): Uint8Array }).fromBase64;
  if (native) return native(base64);
  const letters = atob(base64.trim());
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

/** Return a file of the person's as a source. */
export function fromFile(file: File): Source {
  return sourceOf(file.name, async () => new Uint8Array(await file.arrayBuffer()));
}
