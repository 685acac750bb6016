/** Whether an accelerator of this browser computes what the model computes elsewhere. */

import { messageOf } from "./elements";
import { type GoldenCheck, type Verdict, describe } from "./golden_check";
import { ACCELERATOR_TITLES, type Accelerator, type ModelFile, type Session, load } from "./session";

export interface AcceleratorCheck {
  accelerator: Accelerator;
  status: "right" | "wrong" | "unavailable";
  /** One sentence for the user. */
  text: string;
  /** Null if the accelerator could not be used. */
  verdict: Verdict | null;
}

/** Runs the golden input on an accelerator; the session is null unless the result is right. */
export async function checkAccelerator(
  model: ModelFile,
  golden: GoldenCheck,
  accelerator: Accelerator,
  threads: number,
): Promise<{ check: AcceleratorCheck; session: Session | null }> {
  const title = ACCELERATOR_TITLES[accelerator];
  let session: Session | null = null;
  try {
    session = await load(model, accelerator, threads);
    const verdict = golden.judge(await session.run(golden.input), accelerator);
    if (verdict.passed) {
      const text = `${title}: right, ${describe(verdict)}.`;
      return { check: { accelerator, status: "right", text, verdict }, session };
    }
    session.close();
    const { min_sqnr_db, min_agreement } = verdict.threshold;
    const required = describe({
      ...verdict,
      sqnr_db: verdict.sqnr_db === null ? null : min_sqnr_db,
      agreement: min_agreement,
    });
    const text =
      `${title}: wrong. This browser computes another output than the model: ` +
      `${describe(verdict)}; required: ${required}. The ${title} is not used.`;
    return { check: { accelerator, status: "wrong", text, verdict }, session: null };
  } catch (error) {
    session?.close();
    const text = `${title}: not available. ${messageOf(error)}`;
    return { check: { accelerator, status: "unavailable", text, verdict: null }, session: null };
  }
}

export function isUnavailable({ status }: AcceleratorCheck): boolean {
  return status === "unavailable";
}

/** Returns the choice of an accelerator, disabled if it cannot be used at all. */
export function optionOf(check: AcceleratorCheck): HTMLOptionElement {
  const suffix = { right: "", wrong: " (wrong output)", unavailable: " (not available)" }[check.status];
  const option = new Option(ACCELERATOR_TITLES[check.accelerator] + suffix, check.accelerator);
  option.disabled = isUnavailable(check);
  return option;
}
