/* fann.c - FANN's incremental and batch training on the same examples */
#include <floatfann.h>
#include <stdint.h>
#include <stdlib.h>
#include "bench.h"

typedef struct state {
    const problem *problem;
    struct fann *net;
    struct fann_train_data batch; /* its rows point into the problem's examples */
} state;

static void fann_train_chunk(void *memory, size_t first, size_t n)
{
    state *s = memory;
    const problem *p = s->problem;
    const size_t in = (size_t)p->sizes[0], out = (size_t)p->sizes[p->size_count - 1];
    for (size_t i = first; i < first + n; i += p->batch) {
        for (size_t k = 0; k < p->batch; k++) {
            /* FANN's interface has no const; it only reads these. */
            s->batch.input[k] = (float *)(uintptr_t)(p->x + (i + k) * in);
            s->batch.output[k] = (float *)(uintptr_t)(p->y + (i + k) * out);
        }
        if (p->batch == 1)
            fann_train(s->net, s->batch.input[0], s->batch.output[0]);
        else
            fann_train_epoch(s->net, &s->batch);
    }
}

static void fann_destroy_state(void *memory)
{
    state *s = memory;
    if (s->net)
        fann_destroy(s->net);
    free(s->batch.input);
    free(s->batch.output);
    free(s);
}

static void *fann_create_state(const problem *p)
{
    state *s = calloc(1, sizeof *s);
    unsigned sizes[BENCH_MAX_SIZES];
    if (!s)
        return NULL;
    for (int i = 0; i < p->size_count; i++)
        sizes[i] = (unsigned)p->sizes[i];
    s->problem = p;
    s->net = fann_create_standard_array((unsigned)p->size_count, sizes);
    s->batch.num_data = (unsigned)p->batch;
    s->batch.num_input = sizes[0];
    s->batch.num_output = sizes[p->size_count - 1];
    s->batch.input = calloc(p->batch, sizeof *s->batch.input);
    s->batch.output = calloc(p->batch, sizeof *s->batch.output);
    if (!s->net || !s->batch.input || !s->batch.output) {
        fann_destroy_state(s);
        return NULL;
    }
    fann_set_activation_function_hidden(s->net, FANN_SIGMOID);
    fann_set_activation_function_output(s->net, FANN_SIGMOID);
    fann_set_training_algorithm(s->net, p->batch == 1 ? FANN_TRAIN_INCREMENTAL : FANN_TRAIN_BATCH);
    fann_set_learning_rate(s->net, BENCH_ETA / (float)sizes[p->size_count - 1]);
    return s;
}

const trainer fann = { "FANN",           1,    2000000, fann_create_state,
                       fann_train_chunk, NULL, NULL,    fann_destroy_state };
