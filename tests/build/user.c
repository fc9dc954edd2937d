/* A program that calls everything and prints the kind of arithmetic and a hash of all the bits it
 * got, so that one build can be held against another. Compiles as C and as C++. With
 * BACKPROP_IMPLEMENTATION defined it is whole, without it needs impl.c. */
#ifdef WITH_ASSERT
#include <assert.h>
#define BACKPROP_ASSERT(condition) assert(condition)
#endif
#include "backprop.h"

#include <stdio.h>
#include <string.h>

enum { INPUTS = 37, OUTPUTS = 5, EXAMPLES = 43 };

static const int sizes[] = { INPUTS, 19, 8, OUTPUTS };
static bp_real x[EXAMPLES * INPUTS], y[EXAMPLES * OUTPUTS], a[EXAMPLES * OUTPUTS];
static bp_real gradient[2000];
static unsigned char bytes[20000];
static uint32_t hash = 2166136261u;

static void take(const void *memory, size_t size)
{
    const unsigned char *byte = (const unsigned char *)memory;
    while (size-- > 0) hash = (hash ^ *byte++) * 16777619u;
}

static void fill(bp_real *values, int count, int every)
{
    static uint32_t state = 1;
    int i;
    for (i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = state >> 28 < (uint32_t)every ? (bp_real)(state >> 8) / 16777216 : 0;
    }
}

static bp_status fetch(void *user, const size_t *indices, size_t n, bp_real *inputs,
                       bp_real *targets)
{
    size_t i;
    for (i = 0; i < n; i++) {
        memcpy(inputs + i * INPUTS, x + indices[i] * INPUTS, INPUTS * sizeof(bp_real));
        memcpy(targets + i * OUTPUTS, y + indices[i] * OUTPUTS, OUTPUTS * sizeof(bp_real));
    }
    return user == NULL ? BP_OK : BP_INVALID_ARGUMENT;
}

static int progress(void *user, const bp_progress *p)
{
    take(&p->cost, sizeof p->cost);
    return user != NULL;
}

/* The kernels are known only where the implementation is. */
static const char *arithmetic(const bp_net *net)
{
#ifdef BACKPROP_IMPLEMENTATION
    return bpi_kernels_of(net)->fused ? "fused" : "unfused";
#else
    (void)net;
    return "unknown";
#endif
}

static int learn(bp_net *net, const bp_data *data, size_t batch_size)
{
    bp_training training;
    bp_evaluation result;
    double cost = 0;
    memset(&training, 0, sizeof training);
    training.epochs = 9;
    training.batch_size = batch_size;
    training.learning_rate = 5;
    training.seed = 3;
    training.on_progress = progress;
    if (bp_train(net, data, &training) != BP_OK) return 0;
    if (bp_evaluate(net, data, &result) != BP_OK) return 0;
    if (bp_gradient(net, data, gradient, &cost) != BP_OK) return 0;
    bp_update(net, gradient, 0.5);
    take(&result.cost, sizeof result.cost);
    take(&cost, sizeof cost);
    take(net->parameters, net->parameter_count * sizeof(bp_real));
    return bp_workspace_size(net, data, &training) > 0 && result.count == EXAMPLES;
}

static int keep(bp_net *net)
{
    bp_net *decoded = NULL, *copy = bp_clone(net);
    size_t size = bp_encode(net, bytes, sizeof bytes);
    bp_status status = bp_decode(&decoded, bytes, size);
    take(bytes, size);
#ifndef BACKPROP_NO_STDIO
    if (status == BP_OK) status = bp_save(net, "build/tests/build/user.net");
    bp_free(decoded);
    decoded = NULL;
    if (status == BP_OK) status = bp_load(&decoded, "build/tests/build/user.net");
    if (status == BP_OK) status = bp_export_c(net, "build/tests/build/exported.c", "exported");
#endif
    if (status == BP_OK) status = bp_predict(decoded, x, EXAMPLES, a);
    take(a, sizeof a);
    bp_free(decoded);
    bp_free(copy);
    return status == BP_OK && copy != NULL;
}

int main(void)
{
    bp_data matrices = { EXAMPLES, x, y, NULL, NULL };
    bp_data fetched = { EXAMPLES, NULL, NULL, fetch, NULL };
    bp_net *net = bp_create(sizes, 4, 7);
    int good;
    fill(x, EXAMPLES * INPUTS, 6);
    fill(y, EXAMPLES * OUTPUTS, 16);
    if (net == NULL || net->parameter_count > sizeof gradient / sizeof gradient[0]) return 1;
    good = learn(net, &matrices, 1) && learn(net, &fetched, 10) && learn(net, &matrices, 0);
    good = good && keep(net);
    /* Bad calls are answered, never asserted on. */
    good = good && bp_predict(NULL, x, 1, a) == BP_INVALID_ARGUMENT;
    good = good && bp_predict(net, x, 0, a) == BP_INVALID_ARGUMENT;
    good = good && bp_decode(&net, bytes, 5) == BP_BAD_FILE;
    good = good && bp_status_string(BP_OK) != NULL;
    printf("%s %08lx\n", arithmetic(net), (unsigned long)hash);
    bp_free(net);
    return !good;
}
