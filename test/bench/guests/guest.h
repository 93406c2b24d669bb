/* What the workloads share. Each workload file defines prepare() and work(); main.c times the second. */
#ifndef GUEST_H
#define GUEST_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

/* 124 MB of mapped RAM nobody else uses. */
#define HEAP ((u8 *)0x400000)

/* Fills memory, sets up chips: not timed. */
void prepare(void);
/* The workload; returns a checksum of what it computed. */
u64 work(u32 scale);

/* Xorshift, the same sequence in every run. */
u32 random_u32(void);

static inline void out8(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }

/* loops.asm */
extern u32 loop_alu(u32 iterations);
extern void loop_copy(void *to, const void *from, u32 sixteens);
extern u32 loop_chase(void *first, u32 steps);
extern u32 loop_apic(u32 ipis);
extern u32 loop_int80(u32 times);
extern void loop_rep_movs(void *to, const void *from, u32 bytes);

#endif
