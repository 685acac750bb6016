/** The camera of the device. */

const REASONS: Readonly<Record<string, string>> = {
  NotAllowedError: "The camera was denied. Allow it in the settings of this page, and try again.",
  NotFoundError: "This device has no camera. Choose a photo instead.",
  NotReadableError: "The camera is used by another program. Close it, and try again.",
};

export class Camera {
  private stream: MediaStream | null = null;

  constructor(private readonly video: HTMLVideoElement) {}

  get isOn(): boolean {
    return this.stream !== null;
  }

  /** Starts the rear camera, or another one. */
  async start(): Promise<void> {
    if (navigator.mediaDevices === undefined) {
      throw new Error("The camera needs https. Open the page with https, or choose a photo instead.");
    }
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { facingMode: "environment", width: { ideal: 640 }, height: { ideal: 480 } },
      });
    } catch (error) {
      const name = error instanceof DOMException ? error.name : "";
      throw new Error(REASONS[name] ?? `The camera cannot be used: ${error}`);
    }
    this.video.srcObject = this.stream;
    await this.video.play();
  }

  stop(): void {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }
}
