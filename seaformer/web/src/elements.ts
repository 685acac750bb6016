/** Elements of the page, and texts in them. Texts are never parsed as HTML. */

/** Returns the element with an id. */
export function find<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`The page has no element '${id}'.`);
  return found as T;
}

/** Creates an element with a text. */
export function element(name: string, text = "", className = ""): HTMLElement {
  const created = document.createElement(name);
  created.textContent = text;
  if (className !== "") created.className = className;
  return created;
}

/** Returns the message of an error, for the user. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
