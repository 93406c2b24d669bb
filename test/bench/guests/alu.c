/* Arithmetic in registers: nothing but the cost of dispatch and flags. Scale: 1,000 turns. */
#include "guest.h"

void prepare(void) {}
u64 work(u32 scale) { return scale ? loop_alu(scale * 1000) : 0; }
