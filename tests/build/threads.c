/* threads.c - many threads at once: on one constant network, on networks of their own, and as the
 * threads that train a single one. tests/test_threads.sh builds it with the thread sanitizer.
 *
 *     threads DIRECTORY
 */
#define _XOPEN_SOURCE 700

#include <pthread.h>
#include <stdlib.h>

#include "tests/check.h"

static void run_parts(int parts, void (*task)(void *context, int part, int parts), void *context);

#define BACKPROP_PARALLEL(parts, task, context) run_parts(parts, task, context)
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"

enum { READERS = 6, TRAINERS = 3, ROUNDS = 6, EXAMPLES = 300, MOST_PARTS = 8 };

/* ---- the hook ---- */

typedef struct part {
    void (*task)(void *context, int part, int parts);
    void *context;
    int number, parts;
} part;

static int most_parts; /* of any call so far */

static void *run_part(void *argument)
{
    part *p = (part *)argument;
    p->task(p->context, p->number, p->parts);
    return NULL;
}

/* A thread a part, each part in it from beginning to end. */
static void run_parts(int parts, void (*task)(void *context, int part, int parts), void *context)
{
    pthread_t threads[MOST_PARTS];
    part all[MOST_PARTS];
    int i;
    if (parts > MOST_PARTS)
        abort();
    most_parts = parts > most_parts ? parts : most_parts;
    for (i = 0; i < parts; i++) {
        all[i].task = task;
        all[i].context = context;
        all[i].number = i;
        all[i].parts = parts;
        if (pthread_create(&threads[i], NULL, run_part, &all[i]) != 0)
            abort();
    }
    for (i = 0; i < parts; i++)
        pthread_join(threads[i], NULL);
}

/* ---- what everyone works with ---- */

static const int sizes[] = { 40, 30, 20, 5 };
static bp_real inputs[EXAMPLES * 40], targets[EXAMPLES * 5];
static const bp_data data = { EXAMPLES, inputs, targets, NULL, NULL };
static const char *directory;

/* All that can be asked of a constant network. */
typedef struct answers {
    bp_real outputs[EXAMPLES * 5];
    bp_real *gradient;
    unsigned char *bytes;
    size_t size;
    double cost;
    bp_evaluation evaluation;
} answers;

/* Some inputs are zero; or whole blocks of eight. */
static void make_examples(int sparse)
{
    uint64_t state = 1, bits = 0;
    int nonzero = 1;
    size_t i;
    for (i = 0; i < EXAMPLES * 40; i++) {
        bits = bpi_random(&state);
        if (!sparse || i % 8 == 0)
            nonzero = bits % 3 != 0;
        inputs[i] = nonzero != sparse ? (bp_real)(bits >> 56) / 256 : 0;
    }
    for (i = 0; i < EXAMPLES * 5; i++)
        targets[i] = bpi_random(&state) % 5 == 0;
}

static int ask(const bp_net *net, answers *a)
{
    a->size = bp_encode(net, NULL, 0);
    a->gradient = (bp_real *)malloc(net->parameter_count * sizeof(bp_real));
    a->bytes = (unsigned char *)malloc(a->size);
    return a->gradient && a->bytes && bp_predict(net, inputs, EXAMPLES, a->outputs) == BP_OK &&
           bp_evaluate(net, &data, &a->evaluation) == BP_OK &&
           bp_gradient(net, &data, a->gradient, &a->cost) == BP_OK &&
           bp_encode(net, a->bytes, a->size) == a->size;
}

static int same(const bp_net *net, const answers *a, const answers *b)
{
    return memcmp(a->outputs, b->outputs, sizeof a->outputs) == 0 &&
           memcmp(a->gradient, b->gradient, net->parameter_count * sizeof(bp_real)) == 0 &&
           a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0 &&
           memcmp(&a->cost, &b->cost, sizeof a->cost) == 0 &&
           a->evaluation.correct == b->evaluation.correct &&
           memcmp(&a->evaluation.cost, &b->evaluation.cost, sizeof a->cost) == 0;
}

static void forget(answers *a)
{
    free(a->gradient);
    free(a->bytes);
}

/* ---- the threads ---- */

typedef struct worker {
    pthread_t thread;
    const bp_net *net;   /* that all readers share */
    const answers *want; /* what one thread alone was told of it */
    const bp_net *trained; /* what a trainer must come to */
    int number;
    int wrong; /* rounds in which something was different */
} worker;

/* Saves and exports to paths of its own. */
static int keep(const worker *w)
{
    char path[1024];
    bp_net *copy = NULL;
    int ok;
    sprintf(path, "%.900s/threads.%d", directory, w->number);
    ok = bp_save(w->net, path) == BP_OK && bp_load(&copy, path) == BP_OK &&
         memcmp(copy->parameters, w->net->parameters,
                w->net->parameter_count * sizeof(bp_real)) == 0 &&
         bp_export_c(w->net, path, "net") == BP_OK;
    bp_free(copy);
    remove(path);
    return ok;
}

static void *read_net(void *argument)
{
    worker *w = (worker *)argument;
    int round;
    for (round = 0; round < ROUNDS; round++) {
        answers *mine = (answers *)calloc(1, sizeof *mine);
        bp_net *copy = bp_clone(w->net);
        w->wrong += !mine || !ask(w->net, mine) || !same(w->net, mine, w->want) || !keep(w) ||
                    !copy || bp_simd(copy) != bp_simd(w->net);
        bp_free(copy);
        if (mine)
            forget(mine);
        free(mine);
    }
    return NULL;
}

static bp_net *train(int epochs, size_t batch, int threads, const int *widths, int count)
{
    bp_training training;
    bp_net *net = bp_create(widths, count, 7);
    memset(&training, 0, sizeof training);
    training.epochs = epochs;
    training.batch_size = batch;
    training.learning_rate = 1;
    training.threads = threads;
    CHECK(bp_train(net, &data, &training) == BP_OK, "batch %lu", (unsigned long)batch);
    return net;
}

static void *train_net(void *argument)
{
    worker *w = (worker *)argument;
    bp_training training;
    bp_net *net = bp_create(sizes, 4, 7);
    memset(&training, 0, sizeof training);
    training.epochs = ROUNDS;
    training.batch_size = 10;
    training.learning_rate = 1;
    w->wrong = bp_train(net, &data, &training) != BP_OK ||
               memcmp(net->parameters, w->trained->parameters,
                      net->parameter_count * sizeof(bp_real)) != 0;
    bp_free(net);
    return NULL;
}

/* Readers of one network and trainers of their own, all at once. */
static void test_at_once(void)
{
    worker workers[READERS + TRAINERS];
    bp_net *net = train(2, 10, 1, sizes, 4), *trained = train(ROUNDS, 10, 1, sizes, 4);
    answers *want = (answers *)calloc(1, sizeof *want);
    int i;
    CHECK(want && ask(net, want), "asked alone");
    for (i = 0; i < READERS + TRAINERS; i++) {
        worker *w = &workers[i];
        memset(w, 0, sizeof *w);
        w->net = net;
        w->want = want;
        w->trained = trained;
        w->number = i;
        CHECK(pthread_create(&w->thread, NULL, i < READERS ? read_net : train_net, w) == 0,
              "thread %d", i);
    }
    for (i = 0; i < READERS + TRAINERS; i++) {
        pthread_join(workers[i].thread, NULL);
        CHECK(workers[i].wrong == 0, "thread %d: %d rounds differ", i, workers[i].wrong);
    }
    forget(want);
    free(want);
    bp_free(net);
    bp_free(trained);
}

/* A network trained by several threads is the one trained by one. */
static void test_together(void)
{
    /* in the last, a thread may get a single example */
    static const int widths[][4] = {
        { 40, 160, 120, 5 }, { 40, 160, 120, 5 }, { 40, 160, 120, 5 }, { 40, 8400, 20, 5 }
    };
    static const size_t batches[] = { 200, 150, 0, 3 };
    size_t i;
    for (i = 0; i < 8; i++) {
        const int epochs = i % 4 < 3 ? 2 : 1, sparse = i >= 4;
        const size_t batch = batches[i % 4];
        bp_net *one, *four;
        make_examples(sparse);
        one = train(epochs, batch, 1, widths[i % 4], 4);
        four = train(epochs, batch, 4, widths[i % 4], 4);
        CHECK_BYTES(four->parameters, one->parameters, one->parameter_count * sizeof(bp_real),
                    "batch %lu, sparse %d", (unsigned long)batch, sparse);
        bp_free(one);
        bp_free(four);
    }
    CHECK(most_parts == 4, "the work was shared among %d", most_parts);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: threads DIRECTORY\n", stderr);
        return 1;
    }
    directory = argv[1];
    make_examples(0);
    test_at_once();
    test_together();
    return check_report("threads");
}
