/*
 * Runs one workload and reports on the serial port: "sum=<16 digits> tsc=<16 digits>". Then it ends the machine by a write to port F4h, the debug
 * exit of QEMU's isa-debug-exit and of our model `pc`; a machine without that device sees a HLT with interrupts off, which nothing can end.
 */
#include "guest.h"

#define SERIAL 0x3f8
#define SERIAL_LINE_CONTROL 0x3fb
#define EXIT_PORT 0xf4

u32 random_u32(void) {
  static u32 state = 1;
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

/* The compiler may call these two even in a freestanding program. */
void *memset(void *to, int value, u32 bytes) {
  u8 *p = to;
  while (bytes--) *p++ = value;
  return to;
}

void *memcpy(void *to, const void *from, u32 bytes) {
  u8 *p = to;
  const u8 *q = from;
  while (bytes--) *p++ = *q++;
  return to;
}

static u64 time_stamp(void) {
  u32 low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (u64)high << 32 | low;
}

static void print(const char *text) {
  while (*text) out8(SERIAL, *text++);
}

static void print_hex(u64 value) {
  for (int shift = 60; shift >= 0; shift -= 4) out8(SERIAL, "0123456789abcdef"[(u32)(value >> shift) & 15]);
}

void guest_main(u32 scale) {
  out8(SERIAL_LINE_CONTROL, 3); /* 8 bits, no parity; DLAB off */
  prepare();
  u64 from = time_stamp();
  u64 sum = work(scale);
  u64 to = time_stamp();
  print("sum=");
  print_hex(sum);
  print(" tsc=");
  print_hex(to - from);
  print("\n");
  out8(EXIT_PORT, 0);
}
