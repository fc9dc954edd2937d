/* bench.h - what the trainers that are timed against each other share
 *
 * All hold their examples as float before the clock starts, take them in order, and do the same
 * mathematics: sigmoid, half mean squared error, a step of eta after every batch. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>

enum { BENCH_MAX_SIZES = 8 };

/* Small enough that no net here swings to and fro, which would magnify rounding. */
#define BENCH_ETA 0.01f

/* A network, its examples and how they are worked through. */
typedef struct problem {
    const char *net;  /* "784-100-10" */
    const char *data; /* "dense", or the directory that holds MNIST */
    int sizes[BENCH_MAX_SIZES], size_count;
    size_t weights; /* sum of W, without the biases */
    double flops;   /* training on one example: 4 sum W + 2 sum W without the first layer */
    size_t count;   /* examples */
    const float *x, *y;
    const float *parameters; /* to start from: W^1 b^1 W^2 b^2 ..., row-major */
    size_t batch;            /* examples in a step; in a call when predicting */
    size_t chunk;            /* examples between looks at the clock, a multiple of batch */
    int predicts;            /* time predictions, not training */
    int threads;
} problem;

/* A library under test. Functions that are NULL are things it is not asked for. */
typedef struct trainer {
    const char *name;
    int is_slow;                             /* so far behind that few rounds are enough */
    size_t max_weights;                      /* in a net that takes no minutes; 0: any */
    void *(*create)(const problem *problem); /* NULL: no memory */
    void (*train)(void *state, size_t first, size_t n);
    /* Predicts n examples from the first, batch of them a call, into n rows at out. */
    void (*predict)(void *state, size_t first, size_t n, float *out);
    /* Seconds an example, measured for about so long, where it runs in a process of its own. */
    double (*time)(void *state, double seconds);
    void (*destroy)(void *state);
} trainer;

extern const trainer ours, ours_openmp, openblas, fann, pytorch;

/* Ours, which trains by one call of bp_train_in for every example. */
extern const trainer ours_calls;

/* Our initial parameters of such a network, to be given to free; NULL: no memory. */
float *ours_parameters(const problem *problem);

/* The instruction set that ours computes with. */
const char *ours_simd(void);

/* The cores that this process may use. */
int ours_cores(void);

/* The kernels that OpenBLAS computes with: "SkylakeX". */
const char *openblas_kernels(void);

/* Starts pytorch.py under this interpreter; 0 if it does not come up. */
int pytorch_start(const char *python, const char *script);

/* Seconds on a clock that only goes forward. */
double bench_now(void);

/* Puts doubles in order, for qsort. */
int bench_compare(const void *a, const void *b);

/* The most multiply-adds this machine does, in GFLOP/s, and the vectors that do them. */
double machine_peak(double seconds, const char **vectors);

/* Reading of so many bytes again and again, in GB/s; 0 if there is no memory. */
double machine_bandwidth(size_t bytes, double seconds);

/* Bytes of the cache of level 1, 2 or 3; a guess where the system does not say. */
size_t machine_cache(int level);

/* Cycles a second of this core at this moment; takes half a millisecond. */
double machine_clock(void);

/* Nanoseconds that a cache line takes to another thread and back; 0 if no thread starts. */
double machine_round_trip(double seconds);

#endif
