/** Files that the page gives to the user. */

/** How long the browser may take to read a file after its download starts. */
const KEPT_MS = 60_000;

/** Downloads a file under a name. */
export function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
}
