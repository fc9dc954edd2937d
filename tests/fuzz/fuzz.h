/* fuzz.h - what the fuzz targets share: libFuzzer's interface, a heap that counts and fails on
 * demand, files in memory, and a reader that makes decisions from the bytes of the fuzzer.
 *
 * A target includes this first, then the header under test. A violated promise aborts, which
 * libFuzzer takes for a crash and keeps the input of. */
#ifndef FUZZ_H
#define FUZZ_H

/* fmemopen */
#define _XOPEN_SOURCE 700

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* libFuzzer itself is built without the memory sanitizer, which cannot see what it writes. */
#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define UNPOISON(bytes, size) __msan_unpoison(bytes, size)
#endif
#endif
#ifndef UNPOISON
#define UNPOISON(bytes, size) ((void)(bytes), (void)(size))
#endif

/* A promise of the code under test. */
#define MUST(condition) must(condition, #condition, __FILE__, __LINE__)

static inline void must(int condition, const char *text, const char *file, int line)
{
    if (condition)
        return;
    fprintf(stderr, "%s:%d: violated: %s\n", file, line, text);
    abort();
}

/* ---- the heap ---- */

/* More than any input can justify: what asks for it must be ready not to get it. */
enum { HEAP_MOST = 1 << 20 };

static struct {
    long blocks;       /* held at the moment */
    size_t asked;      /* bytes asked for since heap_reset */
    unsigned calls;    /* likewise */
    unsigned fail_at;  /* the call, from 1, that fails; 0: none */
    int failed;        /* one was refused since heap_reset */
} heap;

static inline void heap_reset(unsigned fail_at)
{
    heap.asked = 0;
    heap.calls = 0;
    heap.failed = 0;
    heap.fail_at = fail_at;
}

/* Blocks are the allocator's own, so that the sanitizer knows where each one ends. */
static inline void *heap_realloc(void *old, size_t size)
{
    void *block;
    heap.calls++;
    MUST(size > 0);
    if (heap.calls == heap.fail_at || size > HEAP_MOST) {
        heap.failed = 1;
        return NULL;
    }
    heap.asked += size;
    block = realloc(old, size);
    MUST(block != NULL);
    heap.blocks += old == NULL;
    return block;
}

static inline void *heap_malloc(size_t size)
{
    return heap_realloc(NULL, size);
}

static inline void heap_free(void *block)
{
    heap.blocks -= block != NULL;
    free(block);
}

/* ---- a file in memory ---- */

static struct {
    const uint8_t *bytes;
    size_t size;
} memory_file;

/* Stands in for fopen: whatever the path, the bytes above, to be read. */
static inline FILE *memory_open(const char *path, const char *mode)
{
    union {
        const uint8_t *constant;
        void *bytes;
    } file;
    MUST(path[0] != '\0' && strcmp(mode, "rb") == 0);
    file.constant = memory_file.bytes;
    return fmemopen(file.bytes, memory_file.size, "rb");
}

/* ---- decisions ---- */

/* The bytes not used yet; a source that has run dry gives zeros. */
typedef struct source {
    const uint8_t *bytes;
    size_t size;
} source;

static inline uint64_t take_bits(source *from, int count)
{
    uint64_t bits = 0;
    while (count-- > 0 && from->size > 0) {
        bits = bits << 8 | *from->bytes++;
        from->size--;
    }
    return bits;
}

/* 0 ... n-1, for n up to 256. */
static inline unsigned take(source *from, unsigned n)
{
    return (unsigned)take_bits(from, 1) % n;
}

/* SplitMix64: numbers for what would waste the fuzzer's bytes. */
static inline uint64_t draw(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* The larger magnitude; once not a number, always not a number. */
static inline double larger(double a, double x)
{
    const double magnitude = x < 0 ? -x : x;
    return magnitude <= a || !(a >= 0) ? a : magnitude;
}

#endif
