/** The table of classes: the legend with shares, or the ranking of a classifier. */

import type { RankedClass } from "./analysis";
import type { PageDescription } from "./description";
import { element, find } from "./elements";

const MOST_ROWS = 12;

/** Shows the first classes, and sums up the others. */
export function showClasses(classes: readonly RankedClass[], page: PageDescription): void {
  const isMask = page.kind === "segmentation";
  find("share-name").textContent = isMask ? "Share" : "Probability";
  const rows = classes.slice(0, MOST_ROWS).map(({ id, share }) => {
    const name = element("td", page.labels[id] ?? `class ${id}`);
    if (isMask) {
      const swatch = element("span", "", "swatch");
      swatch.style.backgroundColor = `rgb(${(page.colors[id] ?? [128, 128, 128]).join(" ")})`;
      name.prepend(swatch);
    }
    return row(name, percent(share));
  });
  const rest = classes.slice(MOST_ROWS);
  if (rest.length > 0) {
    const share = rest.reduce((sum, one) => sum + one.share, 0);
    rows.push(row(element("td", `+ ${rest.length} more`, "faint"), percent(share)));
  }
  document.querySelector("#classes tbody")?.replaceChildren(...rows);
}

/** Returns a sentence with the first classes, for screen readers. */
export function inWords(classes: readonly RankedClass[], page: PageDescription): string {
  const named = classes.slice(0, 3).map(({ id, share }) => `${page.labels[id]} ${percent(share)}`);
  return `${page.kind === "segmentation" ? "Photo with its segments" : "Photo"}: ${named.join(", ")}`;
}

function row(name: HTMLElement, share: string): HTMLElement {
  const created = element("tr");
  created.append(name, element("td", share));
  return created;
}

function percent(share: number): string {
  return share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`;
}
