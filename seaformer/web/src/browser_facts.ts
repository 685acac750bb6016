/** What the browser says about itself and its device. Unknown values are null, never guessed. */

/** `browser` of results.json; see BrowserFacts in benchmark/results/schema.py. */
export interface BrowserFacts {
  name: string;
  user_agent: string;
  processors: number | null;
  memory_gib: number | null;
  gpu: string | null;
  isolated: boolean;
  clock_ms: number;
}

/** `device` of results.json; see DeviceFacts in benchmark/devices/device.py. */
export interface DeviceFacts {
  serial: string;
  manufacturer: null;
  model: string | null;
  soc: null;
  os: string | null;
  sdk: null;
  abi: null;
  cores: [];
  memory_bytes: null;
  is_emulated: false;
}

/** A state of the device in results.json; a page knows at most the battery. */
export interface Conditions {
  taken_at: string;
  temperatures: [];
  thermal_status: null;
  battery_percent: number | null;
  is_charging: boolean | null;
  core_khz: Record<string, number>;
  free_bytes: null;
  is_screen_on: boolean;
}

/** A GPU, by WebGPU's description. */
export interface GpuFacts {
  description: string;
  /** Name of the software that computes on the processor instead of a GPU; null if none is known. */
  software: string | null;
}

interface Brand {
  brand: string;
  version: string;
}

interface UserAgentData {
  brands: Brand[];
  platform: string;
  getHighEntropyValues(hints: string[]): Promise<{ platformVersion?: string; model?: string }>;
}

interface Battery {
  level: number;
  charging: boolean;
}

interface WidelyMissing {
  userAgentData?: UserAgentData;
  deviceMemory?: number;
  getBattery?(): Promise<Battery>;
}

const reported = (): WidelyMissing => navigator as unknown as WidelyMissing;

/** Limit of the texts in results.json. */
const MOST_CHARACTERS = 1000;

/** Names of drivers that compute on the processor. */
const SOFTWARE: readonly [RegExp, string][] = [
  [/swiftshader/i, "SwiftShader"],
  [/llvmpipe|lavapipe/i, "llvmpipe"],
  [/basic render/i, "Microsoft Basic Render Driver"],
];

export async function readDevice(): Promise<DeviceFacts> {
  const more = await reported()
    .userAgentData?.getHighEntropyValues(["model", "platformVersion"])
    .catch(() => ({}) as { model?: string; platformVersion?: string });
  const platform = reported().userAgentData?.platform;
  const system = platform
    ? [platform, more?.platformVersion].filter(Boolean).join(" ")
    : (/\(([^)]*)\)/.exec(navigator.userAgent)?.[1] ?? null);
  return {
    serial: "browser",
    manufacturer: null,
    model: more?.model || null,
    soc: null,
    os: system,
    sdk: null,
    abi: null,
    cores: [],
    memory_bytes: null,
    is_emulated: false,
  };
}

export function readBrowser(gpu: GpuFacts | null): BrowserFacts {
  return {
    name: browserName().slice(0, MOST_CHARACTERS),
    user_agent: navigator.userAgent.slice(0, MOST_CHARACTERS),
    processors: navigator.hardwareConcurrency ?? null,
    memory_gib: reported().deviceMemory ?? null,
    gpu: gpu?.description.slice(0, MOST_CHARACTERS) ?? null,
    isolated: globalThis.crossOriginIsolated,
    clock_ms: clockStep(),
  };
}

export async function readConditions(): Promise<Conditions> {
  const battery = await reported()
    .getBattery?.()
    .catch(() => undefined);
  return {
    taken_at: new Date().toISOString(),
    temperatures: [],
    thermal_status: null,
    battery_percent: battery ? Math.round(100 * battery.level) : null,
    is_charging: battery ? battery.charging : null,
    core_khz: {},
    free_bytes: null,
    is_screen_on: !document.hidden,
  };
}

/** Returns the GPU that WebGPU uses; null if there is none. */
export async function readGpu(): Promise<GpuFacts | null> {
  const adapter = "gpu" in navigator ? await navigator.gpu.requestAdapter() : null;
  if (adapter === null) return null;
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  const text = [vendor, architecture, device, description].filter(Boolean).join(" ");
  const known = SOFTWARE.find(([pattern]) => pattern.test(text))?.[1];
  const software = known ?? (isFallbackAdapter ? text || "a software driver" : null);
  return { description: text || "not described", software };
}

function browserName(): string {
  const brands = reported().userAgentData?.brands.filter(({ brand }) => !/not.*brand/i.test(brand)) ?? [];
  const own = brands.find(({ brand }) => brand !== "Chromium") ?? brands[0];
  if (own) return `${own.brand} ${own.version}`;
  const agent = navigator.userAgent;
  const firefox = /Firefox\/([\d.]+)/.exec(agent);
  if (firefox) return `Firefox ${firefox[1]}`;
  const safari = /Version\/([\d.]+).*Safari\//.exec(agent);
  if (safari) return `Safari ${safari[1]}`;
  const chromium = /Chrome\/([\d.]+)/.exec(agent);
  return chromium ? `Chromium ${chromium[1]}` : "of unknown name";
}

/** Returns the smallest step between two readings of the clock, in milliseconds. */
function clockStep(): number {
  let least = Infinity;
  for (let i = 0; i < 20; i++) {
    const start = performance.now();
    let now = start;
    while (now === start) now = performance.now();
    least = Math.min(least, now - start);
  }
  return Number(least.toPrecision(2));
}
