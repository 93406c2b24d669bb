/* Copies 64 KB, by a loop of loads and stores or, with REP_MOVS, by one string instruction. Scale: copies. */
#include "guest.h"

#define BYTES 65536
/* Not a round distance from the source: a direct-mapped TLB would alias. */
#define TARGET (HEAP + 0x111000)

void prepare(void) {
  for (int i = 0; i < BYTES; i += 4) *(u32 *)(HEAP + i) = random_u32();
}

u64 work(u32 scale) {
  for (u32 i = 0; i < scale; i++) {
    u8 *to = TARGET + ((i & 7) << 12);
#ifdef REP_MOVS
    loop_rep_movs(to, HEAP, BYTES);
#else
    loop_copy(to, HEAP, BYTES / 16);
#endif
  }
  u64 sum = 0;
  for (int i = 0; i < BYTES; i += 4) sum = sum * 31 + *(u32 *)(TARGET + i);
  return sum;
}
