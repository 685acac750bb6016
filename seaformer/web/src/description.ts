/** page.json: what the page knows about its model; seaformer/bundling/web_page.py writes it. */

import type { TensorDescription } from "./session";

export const SCHEMA_VERSION = 1;

export interface InputDescription extends TensorDescription {
  layout: "NCHW" | "NHWC";
  normalization: "inside" | "outside";
  color_order: "RGB" | "BGR" | "GRAY";
  /** One number per channel; subtracted from pixels of 0..255. */
  mean: number[];
  /** One number per channel; divisor after the mean is subtracted. */
  std: number[];
  resize: "stretch" | "center-crop";
  interpolation: "bilinear" | "bicubic";
  crop_fraction: number | null;
}

export interface OutputDescription extends TensorDescription {
  content: "logits" | "probabilities" | "binary" | "classes" | "mask";
  /** Only of "binary": values above it mean class 1. */
  threshold: number | null;
  /** Axis with one value per class; null for class ids. */
  class_axis: number | null;
}

export interface Threshold {
  min_sqnr_db: number;
  min_agreement: number;
}

/** The golden input and output; see seaformer/bundling/golden.py. */
export interface GoldenDescription {
  height: number;
  width: number;
  reference: string;
  step: number;
  positions: number;
  channels: number;
  thresholds: Record<string, Threshold>;
}

export interface PageDescription {
  schema_version: number;
  /** Differs if any file of the page does. */
  version: string;
  title: string;
  kind: "segmentation" | "classification";
  precision: string | null;
  model: { path: string; name: string; sha256: string; bytes: number };
  /** The archive is the one of the package that the runtime is taken from. */
  runtime: { name: string; version: string; license: string; archive: string; sha256: string };
  /** Version of the program that wrote the page. */
  seaformer: string;
  /** Members of `ModelFacts` in benchmark/results/schema.py; empty for a file without metadata. */
  facts: Record<string, string | number | boolean | null>;
  input: InputDescription;
  output: OutputDescription;
  labels: string[];
  /** Red, green and blue of each label, 0..255. */
  colors: [number, number, number][];
  weights: { name: string; source: string; is_random: boolean; note: string } | null;
  golden: GoldenDescription;
  sample: string;
  /** Files that the page needs without a network; the runtime is kept once it was used. */
  files: string[];
}

/** Reads page.json. */
export async function readDescription(): Promise<PageDescription> {
  const description = (await fetchJson("page.json")) as PageDescription;
  if (description.schema_version !== SCHEMA_VERSION) {
    throw new Error(
      `page.json has schema version ${description.schema_version}, not ${SCHEMA_VERSION}. ` +
        "Write the page again with seaformer-bundle --web.",
    );
  }
  return description;
}

/** Fetches a file beside the page. */
export async function fetchBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await (await fetchFile(path)).arrayBuffer());
}

async function fetchJson(path: string): Promise<unknown> {
  try {
    return await (await fetchFile(path)).json();
  } catch (error) {
    if (error instanceof SyntaxError) throw new Error(`${path} is damaged. Copy the page again.`);
    throw error;
  }
}

async function fetchFile(path: string): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path);
  } catch {
    throw new Error(`${path} cannot be loaded: the server is not reachable.`);
  }
  if (!response.ok) {
    throw new Error(`${path} cannot be loaded: the server answers ${response.status}.`);
  }
  return response;
}
