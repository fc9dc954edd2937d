/* openblas.c - the yardstick: the same mathematics, hand-written on OpenBLAS
 *
 * One example at a time by sgemv and sger, more by sgemm; W row-major, outputs x inputs, as in
 * backprop.h. Built with everything the compiler has to offer (-O3 -march=native -ffast-math). */
#define _POSIX_C_SOURCE 200809L
#include <cblas.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "bench.h"

void openblas_set_num_threads(int count);
char *openblas_get_corename(void);

/* One layer of weights and what it computes for a batch, a row an example. */
typedef struct layer {
    int inputs, outputs;
    float *W, *b;     /* outputs x inputs; outputs */
    float *a, *delta; /* batch x outputs */
} layer;

typedef struct state {
    const problem *problem;
    int layer_count;
    layer layers[BENCH_MAX_SIZES];
} state;

/* 1 / (1 + e^-z), without a branch or a call, so that loops over it are vectorised: e^-z = 2^t =
 * 2^n 2^f with |f| <= 1/2, 2^n put together from its bits and 2^f from its series. */
static inline float sigmoid(float z)
{
    const float limit = 126, t0 = z * -1.44269504f;
    const float t = t0 > limit ? limit : t0 < -limit ? -limit : t0;
    const float n = __builtin_rintf(t), f = t - n;
    const int32_t bits = ((int32_t)n + 127) * (1 << 23);
    float power, p = 1.5403530e-4f;
    p = p * f + 1.3333558e-3f;
    p = p * f + 9.6181291e-3f;
    p = p * f + 5.5504109e-2f;
    p = p * f + 2.4022651e-1f;
    p = p * f + 6.9314718e-1f;
    p = p * f + 1;
    memcpy(&power, &bits, sizeof power);
    return 1 / (1 + p * power);
}

/* a = s(x W^T + 1 b^T) for m examples. */
static void forward_layer(const layer *l, const float *x, int m)
{
    const int in = l->inputs, out = l->outputs;
    const float *restrict b = l->b;
    if (m == 1)
        cblas_sgemv(CblasRowMajor, CblasNoTrans, out, in, 1, l->W, in, x, 1, 0, l->a, 1);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, out, in, 1, x, in, l->W, in, 0,
                    l->a, out);
    for (int i = 0; i < m; i++) {
        float *restrict a = l->a + (size_t)i * (size_t)out;
        for (int j = 0; j < out; j++)
            a[j] = sigmoid(a[j] + b[j]);
    }
}

static const float *forward(const state *s, const float *x, int m)
{
    for (int l = 0; l < s->layer_count; l++) {
        forward_layer(&s->layers[l], x, m);
        x = s->layers[l].a;
    }
    return x;
}

/* delta = (a - y) a (1 - a); the factor 1/(m n_L) is left to the update. */
static void output_error(const layer *l, const float *restrict y, int m)
{
    const float *restrict a = l->a;
    float *restrict delta = l->delta;
    for (int i = 0; i < m * l->outputs; i++)
        delta[i] = (a[i] - y[i]) * a[i] * (1 - a[i]);
}

/* delta = (delta above) (W above) a (1 - a) */
static void hidden_error(const layer *l, const layer *above, int m)
{
    const int in = above->inputs, out = above->outputs;
    const float *restrict a = l->a;
    float *restrict delta = l->delta;
    if (m == 1)
        cblas_sgemv(CblasRowMajor, CblasTrans, out, in, 1, above->W, in, above->delta, 1, 0, delta,
                    1);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, in, out, 1, above->delta, out,
                    above->W, in, 0, delta, in);
    for (int i = 0; i < m * in; i++)
        delta[i] *= a[i] * (1 - a[i]);
}

/* W -= eta delta^T x, b -= eta sum of delta's rows */
static void update(const layer *l, const float *x, int m, float eta)
{
    const int in = l->inputs, out = l->outputs;
    float *restrict b = l->b;
    if (m == 1)
        cblas_sger(CblasRowMajor, out, in, -eta, l->delta, 1, x, 1, l->W, in);
    else
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, out, in, m, -eta, l->delta, out, x, in,
                    1, l->W, in);
    for (int i = 0; i < m; i++) {
        const float *restrict delta = l->delta + (size_t)i * (size_t)out;
        for (int j = 0; j < out; j++)
            b[j] -= eta * delta[j];
    }
}

static void step(state *s, const float *x, const float *y, int m)
{
    const int last = s->layer_count - 1;
    const float eta = BENCH_ETA / (float)(m * s->layers[last].outputs);
    forward(s, x, m);
    output_error(&s->layers[last], y, m);
    for (int l = last; l >= 0; l--) {
        if (l > 0)
            hidden_error(&s->layers[l - 1], &s->layers[l], m);
        update(&s->layers[l], l > 0 ? s->layers[l - 1].a : x, m, eta);
    }
}

static void openblas_train(void *memory, size_t first, size_t n)
{
    state *s = memory;
    const problem *p = s->problem;
    const size_t in = (size_t)p->sizes[0], out = (size_t)p->sizes[p->size_count - 1];
    for (size_t i = first; i < first + n; i += p->batch)
        step(s, p->x + i * in, p->y + i * out, (int)p->batch);
}

static void openblas_predict(void *memory, size_t first, size_t n, float *out)
{
    state *s = memory;
    const problem *p = s->problem;
    const size_t in = (size_t)p->sizes[0], row = (size_t)p->sizes[p->size_count - 1];
    for (size_t i = 0; i < n; i += p->batch) {
        const float *a = forward(s, p->x + (first + i) * in, (int)p->batch);
        memcpy(out + i * row, a, p->batch * row * sizeof *out);
    }
}

static void openblas_destroy(void *memory)
{
    state *s = memory;
    for (int l = 0; l < s->layer_count; l++) {
        free(s->layers[l].W);
        free(s->layers[l].b);
        free(s->layers[l].a);
        free(s->layers[l].delta);
    }
    free(s);
}

/* count floats from the start of a cache line; copied from somewhere unless that is NULL. */
static float *floats(size_t count, const float *from)
{
    void *memory;
    if (posix_memalign(&memory, 64, count * sizeof(float)))
        return NULL;
    if (from)
        memcpy(memory, from, count * sizeof(float));
    return memory;
}

static void *openblas_create(const problem *p)
{
    state *s = calloc(1, sizeof *s);
    const float *from = p->parameters;
    int whole = s != NULL;
    openblas_set_num_threads(1);
    for (int i = 1; whole && i < p->size_count; i++) {
        const size_t in = (size_t)p->sizes[i - 1], out = (size_t)p->sizes[i];
        layer *l = &s->layers[s->layer_count++];
        l->inputs = (int)in;
        l->outputs = (int)out;
        l->W = floats(in * out, from);
        l->b = floats(out, from + in * out);
        l->a = floats(p->batch * out, NULL);
        l->delta = floats(p->batch * out, NULL);
        from += (in + 1) * out;
        whole = l->W && l->b && l->a && l->delta;
    }
    if (s && !whole) {
        openblas_destroy(s);
        return NULL;
    }
    if (s)
        s->problem = p;
    return s;
}

const char *openblas_kernels(void)
{
    return openblas_get_corename();
}

const trainer openblas = {
    "OpenBLAS", 0, 0, openblas_create, openblas_train, openblas_predict, NULL, openblas_destroy
};
