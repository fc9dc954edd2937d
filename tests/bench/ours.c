/* ours.c - backprop.h as a user would build it: cc -O2; once more with -fopenmp for threads */
#define BACKPROP_STATIC
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
#include "bench.h"

#ifndef OURS
#define OURS ours
#endif

typedef struct state {
    const problem *problem;
    bp_net *net;
    bp_training training;
    void *workspace; /* of ours_calls, else NULL */
    size_t size;
} state;

/* A network that computes with the instruction set that SIMD in the environment names, if it
 * does. */
static bp_net *ours_net(const int *sizes, int size_count)
{
    const char *simd = getenv("SIMD");
    bp_net *net = bp_create(sizes, size_count, 1);
    if (net && bp_use_simd(net, simd && *simd ? simd : NULL) != BP_OK) {
        fprintf(stderr, "bench: SIMD=%s: this machine does not have it\n", simd);
        exit(1);
    }
    return net;
}

static void ours_destroy(void *memory)
{
    state *s = memory;
    if (s) {
        bp_free(s->net);
        free(s->workspace);
    }
    free(s);
}

static void *ours_create(const problem *p)
{
    state *s = calloc(1, sizeof *s);
    bp_net *net = ours_net(p->sizes, p->size_count);
    if (!s || !net) {
        bp_free(net);
        free(s);
        return NULL;
    }
    s->problem = p;
    s->net = net;
    s->training.epochs = 1;
    s->training.batch_size = p->batch;
    s->training.learning_rate = (double)BENCH_ETA;
    s->training.in_order = 1;
    s->training.threads = p->threads;
    return s;
}

static const float *ours_example(const problem *p, size_t i)
{
    return p->x + i * (size_t)p->sizes[0];
}

static bp_data ours_data(const problem *p, size_t first, size_t n)
{
    bp_data data = { 0, NULL, NULL, NULL, NULL };
    data.count = n;
    data.inputs = ours_example(p, first);
    data.targets = p->y + first * (size_t)p->sizes[p->size_count - 1];
    return data;
}

static void ours_check(const problem *p, bp_status status)
{
    if (status != BP_OK) {
        fprintf(stderr, "bench: %s: training: %s\n", p->net, bp_status_string(status));
        exit(1);
    }
}

static void ours_train(void *memory, size_t first, size_t n)
{
    state *s = memory;
    const bp_data data = ours_data(s->problem, first, n);
    ours_check(s->problem, bp_train(s->net, &data, &s->training));
}

static void ours_predict(void *memory, size_t first, size_t n, float *out)
{
    state *s = memory;
    const problem *p = s->problem;
    const size_t outputs = (size_t)p->sizes[p->size_count - 1];
    size_t i;
    for (i = 0; i < n; i += p->batch)
        bp_predict(s->net, ours_example(p, first + i), p->batch, out + i * outputs);
}

const trainer OURS = { "ours", 0, 0, ours_create, ours_train, ours_predict, NULL, ours_destroy };

#ifdef _OPENMP
int ours_cores(void)
{
    return omp_get_num_procs();
}
#else
static void *ours_calls_create(const problem *p)
{
    state *s = ours_create(p);
    if (s) {
        const bp_data data = ours_data(p, 0, 1);
        s->size = bp_workspace_size(s->net, &data, &s->training);
        s->workspace = malloc(s->size);
        if (!s->workspace) {
            ours_destroy(s);
            return NULL;
        }
    }
    return s;
}

static void ours_calls_train(void *memory, size_t first, size_t n)
{
    state *s = memory;
    size_t i;
    for (i = first; i < first + n; i++) {
        const bp_data data = ours_data(s->problem, i, 1);
        ours_check(s->problem, bp_train_in(s->net, &data, &s->training, s->workspace, s->size));
    }
}

const trainer ours_calls = { "ours, a call each", 0,    0,    ours_calls_create,
                             ours_calls_train,    NULL, NULL, ours_destroy };

float *ours_parameters(const problem *p)
{
    bp_net *net = ours_net(p->sizes, p->size_count);
    const size_t bytes = net ? net->parameter_count * sizeof(float) : 0;
    float *copy = net ? malloc(bytes) : NULL;
    if (copy)
        memcpy(copy, net->parameters, bytes);
    bp_free(net);
    return copy;
}

const char *ours_simd(void)
{
    const int sizes[] = { 1, 1 };
    bp_net *net = ours_net(sizes, 2);
    const char *name = net ? bp_simd(net) : "unknown";
    bp_free(net);
    return name;
}
#endif
