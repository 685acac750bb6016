/** NumPy's `default_rng`: the generator PCG64, seeded by `SeedSequence`, and its integers.
 *
 * The bootstrap of the page draws the same rounds as the one in Python, so both give the same
 * interval for the same runs.
 *
 * Sources: M. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms
 * for Random Number Generation" (2014), variant XSL RR 128/64; the same author's "Developing a
 * seed_seq Alternative" (2015), whose hash SeedSequence uses; D. Lemire, "Fast Random Integer
 * Generation in an Interval" (2019).
 */

const MASK_32 = 0xffff_ffffn;
const MASK_64 = (1n << 64n) - 1n;
const MASK_128 = (1n << 128n) - 1n;

const MULTIPLIER = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645n;

const POOL_WORDS = 4;

/** Draws integers from a seed of 0 to 2^32 - 1. */
export class Random {
  private state: bigint;
  private readonly increment: bigint;
  /** The upper half of the last 64 bits, which is the next 32 bits. */
  private rest: number | null = null;

  constructor(seed: number) {
    const [a, b, c, d] = seedWords(seed) as [bigint, bigint, bigint, bigint];
    this.increment = ((((c << 64n) | d) << 1n) | 1n) & MASK_128;
    this.state = this.increment; // one step from 0
    this.state = (this.state + ((a << 64n) | b)) & MASK_128;
    this.step();
  }

  /** Returns an integer of 0 to `end` - 1; `end` is at most 2^32 - 1. */
  below(end: number): number {
    if (end === 1) return 0;
    const limit = BigInt(end);
    let product = BigInt(this.next32()) * limit;
    if ((product & MASK_32) < limit) {
      const threshold = (MASK_32 - (limit - 1n)) % limit;
      while ((product & MASK_32) < threshold) product = BigInt(this.next32()) * limit;
    }
    return Number(product >> 32n);
  }

  private next32(): number {
    if (this.rest !== null) {
      const { rest } = this;
      this.rest = null;
      return rest;
    }
    this.step();
    const word = rotatedRight((this.state >> 64n) ^ (this.state & MASK_64), this.state >> 122n);
    this.rest = Number(word >> 32n);
    return Number(word & MASK_32);
  }

  private step(): void {
    this.state = (this.state * MULTIPLIER + this.increment) & MASK_128;
  }
}

function rotatedRight(word: bigint, by: bigint): bigint {
  return ((word >> by) | (word << ((64n - by) & 63n))) & MASK_64;
}

/** Returns the four words of 64 bits that SeedSequence derives from a seed. */
function seedWords(seed: number): bigint[] {
  const pool = mixed(seed);
  let factor = 0x8b51_f9dd;
  const words = Array.from({ length: 2 * POOL_WORDS }, (_, i) => {
    let word = (pool[i % POOL_WORDS]! ^ factor) >>> 0;
    factor = Math.imul(factor, 0x58f3_8ded) >>> 0;
    word = Math.imul(word, factor) >>> 0;
    return BigInt((word ^ (word >>> 16)) >>> 0);
  });
  return Array.from({ length: POOL_WORDS }, (_, i) => words[2 * i]! | (words[2 * i + 1]! << 32n));
}

function mixed(seed: number): number[] {
  let factor = 0x43b0_d7e5;
  const hash = (value: number): number => {
    let word = (value ^ factor) >>> 0;
    factor = Math.imul(factor, 0x931e_8875) >>> 0;
    word = Math.imul(word, factor) >>> 0;
    return (word ^ (word >>> 16)) >>> 0;
  };
  const mix = (x: number, y: number): number => {
    const word = (Math.imul(x, 0xca01_f9dd) - Math.imul(y, 0x4973_f715)) >>> 0;
    return (word ^ (word >>> 16)) >>> 0;
  };
  const pool = Array.from({ length: POOL_WORDS }, (_, i) => hash(i === 0 ? seed : 0));
  for (let from = 0; from < POOL_WORDS; from++) {
    for (let to = 0; to < POOL_WORDS; to++) {
      if (from !== to) pool[to] = mix(pool[to]!, hash(pool[from]!));
    }
  }
  return pool;
}
