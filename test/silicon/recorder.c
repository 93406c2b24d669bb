/*
 * Executes single instructions on the processor it runs on, in 32-bit and 16-bit protected-mode code, and tells what they did.
 *
 * One process, no tracer: a signal handler writes the initial registers (with the trap flag set) into the signal frame and returns into the
 * instruction; the debug exception behind it, or its fault, enters the handler again. Unlike ptrace, the signal frame tells the exception's
 * vector, error code and CR2. The process itself lies above 4 GB, where 32-bit code cannot reach it.
 *
 * stdin:  unsigned char background[65536], then struct Case until the end. stdout: for each case a struct Result and its runs of changed
 * memory, each { uint16_t offset, length; unsigned char bytes[length] }. The addresses and descriptors are those of environment.ts.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x20000000ul
#define DATA 0x30000000ul
#define WINDOW 0x10000u
#define HOLE 0x5000u
#define READ_ONLY 0xA000u
#define MAX_STEPS 64
#define TF 0x100

struct Patch { uint16_t offset, length; uint8_t bytes[16]; };
struct Case {
  uint8_t environment, repeated; uint16_t length; uint16_t ip, patches;
  uint8_t code[20]; uint32_t flags, registers[8];
  struct Patch patch[4];
} __attribute__((packed));
struct Result { uint32_t steps, vector, error, cr2, eip, flags, registers[8], runs; uint16_t segments[6]; };

/* Selectors by environment: CS SS DS ES FS GS. */
static const uint16_t selectors[3][6] = {
  { 0x23, 0x2B, 0x2B, 0x2B, 0x37, 0x3F },
  { 0x07, 0x1F, 0x0F, 0x17, 0x27, 0x2F },
  { 0x47, 0x1F, 0x0F, 0x17, 0x37, 0x3F },
};
/* Order of the registers in an instruction: EAX ECX EDX EBX ESP EBP ESI EDI. */
static const int gregs[8] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI };

static uint8_t background[WINDOW], *code, *data;
static struct Case now;
static uint16_t loaded[4]; /* DS ES FS GS as the instruction left them */
static unsigned steps;
static unsigned long host_fs;
static uint64_t start;
static sigset_t none;

static void descriptor(unsigned n, unsigned long base, unsigned limit, int big, int contents, int read_only, int absent) {
  struct user_desc d = { .entry_number = n, .base_addr = base, .limit = limit, .seg_32bit = big, .contents = contents };
  d.read_exec_only = read_only; d.seg_not_present = absent;
  if (syscall(SYS_modify_ldt, 1, &d, sizeof d)) { perror("modify_ldt"); exit(1); }
}

static void report(const greg_t *g, int trapped) {
  struct Result r = { .steps = steps, .vector = trapped ? 0xFF : g[REG_TRAPNO], .eip = g[REG_RIP], .flags = g[REG_EFL] & ~(TF | 0x10000) };
  if (!trapped) { r.error = g[REG_ERR]; if (r.vector == 14) r.cr2 = g[REG_CR2]; }
  for (int i = 0; i < 8; i++) r.registers[i] = g[gregs[i]];
  const uint16_t segments[6] = { loaded[1], g[REG_CSGSFS], (uint64_t)g[REG_CSGSFS] >> 48, loaded[0], loaded[2], loaded[3] };
  memcpy(r.segments, segments, sizeof segments);
  static uint8_t out[WINDOW * 2];
  unsigned n = 0;
  for (unsigned i = 0; i < WINDOW; i++) {
    if ((i & 7) == 0) { while (i < WINDOW && !memcmp(data + i, background + i, 8)) i += 8; if (i >= WINDOW) break; }
    if (data[i] == background[i]) continue;
    unsigned end = i + 1, same = 0;
    for (unsigned k = i + 1; k < WINDOW && same < 4; k++) if (data[k] != background[k]) { end = k + 1; same = 0; } else same++;
    uint16_t head[2] = { i, end - i };
    memcpy(out + n, head, 4); memcpy(out + n + 4, data + i, end - i); n += 4 + end - i; r.runs++;
    memcpy(data + i, background + i, end - i);
    i = end - 1;
  }
  fwrite(&r, sizeof r, 1, stdout); fwrite(out, n, 1, stdout);
}

static void arm(ucontext_t *u) {
  greg_t *g = u->uc_mcontext.gregs;
  if (fread(&now, sizeof now, 1, stdin) != 1) { fflush(stdout); _exit(0); }
  memcpy(code + now.ip, now.code, now.ip + now.length > WINDOW ? WINDOW - now.ip : now.length);
  for (int i = 0; i < now.patches; i++) {
    memcpy(data + now.patch[i].offset, now.patch[i].bytes, now.patch[i].length);
    memcpy(background + now.patch[i].offset, now.patch[i].bytes, now.patch[i].length);
  }
  for (int i = 0; i < 8; i++) g[gregs[i]] = now.registers[i];
  sigemptyset(&u->uc_sigmask);
  for (int i = REG_R8; i <= REG_R15; i++) g[i] = 0;
  start = (now.environment == 0 ? CODE : 0) + now.ip;
  g[REG_RIP] = start; g[REG_EFL] = now.flags | TF | 0x202;
  g[REG_CSGSFS] = (g[REG_CSGSFS] & 0x0000FFFFFFFF0000ul) | selectors[now.environment][0] | (uint64_t)selectors[now.environment][1] << 48;
  steps = 0;
}

__attribute__((noinline)) static void handler(int signal, siginfo_t *info, void *context) {
  (void)info;
  __asm__ volatile("mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3" : "=m"(loaded[0]), "=m"(loaded[1]), "=m"(loaded[2]), "=m"(loaded[3]));
  __asm__ volatile("pushfq; andl $~0x44000, (%%rsp); popfq" ::: "memory", "cc");  /* AC and NT: sigreturn would keep them */
  syscall(SYS_arch_prctl, 0x1002, host_fs);
  ucontext_t *u = context;
  greg_t *g = u->uc_mcontext.gregs;
  static uint8_t clean[WINDOW];
  static int first = 1;
  if (first) { first = 0; memcpy(clean, background, WINDOW); arm(u); }
  else {
    int trapped = signal == SIGTRAP && g[REG_TRAPNO] == 1;
    steps++;
    if (trapped && now.repeated && (uint64_t)g[REG_RIP] == start && steps < MAX_STEPS) g[REG_EFL] |= TF;
    else {
      report(g, trapped);
      memset(code + now.ip, 0x90, now.ip + now.length > WINDOW ? WINDOW - now.ip : now.length);
      for (int i = 0; i < now.patches; i++) {
        memcpy(data + now.patch[i].offset, clean + now.patch[i].offset, now.patch[i].length);
        memcpy(background + now.patch[i].offset, clean + now.patch[i].offset, now.patch[i].length);
      }
      arm(u);
    }
  }
  const uint16_t *s = selectors[now.environment];
  __asm__ volatile("mov %0, %%ds; mov %1, %%es; mov %2, %%fs; mov %3, %%gs" :: "r"(s[2]), "r"(s[3]), "r"(s[4]), "r"(s[5]));
}

int main(void) {
  int codeFile = memfd_create("code", 0), dataFile = memfd_create("data", 0);
  if (ftruncate(codeFile, WINDOW) || ftruncate(dataFile, WINDOW)) return 1;
  code = mmap(0, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED, codeFile, 0);
  data = mmap(0, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED, dataFile, 0);
  if (mmap((void *)CODE, WINDOW, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED | MAP_POPULATE, codeFile, 0) == MAP_FAILED) return 1;
  if (mmap((void *)DATA, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE, dataFile, 0) == MAP_FAILED) return 1;
  munmap((void *)(DATA + HOLE), 0x1000);
  mprotect((void *)(DATA + READ_ONLY), 0x1000, PROT_READ);
  mlock((void *)(DATA + READ_ONLY), 0x1000);      /* present, so that a write to it is a protection violation */
  descriptor(0, CODE, 0xFFFF, 0, 2, 0, 0);          /* 07 code, 16-bit */
  descriptor(1, DATA, 0xFFFF, 0, 0, 0, 0);          /* 0F data */
  descriptor(2, DATA, 0x7FFF, 0, 0, 0, 0);          /* 17 data, half of the window */
  descriptor(3, DATA, 0xFFFF, 0, 0, 0, 0);          /* 1F stack, 16-bit */
  descriptor(4, DATA + 0x100, 0x0FFF, 0, 0, 1, 0);  /* 27 data, read-only */
  descriptor(5, DATA, 0x7FFF, 0, 1, 0, 0);          /* 2F data, expand-down: 8000..FFFF */
  descriptor(6, DATA + 0x10, 0x3FFF, 1, 0, 0, 0);   /* 37 data */
  descriptor(7, DATA, 0x0FFF, 1, 1, 0, 0);          /* 3F data, expand-down, big: 1000..FFFFFFFF */
  descriptor(8, CODE, 0xFFFF, 1, 2, 0, 0);          /* 47 code, 32-bit */
  descriptor(9, DATA, 0xFFFF, 0, 0, 0, 1);          /* 4F data, not present */
  descriptor(10, CODE, 0xFFFF, 1, 2, 1, 0);         /* 57 code, execute-only, 32-bit */
  if (fread(background, WINDOW, 1, stdin) != 1) return 1;
  memset(code, 0x90, WINDOW); memcpy(data, background, WINDOW);
  setvbuf(stdout, malloc(1 << 20), _IOFBF, 1 << 20);
  syscall(SYS_arch_prctl, 0x1003, &host_fs);
  stack_t alternate = { .ss_sp = malloc(1 << 20), .ss_size = 1 << 20 };
  sigaltstack(&alternate, 0);
  struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
  sigfillset(&action.sa_mask);
  sigprocmask(SIG_SETMASK, &none, 0);
  const int signals[] = { SIGUSR1, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);
  raise(SIGUSR1);
  return 1;
}
