/** What the page gives its tab for benchmarks. */

import type { AcceleratorCheck } from "./accelerator_check";
import type { PageDescription } from "./description";
import type { ModelFile } from "./session";

export interface BenchmarkContext {
  page: PageDescription;
  /** The file, for `load` of session.ts. */
  model: ModelFile;
  /** Values of the golden input, for `Session.run`. */
  input: Float32Array;
  /** The results of the check at the start; only right accelerators may be measured. */
  checks: readonly AcceleratorCheck[];
}
