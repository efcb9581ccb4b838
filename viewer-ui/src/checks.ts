// Checks of JSON that nobody has looked at yet; each throws TraceError for what is not as it says.

/** Why a file cannot be read as a trace. */
export class TraceError extends Error {}

export function parse(json: string, what: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new TraceError(`This is no trace: ${what} cannot be read.`);
  }
}

export function record(value: unknown, what: string): { [name: string]: unknown } {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as { [name: string]: unknown };
  }
  throw new TraceError(`This is no trace, or a damaged one: ${what} is not an object.`);
}

export function list(value: unknown, what: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw new TraceError(`This trace is damaged: ${what} is not a list.`);
}

export function text(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw new TraceError(`This trace is damaged: ${what} is not text.`);
}

export function number(value: unknown, what: string): number {
  if (typeof value === "number") return value;
  throw new TraceError(`This trace is damaged: ${what} is not a number.`);
}

export function whole(value: unknown, what: string, smallest: number, largest: number): number {
  if (
    Number.isInteger(value) &&
    (value as number) >= smallest &&
    (value as number) <= largest
  ) {
    return value as number;
  }
  throw new TraceError(
    `This trace is damaged: ${what} is not a whole number from ${smallest} to ${largest}.`,
  );
}
