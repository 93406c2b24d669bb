/* Follows a random cycle of 64-byte nodes: NODES = 1,024 stays in the TLBs, 1,048,576 (64 MB) misses them at every step. Scale: 1,000 steps. */
#include "guest.h"

struct node {
  struct node *next;
  u32 unused, value;
  u32 rest[13];
};

void prepare(void) {
  struct node *nodes = (struct node *)HEAP;
  u32 i = 0;
  for (u32 k = 0; k < NODES; k++) {
    /* A linear congruence of full period: every node once. */
    u32 next = (i * 1664525u + 1013904223u) & (NODES - 1);
    nodes[i].next = &nodes[next];
    nodes[i].value = i * 2654435761u;
    i = next;
  }
}

u64 work(u32 scale) { return scale ? loop_chase(HEAP, scale * 1000) : 0; }
