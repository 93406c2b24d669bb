/** A seeded random number generator (Marsaglia's xorshift128) for test cases: the same seed gives the same cases everywhere. */
export class Random {
  private a: number;
  private b = 362436069;
  private c = 521288629;
  private d = 88675123;

  /** @param seed any integer; its low 32 bits count. */
  constructor(seed: number) {
    this.a = (seed ^ 0x9e3779b9) | 0 || 1;
    for (let i = 0; i < 20; i++) this.u32();
  }

  /** 0 to 2³² − 1. */
  u32(): number {
    const t = this.a ^ (this.a << 11);
    this.a = this.b;
    this.b = this.c;
    this.c = this.d;
    this.d = this.d ^ (this.d >>> 19) ^ t ^ (t >>> 8);
    return this.d >>> 0;
  }

  /** 0 to n − 1, for n up to 2³². */
  below(n: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * n);
  }

  /** True in `p` of 1 cases. */
  chance(p: number): boolean {
    return this.u32() < p * 0x1_0000_0000;
  }

  /** One element of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}
