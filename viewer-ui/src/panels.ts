// The choice of panels for a trace, by the kinds and axes of its fields. Only the circuit of an
// NRAM has a panel of its own.

import { cellsPanel } from "./cells";
import { circuitPanel } from "./circuit";
import { curvesPanel } from "./curves";
import { decisionPanel } from "./decision";
import { environmentPanel } from "./environment";
import { imagesOf } from "./episode";
import { lastOf } from "./fields";
import { imagesPanel } from "./images";
import { matrixPanel } from "./matrix";
import type { Panel } from "./panel";
import { programPanel } from "./program";
import { readoutPanel } from "./readout";
import { type Chosen, explained, stagePanel } from "./stages";
import { stripPanel } from "./strips";
import { tablePanel } from "./table";
import { tapesPanel } from "./tapes";
import { treePanel } from "./tree";
import type { Field, Trace } from "./trace";

export interface Panels {
  /** Panels of all there is to see, over the whole width. */
  top: Panel[];
  /** A panel of one step of something large, beside the others. */
  side: Panel[];
  main: Panel[];
  /** How what heads or gates do is computed: a picture for each equation. */
  stages: Panel[];
  /** Panels that are closed at first. */
  more: Panel[];
}

const FEW = 6; // curves of at most this many numbers can be told apart
const BESIDE = 6;
const SHORT = 24; // steps whose values fit into half a page

/** Return the panels of a trace, of its soft or its `hard` run. */
export function panelsOf(trace: Trace, hard: boolean, chosen: Chosen): Panels {
  const fields = [...(hard && trace.hard ? trace.hard : trace).fields.values()].filter(
    (f) => f.stride > 0,
  );
  const top: Panel[] = [];
  const side: Panel[] = [];
  const main: Panel[] = [];
  const more: Panel[] = [];
  if (trace.calls) {
    side.push(treePanel(trace.calls));
    main.push(environmentPanel(trace.calls), decisionPanel(trace.calls));
  }
  const narrow = trace.circuit !== null && trace.length <= SHORT;
  const images = imagesOf(trace);
  if (images) top.push(imagesPanel(trace, images, new Map(fields.map((f) => [f.name, f]))));
  const tapes = tapesPanel(trace);
  if (tapes) main.push(tapes);
  if (trace.program && !trace.circuit) main.push(programPanel(trace.program));
  const left = new Set(fields);
  const take = (name: string) => {
    const field = [...left].find((f) => f.name === name);
    if (field) left.delete(field);
    return field;
  };
  if (trace.circuit && fields.some((f) => f.name === "choices")) {
    placeCircuit(trace, take, narrow, main, more);
  }
  for (const field of fields) {
    if (field.kind === "matrix" && field.shape.length === 2) {
      left.delete(field);
      side.push(...placeMatrix(trace, field, [...left]));
    }
  }
  const [curved, others] = split([...left], (f) => isCurve(f));
  const [asides, plain] = split(others, (f) => f.aside);
  const [attention, rest] = split(plain, (f) => f.kind === "weighting");
  main.push(...attention.map((f) => anyPanel(trace, f)));
  for (const field of trace.example.values()) {
    const perStepOnly = field.axes.length === 1 && field.axes[0] === "step";
    if (perStepOnly && field.kind === "probability") curved.push(perStep(trace, field));
  }
  for (const group of new Set(curved.map((f) => f.group))) {
    const together = curved.filter((f) => f.group === group);
    const alone = together.length === 1;
    const title = capital(alone ? words(together[0]) : group);
    main.push({
      ...curvesPanel(title, alone ? together[0].description : "", together),
      narrow,
    });
  }
  main.push(...rest.map((f) => anyPanel(trace, f)));
  more.push(...asides.map((f) => anyPanel(trace, f)));
  const own = new Map(fields.map((f) => [f.name, f]));
  const stages = explained(own).map((f) =>
    stagePanel(trace, f, f.aside ? capital(words(f)) : `${capital(words(f))} now`, chosen),
  );
  return { top, side, main, stages, more };
}

function placeCircuit(
  trace: Trace,
  take: (name: string) => Field | undefined,
  narrow: boolean,
  main: Panel[],
  more: Panel[],
): void {
  const [memory, registers, gates, choices] = ["memory", "registers", "gates", "choices"].map(
    take,
  );
  if (memory) main.push(cellsPanel(memory.name));
  main.push(circuitPanel());
  if (trace.program) main.push(programPanel(trace.program));
  const table = (field: Field, title: string) =>
    main.push({
      ...tablePanel(trace, field, title, "Values that changed are set off"),
      narrow,
    });
  if (memory) table(memory, "Memory over time");
  if (registers) table(registers, "Registers over time");
  if (gates) more.push(tablePanel(trace, gates, "Gates over time", gates.description));
  if (choices) more.push(tablePanel(trace, choices, "Choices over time", choices.description));
}

function placeMatrix(trace: Trace, field: Field, others: Field[]): Panel[] {
  const [rows, columns] = field.axes;
  const along = (axis: string) =>
    others.filter((f) => f.axes.length > 0 && f.axes.length <= 2 && f.axes.at(-1) === axis);
  const beside = along(rows).filter((f) => !f.aside && f.stride / lastOf(f) <= BESIDE);
  const below =
    columns === rows
      ? []
      : along(columns).filter((f) => !f.aside && f.stride / lastOf(f) <= BESIDE);
  const panels = [matrixPanel(trace, field, capital(words(field)), beside, below)];
  // Fields with a number, or a few, for each of the same heads.
  const heads = beside.find((f) => f.axes.length === 2)?.axes[0];
  const said = others.filter(
    (f) =>
      f.axes[0] === heads && (f.axes.length === 1 || lastOf(f) <= FEW) && f.axes.length <= 2,
  );
  if (heads && said.length)
    panels.push(
      readoutPanel(
        trace,
        heads,
        said.filter((f) => !beside.includes(f)),
      ),
    );
  return panels;
}

function isCurve(field: Field): boolean {
  return ["scalar", "probability"].includes(field.kind) && field.stride <= FEW;
}

function anyPanel(trace: Trace, field: Field): Panel {
  const integers = field.kind === "integer" || field.kind === "pointer";
  const valued = integers || (field.kind === "distribution" && lastOf(field) > FEW);
  const title = capital(words(field));
  if (valued) return tablePanel(trace, field, title, field.description);
  return stripPanel(trace, field, title);
}

/** Return an array along all steps as a field with a number per step. */
function perStep(trace: Trace, field: Field): Field {
  if (trace.steps.length === trace.length) return { ...field, axes: [], shape: [], stride: 1 };
  const data = Float32Array.from(trace.steps, (step) => field.data[step - 1]);
  return { ...field, axes: [], shape: [], stride: 1, data };
}

function words(field: Field): string {
  return field.name.replaceAll("_", " ");
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function split<T>(all: T[], first: (x: T) => boolean): [T[], T[]] {
  return [all.filter(first), all.filter((x) => !first(x))];
}
