/* machine.c - what this machine can do: multiply-adds, reading of memory, cycles a second, and
 * passing a cache line between two threads
 *
 * Built with -ffp-contract=fast, which makes x * m + c one fused multiply-add where there is
 * one. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "bench.h"

double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int bench_compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum { CHAINS = 12 };

/* The compiler must not know where the chains start, else it would work them out. */
static volatile float start = 0.5f, sink;

/* NAME_chains: rounds of x = x m + c in CHAINS vectors that do not wait for each other.
 * NAME_sum: reads n floats, a multiple of 8 vectors, into 8 sums. */
#define VECTORS(name, attribute, lanes)                                                 \
    typedef float name __attribute__((vector_size(4 * (lanes)), may_alias));            \
    attribute static void name##_chains(size_t rounds)                                  \
    {                                                                                   \
        const name one = (name){ 0 } + 1, m = one * 0.999f, c = one * 0.001f;           \
        name x0 = one * start, x1 = one * start, x2 = one * start, x3 = one * start;    \
        name x4 = one * start, x5 = one * start, x6 = one * start, x7 = one * start;    \
        name x8 = one * start, x9 = one * start, xa = one * start, xb = one * start;    \
        while (rounds--) {                                                              \
            x0 = x0 * m + c, x1 = x1 * m + c, x2 = x2 * m + c, x3 = x3 * m + c;         \
            x4 = x4 * m + c, x5 = x5 * m + c, x6 = x6 * m + c, x7 = x7 * m + c;         \
            x8 = x8 * m + c, x9 = x9 * m + c, xa = xa * m + c, xb = xb * m + c;         \
        }                                                                               \
        x0 += x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + xa + xb;                     \
        for (int i = 0; i < (lanes); i++)                                               \
            sink = x0[i];                                                               \
    }                                                                                   \
    attribute static void name##_sum(const float *p, size_t n)                          \
    {                                                                                   \
        const name *v = (const name *)(const void *)p, *end = v + n / (lanes);          \
        name s0 = { 0 }, s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0; \
        for (; v < end; v += 8) {                                                       \
            s0 += v[0], s1 += v[1], s2 += v[2], s3 += v[3];                             \
            s4 += v[4], s5 += v[5], s6 += v[6], s7 += v[7];                             \
        }                                                                               \
        s0 += s1 + s2 + s3 + s4 + s5 + s6 + s7;                                         \
        for (int i = 0; i < (lanes); i++)                                               \
            sink = s0[i];                                                               \
    }

VECTORS(plain, , 4)
#if defined(__x86_64__) || defined(__i386__)
VECTORS(avx2, __attribute__((target("avx2,fma"))), 8)
VECTORS(avx512, __attribute__((target("avx512f"))), 16)
#endif

typedef struct vectors {
    const char *name;
    int lanes;
    void (*chains)(size_t rounds);
    void (*sum)(const float *p, size_t n);
} vectors;

/* Those that this machine has, the widest last; returns how many. */
static int find_vectors(vectors *found)
{
    int count = 0;
    found[count++] = (vectors){ "plain vectors", 4, plain_chains, plain_sum };
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        found[count++] = (vectors){ "AVX2 FMA", 8, avx2_chains, avx2_sum };
    if (__builtin_cpu_supports("avx512f"))
        found[count++] = (vectors){ "AVX-512 FMA", 16, avx512_chains, avx512_sum };
#endif
    return count;
}

double machine_peak(double seconds, const char **name)
{
    vectors found[3];
    const int count = find_vectors(found);
    const size_t rounds = 20000;
    double peak = 0;
    for (int i = 0; i < count; i++) {
        const double end = bench_now() + seconds / count;
        double before = bench_now(), after, gflops;
        do {
            found[i].chains(rounds);
            after = bench_now();
            gflops = 2e-9 * CHAINS * found[i].lanes * (double)rounds / (after - before);
            if (gflops > peak) {
                peak = gflops;
                *name = found[i].name;
            }
            before = after;
        } while (after < end);
    }
    return peak;
}

double machine_bandwidth(size_t bytes, double seconds)
{
    vectors found[3];
    const vectors *widest = &found[find_vectors(found) - 1];
    const size_t count = bytes / 4096 * 1024, repeats = 1 + ((size_t)1 << 20) / bytes;
    const double end = bench_now() + seconds;
    double best = 0, before, after;
    void *memory;
    float *p;
    if (posix_memalign(&memory, 4096, count * sizeof(float)))
        return 0;
    p = memory;
    for (size_t i = 0; i < count; i++)
        p[i] = 1;
    do {
        before = bench_now();
        for (size_t r = 0; r < repeats; r++)
            widest->sum(p, count);
        after = bench_now();
        if (4e-9 * (double)(repeats * count) / (after - before) > best)
            best = 4e-9 * (double)(repeats * count) / (after - before);
    } while (after < end);
    free(memory);
    return best;
}

size_t machine_cache(int level)
{
    static const size_t guess[] = { 32768, 1 << 20, 16 << 20 };
    long size = 0;
#ifdef _SC_LEVEL1_DCACHE_SIZE
    static const int names[] = { _SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE,
                                 _SC_LEVEL3_CACHE_SIZE };
    size = sysconf(names[level - 1]);
#endif
    return size > 0 ? (size_t)size : guess[level - 1];
}

/* Adding a register takes one cycle on today's processors; adding a constant may take none. The
 * empty assembly keeps the compiler from adding in advance. */
#define ADD \
    x += y; \
    __asm__ volatile("" : "+r"(x))

double machine_clock(void)
{
    const size_t count = 25000;
    double best = 0;
    for (int turn = 0; turn < 10; turn++) { /* an interrupt only makes a turn longer */
        size_t x = 0, y = 1;
        __asm__ volatile("" : "+r"(y));
        const double before = bench_now();
        for (size_t i = 0; i < count; i++) {
            ADD;
            ADD;
            ADD;
            ADD;
            ADD;
            ADD;
            ADD;
            ADD;
        }
        const double clock = 8 * (double)count / (bench_now() - before);
        if (clock > best)
            best = clock;
    }
    return best;
}

/* A flag on a cache line of its own, which two threads write in turns. */
static struct {
    int flag;
    char rest[124];
} shared __attribute__((aligned(128)));

enum { PONG, PING, STOP };

/* Waits until the flag differs from this one, and returns it. Two threads that found themselves on
 * one core would wait for each other's share of it, so a long wait gives the core away. */
static int wait_while(int flag)
{
    int now;
    for (int looks = 1; (now = __atomic_load_n(&shared.flag, __ATOMIC_ACQUIRE)) == flag; looks++)
        if (looks % 8192 == 0)
            sched_yield();
    return now;
}

static void put(int flag)
{
    __atomic_store_n(&shared.flag, flag, __ATOMIC_RELEASE);
}

static void *answer(void *unused)
{
    while (wait_while(PONG) != STOP)
        put(PONG);
    return unused;
}

double machine_round_trip(double seconds)
{
    enum { TRIPS = 100, TURNS = 10000 };
    static double times[TURNS];
    const double end = bench_now() + seconds;
    size_t turns = 0;
    pthread_t other;
    put(PONG);
    if (pthread_create(&other, NULL, answer, NULL))
        return 0;
    do {
        const double before = bench_now();
        for (int trip = 0; trip < TRIPS; trip++) {
            put(PING);
            wait_while(PING);
        }
        times[turns++] = (bench_now() - before) / TRIPS;
    } while (turns < TURNS && bench_now() < end);
    put(STOP);
    pthread_join(other, NULL);
    qsort(times, turns, sizeof *times, bench_compare);
    return 1e9 * times[turns / 2];
}
