/** Keeping the page for use without a network. */

const WAIT_MS = 20_000;
const RELOADED = "seaformer reloaded for threads";

/** Registers the service worker, and waits until it handles the requests of the page.
 *
 * Returns false if the page is being reloaded: only a page that was loaded through the service
 * worker has the headers that threads need.
 */
export async function keepForOffline(version: string): Promise<boolean> {
  if (!("serviceWorker" in navigator)) return true;
  try {
    await navigator.serviceWorker.register(`service_worker.js?version=${version}`);
    await controlled();
  } catch {
    return true; // such as in private windows; the page works without it
  }
  const isReloadUseful = navigator.serviceWorker.controller !== null && !crossOriginIsolated;
  if (!isReloadUseful || sessionStorage.getItem(RELOADED) !== null) return true;
  sessionStorage.setItem(RELOADED, version);
  location.reload();
  return false;
}

/** Waits for a service worker, for a limited time: it copies the model first. */
function controlled(): Promise<void> {
  if (navigator.serviceWorker.controller !== null) return Promise.resolve();
  return new Promise((resolve) => {
    navigator.serviceWorker.addEventListener("controllerchange", () => resolve(), { once: true });
    setTimeout(resolve, WAIT_MS);
  });
}
