// The parameters of a machine: the arrays of a safetensors file, by their names.

import { list, record, TraceError, whole } from "../checks";
import { readHeader } from "../trace";
import { Linear, type Matrix } from "./arrays";

const LARGEST = 1 << 26; // numbers along an axis

interface Tensor {
  shape: number[];
  data: Float32Array;
}

export class Parameters {
  private readonly tensors = new Map<string, Tensor>();

  /** Read all arrays of a file; throws TraceError if it is not whole. */
  static read(file: Uint8Array): { parameters: Parameters; metadata: unknown } {
    const { header, start } = readHeader(file);
    const found = new Parameters();
    for (const [name, value] of Object.entries(header)) {
      if (name === "__metadata__") continue;
      const entry = record(value, name);
      if (entry.dtype !== "F32") throw new TraceError(`The array ${name} is not of floats.`);
      const shape = list(entry.shape, name).map((x) => whole(x, name, 0, LARGEST));
      const [first, end] = list(entry.data_offsets, name).map((x) =>
        whole(x, name, 0, file.length),
      );
      const bytes = 4 * shape.reduce((a, b) => a * b, 1);
      if (end - first !== bytes || start + end > file.length) {
        throw new TraceError(`The array ${name} is not whole: the file is damaged.`);
      }
      const own = file.slice(start + first, start + end); // aligned
      found.tensors.set(name, { shape, data: new Float32Array(own.buffer) });
    }
    return { parameters: found, metadata: header.__metadata__ };
  }

  get count(): number {
    return [...this.tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
  }

  copy(): Parameters {
    const made = new Parameters();
    for (const [name, { shape, data }] of this.tensors) {
      made.tensors.set(name, { shape, data: data.slice() });
    }
    return made;
  }

  get names(): string[] {
    return [...this.tensors.keys()];
  }

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  numbers(name: string): Float32Array {
    return this.get(name).data;
  }

  matrix(name: string): Matrix {
    const { shape, data } = this.get(name);
    if (shape.length !== 2) throw new TraceError(`The array ${name} is no matrix.`);
    return { rows: shape[0], columns: shape[1], data };
  }

  /** Return a layer; it may lack a bias. */
  linear(name: string): Linear {
    const bias = `${name}.bias`;
    return new Linear(
      this.matrix(`${name}.weight`),
      this.has(bias) ? this.numbers(bias) : null,
    );
  }

  /** Return the layers `name.0`, `name.1`, ... */
  linears(name: string): Linear[] {
    const found: Linear[] = [];
    while (this.has(`${name}.${found.length}.weight`)) {
      found.push(this.linear(`${name}.${found.length}`));
    }
    return found;
  }

  private get(name: string): Tensor {
    const found = this.tensors.get(name);
    if (!found) throw new TraceError(`The array ${name} is missing.`);
    return found;
  }
}
