// The current step, and playback.

export const SPEEDS = [1, 2, 5, 10, 20, 60];

export class Player {
  step = 0;
  first = 0;
  last = 0;
  speed = 5;
  private since: number | null = null;
  private readonly changed: () => void;

  constructor(changed: () => void) {
    this.changed = changed;
  }

  get playing(): boolean {
    return this.since !== null;
  }

  /** Set the range of steps; keep the current step if it is in the range. */
  setRange(first: number, last: number): void {
    [this.first, this.last] = [first, last];
    this.go(this.step);
  }

  go(step: number): void {
    this.step = Math.max(this.first, Math.min(this.last, Math.round(step) || this.first));
    this.changed();
  }

  /** Start or stop playback; at the last step it starts from the first. */
  toggle(): void {
    if (this.playing) this.pause();
    else this.play();
  }

  pause(): void {
    this.since = null;
    this.changed();
  }

  /** Play from the first step; at first at a speed that takes so many seconds for the whole. */
  start(seconds: number): void {
    this.step = this.first;
    if (this.playing) {
      this.since = performance.now();
      return;
    }
    const wanted = this.last / seconds;
    this.speed = SPEEDS.findLast((speed) => speed <= wanted) ?? SPEEDS[0];
    this.play();
  }

  private play(): void {
    if (this.step >= this.last) this.step = this.first;
    this.since = performance.now();
    requestAnimationFrame((now) => this.advance(now));
    this.changed();
  }

  private advance(now: number): void {
    if (this.since === null) return;
    const steps = Math.floor(((now - this.since) / 1000) * this.speed);
    if (steps > 0) {
      this.since = Math.max(this.since + (steps / this.speed) * 1000, now - 1000);
      this.step = Math.min(this.last, this.step + steps);
      if (this.step >= this.last) this.since = null;
      this.changed();
    }
    if (this.since !== null) requestAnimationFrame((next) => this.advance(next));
  }
}
