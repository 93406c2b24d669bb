/* Quicksort, binary search, and records copied and compared in Dhrystone's manner: branches that depend on data, calls. Scale: rounds. */
#include "guest.h"

#define COUNT 16384

struct record {
  struct record *next;
  int discriminant, kind, number;
  char text[32];
};

static int compare(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return (u8)*a - (u8)*b;
}

static __attribute__((noinline)) int combine(int c, int d) {
  switch ((c ^ d) & 7) {
    case 0: return c + d;
    case 1: return c - d;
    case 2: return c * 3 + d;
    case 3: return c >> 1;
    case 4: return d << 2;
    case 5: return c | d;
    case 6: return c & d;
    default: return ~c;
  }
}

static __attribute__((noinline)) void derive(struct record *a, struct record *b) {
  *b = *a;
  b->number = combine(a->number, b->discriminant);
  b->next = a;
  if (compare(a->text, b->text) > 0) b->discriminant++;
  else b->discriminant--;
}

static __attribute__((noinline)) void quicksort(u32 *a, int low, int high) {
  while (low < high) {
    int i = low, j = high;
    u32 pivot = a[(low + high) >> 1];
    while (i <= j) {
      while (a[i] < pivot) i++;
      while (a[j] > pivot) j--;
      if (i <= j) {
        u32 t = a[i];
        a[i++] = a[j];
        a[j--] = t;
      }
    }
    /* The shorter part by recursion: the depth stays logarithmic. */
    if (j - low < high - i) {
      quicksort(a, low, j);
      low = i;
    } else {
      quicksort(a, i, high);
      high = j;
    }
  }
}

static int lower_bound(const u32 *a, u32 wanted) {
  int low = 0, high = COUNT - 1;
  while (low < high) {
    int middle = (low + high) >> 1;
    if (a[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

static struct record records[2] = {{.text = "SOME STRING, AS LONG AS BEFORE"}};

void prepare(void) {}

u64 work(u32 scale) {
  u32 *a = (u32 *)HEAP;
  u64 sum = 0;
  for (u32 round = 0; round < scale; round++) {
    for (int i = 0; i < COUNT; i++) a[i] = random_u32();
    quicksort(a, 0, COUNT - 1);
    for (int i = 0; i < 4096; i++) sum += lower_bound(a, random_u32());
    for (int i = 0; i < 3000; i++) {
      derive(&records[i % 2], &records[(i + 1) % 2]);
      records[0].text[i % 20] ^= i & 1;
      sum += records[1].number;
    }
  }
  return sum ^ (u64)a[77] << 32;
}
