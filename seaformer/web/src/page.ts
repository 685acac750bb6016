/** The page: runs the model on photos and camera frames. */

import { type AcceleratorCheck, checkAccelerator, optionOf } from "./accelerator_check";
import { type RankedClass, maskOf, rankingOf, sharesOf } from "./analysis";
import { Benchmark } from "./benchmark";
import { Camera } from "./camera";
import { inWords, showClasses } from "./class_table";
import { type PageDescription, fetchBytes, readDescription } from "./description";
import { element, find, messageOf } from "./elements";
import { GoldenCheck } from "./golden_check";
import { keepForOffline } from "./offline";
import { drawOverlay, maskFile } from "./overlay";
import { frameOf, readPhoto } from "./photographs";
import { withoutAlpha } from "./pixels";
import { prepare, seenSize } from "./preprocessing";
import { save } from "./saving";
import {
  ACCELERATOR_TITLES,
  type Accelerator,
  type ModelFile,
  type Session,
  load,
  threadsAvailable,
} from "./session";
import { connectTabs } from "./tabs";
import { type Mask, Upsampler } from "./upsampling";

const ACCELERATORS: readonly Accelerator[] = ["wasm", "webgpu"];

/** The last photo or frame, and what the model found in it. */
interface Shown {
  photo: ImageData;
  mask: Mask | null;
}

class Page {
  private readonly camera = new Camera(find<HTMLVideoElement>("video"));
  private readonly canvas = find<HTMLCanvasElement>("overlay");
  private readonly accelerators = find<HTMLSelectElement>("accelerator");
  private readonly threads = find<HTMLSelectElement>("threads");
  private readonly opacity = find<HTMLInputElement>("opacity");
  private session: Session | null = null;
  private shown: Shown | null = null;
  /** Photos are analyzed one after the other. */
  private work: Promise<void> = Promise.resolve();

  constructor(
    private readonly page: PageDescription,
    private readonly model: ModelFile,
    private readonly golden: GoldenCheck,
    private readonly upsampler: Upsampler,
  ) {}

  async start(): Promise<void> {
    this.describe();
    this.connect();
    const checks: AcceleratorCheck[] = [];
    for (const accelerator of ACCELERATORS) {
      say(`Checking the ${ACCELERATOR_TITLES[accelerator]}`);
      const { check, session } = await checkAccelerator(
        this.model,
        this.golden,
        accelerator,
        threadsAvailable(),
      );
      checks.push(check);
      showCheck(check);
      if (session !== null && this.session === null) {
        this.session = session;
        this.enable();
        void this.analyzeSample();
      } else {
        session?.close();
      }
      this.addAccelerator(check);
    }
    await this.work;
    const { page, model, golden } = this;
    const exclusively = (job: () => Promise<void>): Promise<void> => this.exclusively(job);
    new Benchmark({ page, model, golden, checks, exclusively });
    if (this.session === null) throw new Error("The model cannot be used in this browser.");
    document.body.dataset.ready = "true";
  }

  /** Fills what does not depend on a photo. */
  private describe(): void {
    const { page } = this;
    document.title = page.title;
    find("title").textContent = page.title;
    find("opacity-label").hidden = page.kind !== "segmentation";
    if (page.weights?.is_random) warn("The weights are random: the result is meaningless.");
    if (page.weights?.note) warn(page.weights.note);
    const facts: [string, string][] = [
      ["File", `${page.model.name}, ${page.model.bytes.toLocaleString("en")} bytes`],
      ["SHA-256", page.model.sha256],
      ["Precision", page.precision ?? "not recorded"],
      ["Input", `${page.input.dtype} ${page.input.shape.join(" x ")}`],
      ["Output", `${page.output.content}, ${page.output.dtype} ${page.output.shape.join(" x ")}`],
      ["Weights", page.weights === null ? "not recorded" : `${page.weights.name}: ${page.weights.source}`],
      ["Expected output", page.golden.reference],
      ["Runtime", runtimeText(page)],
      ["Threads", threadNote()],
    ];
    for (const [name, text] of facts) find("facts").append(element("dt", name), element("dd", text));
  }

  private connect(): void {
    find<HTMLInputElement>("file").addEventListener("change", (event) => {
      const input = event.target as HTMLInputElement;
      const file = input.files?.[0];
      input.value = "";
      if (file !== undefined) void this.analyzeFile(file);
    });
    find("sample").addEventListener("click", () => void this.analyzeSample());
    find("camera").addEventListener("click", () => void this.toggleCamera());
    find("save").addEventListener("click", () => void this.saveMask());
    this.accelerators.addEventListener("change", () => void this.changeSession());
    this.threads.addEventListener("change", () => void this.changeSession());
    this.opacity.addEventListener("input", () => this.draw());
    const most = threadsAvailable();
    for (let count = 1; count <= most; count++) {
      this.threads.append(new Option(String(count), String(count), false, count === most));
    }
  }

  private enable(): void {
    for (const id of ["camera", "sample", "accelerator", "threads"]) {
      find<HTMLButtonElement>(id).disabled = false;
    }
    this.threads.disabled = threadsAvailable() === 1;
  }

  private addAccelerator(check: AcceleratorCheck): void {
    const option = optionOf(check);
    option.disabled = check.status !== "right";
    this.accelerators.append(option);
    if (this.session?.accelerator === check.accelerator) option.selected = true;
    this.showThreads();
  }

  private showThreads(): void {
    find("threads-label").hidden = this.accelerators.value === "webgpu";
  }

  private async changeSession(): Promise<void> {
    const accelerator = this.accelerators.value as Accelerator;
    this.showThreads();
    await this.inOrder(async () => {
      say(`Loading the model on the ${ACCELERATOR_TITLES[accelerator]}`);
      const next = await load(this.model, accelerator, Number(this.threads.value));
      this.session?.close();
      this.session = next;
      if (this.shown !== null && !this.camera.isOn) await this.analyze(this.shown.photo);
      say("Ready");
    });
  }

  private async analyzeSample(): Promise<void> {
    await this.inOrder(async () => {
      this.stopCamera();
      await this.analyze(await readPhoto(new Blob([await fetchBytes(this.page.sample)])));
    });
  }

  private async analyzeFile(file: File): Promise<void> {
    await this.inOrder(async () => {
      this.stopCamera();
      await this.analyze(await readPhoto(file));
    });
  }

  private async toggleCamera(): Promise<void> {
    if (this.camera.isOn) {
      this.stopCamera();
      say("The camera is off");
      return;
    }
    await this.inOrder(async () => {
      await this.camera.start();
      showCamera(true);
      say("The camera is on");
    });
    while (this.camera.isOn) {
      // Between frames, the browser draws and handles input.
      await new Promise((resolve) => setTimeout(resolve));
      await this.inOrder(async () => {
        if (!this.camera.isOn) return;
        await this.analyze(frameOf(find<HTMLVideoElement>("video")));
      });
    }
  }

  private stopCamera(): void {
    this.camera.stop();
    showCamera(false);
  }

  private async analyze(photo: ImageData): Promise<void> {
    if (this.session === null) return;
    const isLive = this.camera.isOn;
    if (!isLive) say("Running the model");
    const { page, session } = this;
    const start = performance.now();
    const input = prepare(withoutAlpha(photo), page.input);
    const { output, latency_ms } = await session.timedRun(input);
    if (output.some((value) => !Number.isFinite(value))) {
      throw new Error("The output of the model is not finite in this browser.");
    }
    let found: RankedClass[];
    let mask: Mask | null = null;
    if (page.kind === "segmentation") {
      mask = maskOf(output, page, this.upsampler, seenSize(photo, page.input));
      found = sharesOf(mask, page.labels.length);
    } else {
      found = rankingOf(output, page);
    }
    const whole_ms = performance.now() - start;
    this.shown = { photo, mask };
    this.draw();
    showClasses(found, page);
    this.canvas.setAttribute("aria-label", inWords(found, page));
    const on = `${ACCELERATOR_TITLES[session.accelerator]}${
      session.accelerator === "wasm" ? `, ${session.threads} thread${session.threads > 1 ? "s" : ""}` : ""
    }`;
    find("latency").textContent =
      `Model ${latency_ms.toFixed(0)} ms on the ${on}; with preparation and mask ${whole_ms.toFixed(0)} ms`;
    find("save").hidden = mask === null || page.labels.length > 256 || isLive;
    if (!isLive) say("Done");
  }

  private draw(): void {
    if (this.shown === null) return;
    const { photo, mask } = this.shown;
    drawOverlay(this.canvas, photo, mask, this.page.colors, Number(this.opacity.value) / 100);
  }

  private async saveMask(): Promise<void> {
    await this.inOrder(async () => {
      if (this.shown?.mask == null) return;
      save(await maskFile(this.shown.mask), "mask.png");
    });
  }

  /** Does something while photos and the camera wait. */
  private exclusively(job: () => Promise<void>): Promise<void> {
    return this.inOrder(async () => {
      this.stopCamera();
      find("panel-try").inert = true;
      say("A benchmark is running");
      try {
        await job();
      } finally {
        find("panel-try").inert = false;
        say("Ready");
      }
    });
  }

  /** Does something after what is being done, and shows its error. */
  private inOrder(job: () => Promise<void>): Promise<void> {
    const done = this.work.then(job).catch((error: unknown) => {
      this.stopCamera();
      say("");
      showProblem(messageOf(error));
    });
    this.work = done;
    find("problem").replaceChildren();
    return done;
  }
}

function showCamera(isOn: boolean): void {
  const button = find("camera");
  button.setAttribute("aria-pressed", String(isOn));
  button.textContent = isOn ? "Stop the camera" : "Start the camera";
}

function showCheck(check: AcceleratorCheck): void {
  const row = element("li", check.text, check.status === "right" ? "good" : "bad");
  row.dataset.accelerator = check.accelerator;
  row.dataset.status = check.status;
  find("verdicts").append(row);
  if (check.status === "wrong") warn(check.text);
}

function runtimeText({ runtime }: PageDescription): string {
  return `${runtime.name} ${runtime.version}, ${runtime.license}; SHA-256 of ${runtime.archive} ${runtime.sha256}`;
}

function threadNote(): string {
  const count = threadsAvailable();
  if (crossOriginIsolated) return `up to ${count}`;
  return "1: more need https, or localhost, and a reload of the page";
}

function say(text: string): void {
  find("status").textContent = text;
}

function warn(text: string): void {
  find("warnings").append(element("p", text, "notice"));
}

function showProblem(text: string): void {
  find("problem").replaceChildren(element("p", text, "notice"));
}

async function main(): Promise<void> {
  connectTabs(find("tabs"));
  if (location.protocol === "file:") {
    throw new Error("The page needs a web server, such as seaformer-bundle --web FOLDER --serve.");
  }
  const page = await readDescription();
  if (!(await keepForOffline(page.version))) return;
  const [bytes, golden, upsampler] = await Promise.all([
    fetchBytes(page.model.path),
    GoldenCheck.load(page),
    Upsampler.load(),
  ]);
  const model: ModelFile = { bytes, input: page.input, output: page.output };
  await new Page(page, model, golden, upsampler).start();
}

main().catch((error: unknown) => {
  say("");
  showProblem(messageOf(error));
  document.body.dataset.ready = "failed";
});
