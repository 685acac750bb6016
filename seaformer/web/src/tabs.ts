/** Tabs, as the ARIA Authoring Practices describe them: arrow keys move between them. */

const STEPS: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowLeft: -1 };

/** Connects the tabs of a list with their panels. */
export function connectTabs(list: HTMLElement): void {
  const tabs = [...list.querySelectorAll<HTMLElement>("[role=tab]")];
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => select(tabs, tab));
    tab.addEventListener("keydown", (event) => {
      const ends: Record<string, number> = { Home: 0, End: tabs.length - 1 };
      const step = STEPS[event.key];
      const next = ends[event.key] ?? (step === undefined ? null : place + step);
      if (next === null) return;
      event.preventDefault();
      const chosen = tabs.at(next % tabs.length);
      if (chosen !== undefined) select(tabs, chosen);
      chosen?.focus();
    });
  });
}

function select(tabs: HTMLElement[], chosen: HTMLElement): void {
  for (const tab of tabs) {
    const isChosen = tab === chosen;
    tab.setAttribute("aria-selected", String(isChosen));
    tab.tabIndex = isChosen ? 0 : -1;
    const panel = document.getElementById(tab.getAttribute("aria-controls") ?? "");
    if (panel !== null) panel.hidden = !isChosen;
  }
}
