// Where traces come from: embedded in the page, a server, files, runs of a live machine.

import { LocalMachine } from "./machines/local";
import { readTrace, type Trace } from "./trace";

/** A live trace is that of the last run; kept ones are earlier runs, to compare it with. */
type SourceKind = "embedded" | "served" | "file" | "live" | "kept";

/** A trace that can be chosen by its name; it is read when it is first shown. */
export interface Source {
  kind: SourceKind;
  name: string;
  open(): Promise<Trace>;
}

/** Return a source of a trace file, which is read once. */
export function fileSource(
  kind: SourceKind,
  name: string,
  bytes: () => Promise<Uint8Array>,
): Source {
  let opened: Promise<Trace> | null = null;
  return {
    kind,
    name,
    open: () => (opened ??= bytes().then(readTrace)),
  };
}

/** Return a source of a trace that has been read already. */
export function traceSource(kind: SourceKind, trace: Trace): Source {
  return { kind, name: `${kind}: ${trace.title}`, open: async () => trace };
}

/** Return the traces that are embedded in the page. */
export function embedded(): Source[] {
  const tags = document.querySelectorAll<HTMLScriptElement>(
    'script[type="application/octet-stream"][id^="trace-"]',
  );
  return Array.from(tags, (tag) =>
    fileSource("embedded", tag.dataset.name || tag.id, async () =>
      decode(tag.textContent ?? ""),
    ),
  );
}

/** Return the machines that are embedded in the page, which it runs by itself. */
export function embeddedMachines(): LocalMachine[] {
  const tags = document.querySelectorAll<HTMLScriptElement>(
    'script[type="application/octet-stream"][id^="machine-"]',
  );
  return Array.from(tags, (tag, i) => new LocalMachine(i, decode(tag.textContent ?? "")));
}

function decode(base64: string): Uint8Array {
  const native = (Uint8Array as { fromBase64?(text: string): Uint8Array }).fromBase64;
  if (native) return native(base64);
  const letters = atob(base64.trim());
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

/** Return a file that the user opened as a source. */
export function fromFile(file: File): Source {
  return fileSource("file", file.name, async () => new Uint8Array(await file.arrayBuffer()));
}
