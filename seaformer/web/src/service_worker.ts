/** Keeps the page for use without a network, and adds the headers that threads need.
 *
 * The page asks the network first, so that a new version is seen at once. All other files are kept
 * under the version of the page, which is in the address of this script.
 */

interface ExtendableEvent extends Event {
  waitUntil(done: Promise<unknown>): void;
}

interface FetchEvent extends ExtendableEvent {
  request: Request;
  respondWith(response: Promise<Response>): void;
}

interface WorkerScope {
  location: Location;
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
  addEventListener(type: "install" | "activate", listen: (event: ExtendableEvent) => void): void;
  addEventListener(type: "fetch", listen: (event: FetchEvent) => void): void;
}

const scope = globalThis as unknown as WorkerScope;

const PREFIX = "seaformer ";
const VERSION = new URL(scope.location.href).searchParams.get("version") ?? "";
/** The cache of this version, of the page at this address: an origin may have several. */
const FOLDER = new URL(".", scope.location.href).pathname;
const NAME = `${PREFIX}${FOLDER} ${VERSION}`;

/** With them, a page may use shared memory, which threads need. */
const ISOLATION: Readonly<Record<string, string>> = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

scope.addEventListener("install", (event) => event.waitUntil(install()));
scope.addEventListener("activate", (event) => event.waitUntil(activate()));
scope.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  const isOurs = address.origin === scope.location.origin && address.pathname.startsWith(FOLDER);
  if (request.method === "GET" && isOurs) event.respondWith(answer(request));
});

async function install(): Promise<void> {
  const response = await fetch("page.json", { cache: "no-cache" });
  const { files } = (await response.json()) as { files: string[] };
  const cache = await caches.open(NAME);
  await cache.addAll(["./", "page.json", ...files].map((file) => new Request(file, { cache: "no-cache" })));
  await scope.skipWaiting();
}

async function activate(): Promise<void> {
  for (const name of await caches.keys()) {
    if (name.startsWith(`${PREFIX}${FOLDER} `) && name !== NAME) await caches.delete(name);
  }
  await scope.clients.claim();
}

async function answer(request: Request): Promise<Response> {
  const isPage = request.mode === "navigate" || new URL(request.url).pathname.endsWith("/page.json");
  return isolated(await (isPage ? networkFirst(request) : cacheFirst(request)));
}

async function networkFirst(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch (error) {
    const kept = await keptFor(request);
    if (kept !== undefined) return kept;
    throw error;
  }
}

async function cacheFirst(request: Request): Promise<Response> {
  const kept = await keptFor(request);
  if (kept !== undefined) return kept;
  const response = await fetch(request);
  if (response.ok) await (await caches.open(NAME)).put(request, response.clone());
  return response;
}

async function keptFor(request: Request): Promise<Response | undefined> {
  return (await caches.open(NAME)).match(request, { ignoreSearch: true });
}

function isolated(response: Response): Response {
  if (response.type === "opaque" || response.status === 0) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(ISOLATION)) headers.set(name, value);
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}
