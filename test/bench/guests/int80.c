/* Software interrupts: delivery through the IDT and IRET, five instructions a turn. Scale: 1,000 interrupts. */
#include "guest.h"

void prepare(void) {}
u64 work(u32 scale) { return scale ? loop_int80(scale * 1000) : 0; }
