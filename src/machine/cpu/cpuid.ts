/**
 * CPUID of the CPU model (SDM vol. 2, "CPUID—CPU Identification"): no feature is promised that is missing. x87, MMX, SSE, PAE and long mode are not
 * there yet, so their bits are clear.
 */
const text = (s: string, at: number): number =>
  s.charCodeAt(at) | (s.charCodeAt(at + 1) << 8) | (s.charCodeAt(at + 2) << 16) | (s.charCodeAt(at + 3) << 24);

/** Family 6, model 6, stepping 3. */
export const SIGNATURE = 0x663;
const FEATURES = {
  PSE: 1 << 3,
  TSC: 1 << 4,
  MSR: 1 << 5,
  CX8: 1 << 8,
  APIC: 1 << 9,
  MTRR: 1 << 12,
  PGE: 1 << 13,
  CMOV: 1 << 15,
  HTT: 1 << 28,
} as const;
const HYPERVISOR = 0x80000000 | 0;
const VENDOR = 'GenuineIntel';
const HYPERVISOR_VENDOR = 'bhyve bhyve ';
const BRAND = 'Exitpoint virtual CPU'.padEnd(48, '\0');

/** EAX, EBX, ECX, EDX of a leaf into `out`. */
export function cpuid(leaf: number, vcpu: number, vcpus: number, out: Int32Array): void {
  out.fill(0);
  switch (leaf >>> 0) {
    case 0:
      out[0] = 1;
      out[1] = text(VENDOR, 0);
      out[3] = text(VENDOR, 4);
      out[2] = text(VENDOR, 8);
      return;
    case 1: {
      const { PSE, TSC, MSR, CX8, APIC, MTRR, PGE, CMOV, HTT } = FEATURES;
      out[0] = SIGNATURE;
      out[1] = (vcpu << 24) | (vcpus << 16) | (8 << 8);
      out[2] = HYPERVISOR;
      out[3] = PSE | TSC | MSR | CX8 | APIC | MTRR | PGE | CMOV | (vcpus > 1 ? HTT : 0);
      return;
    }
    case 0x40000000:
      out[0] = 0x40000000;
      out[1] = text(HYPERVISOR_VENDOR, 0);
      out[2] = text(HYPERVISOR_VENDOR, 4);
      out[3] = text(HYPERVISOR_VENDOR, 8);
      return;
    case 0x80000000:
      out[0] = 0x80000004 | 0;
      return;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
      for (let i = 0; i < 4; i++) out[i] = text(BRAND, ((leaf >>> 0) - 0x80000002) * 16 + i * 4);
      return;
  }
}
