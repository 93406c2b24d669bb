/* Self-IPIs: an ICR store, delivery through the IDT, an EOI store and IRET each. Scale: 1,000 IPIs. */
#include "guest.h"

#define LAPIC_SVR (*(volatile u32 *)0xFEE000F0)
#define LAPIC_TPR (*(volatile u32 *)0xFEE00080)

void prepare(void) {
  LAPIC_SVR = 0x1FF; /* software-enabled, spurious vector FFh */
  LAPIC_TPR = 0;
  out8(0x21, 0xff); /* both 8259s masked */
  out8(0xa1, 0xff);
}

u64 work(u32 scale) { return scale ? loop_apic(scale * 1000) : 0; }
