/* test_api.c - bad arguments, failing allocations, and memory brought by the caller
 *
 * A failed call must say why, leave its arguments alone and leak nothing; a call with its own
 * workspace must stay inside it, allocate nothing, and give the bits of the call without. */
#include <stddef.h>

static void *counted_malloc(size_t size);
static void counted_free(void *pointer);
#define BACKPROP_MALLOC(size) counted_malloc(size)
#define BACKPROP_FREE(pointer) counted_free(pointer)
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
#include "tests/check.h"
#include "tests/reference.h"
#include <float.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- an allocator that counts, and fails when told to ---- */

static size_t allocations, live, fail_at; /* fail_at: counted from 1; 0: never */

static void *counted_malloc(size_t size)
{
    void *memory;
    allocations++;
    /* A gigabyte is more than any test here can mean. */
    if (allocations == fail_at || size > (size_t)1 << 30)
        return NULL;
    memory = malloc(size);
    if (memory == NULL)
        abort();
    /* Whoever reads memory before writing it shall not find zeros. */
    memset(memory, 0xcd, size);
    live++;
    return memory;
}

static void counted_free(void *pointer)
{
    if (pointer == NULL)
        return;
    live--;
    free(pointer);
}

/* ---- a network and examples, and all that calls write to ---- */

enum { EXAMPLES = 300, INPUTS = 9, OUTPUTS = 4, PARAMETERS = 33 * (INPUTS + 1) + OUTPUTS * 34 };

static const int sizes[] = { INPUTS, 33, OUTPUTS };
static bp_real x[EXAMPLES * INPUTS], y[EXAMPLES * OUTPUTS];

typedef struct results {
    bp_real outputs[EXAMPLES * OUTPUTS];
    bp_real gradient[PARAMETERS];
    bp_real parameters[PARAMETERS];
    double cost, worst;
    bp_evaluation evaluation;
    uint64_t epochs_trained;
} results;

static bp_status fetch(void *user, const size_t *indices, size_t n, bp_real *inputs,
                       bp_real *targets)
{
    size_t i;
    (void)user;
    for (i = 0; i < n; i++) {
        memcpy(inputs + i * INPUTS, x + indices[i] * INPUTS, sizeof(bp_real) * INPUTS);
        memcpy(targets + i * OUTPUTS, y + indices[i] * OUTPUTS, sizeof(bp_real) * OUTPUTS);
    }
    return BP_OK;
}

static const bp_data given = { EXAMPLES, x, y, NULL, NULL };
static const bp_data fetched = { EXAMPLES, NULL, NULL, fetch, NULL };

static void make_examples(void)
{
    uint64_t state = 1;
    size_t i;
    for (i = 0; i < EXAMPLES * INPUTS; i++)
        x[i] = (bp_real)ref_random(&state);
    for (i = 0; i < EXAMPLES * OUTPUTS; i++)
        y[i] = (bp_real)((ref_random(&state) + 1) / 2);
}

static bp_training settings(size_t batch_size, int in_order)
{
    bp_training training;
    memset(&training, 0, sizeof training);
    training.epochs = 2;
    training.batch_size = batch_size;
    training.learning_rate = 0.5;
    training.in_order = in_order;
    return training;
}

/* ---- the calls under test, with and without a workspace of the caller's ---- */

typedef struct call {
    const char *name;
    const bp_data *data; /* NULL: bp_predict */
    int trains;
    bp_training training;
    /* With workspace NULL the call that allocates is made. */
    bp_status (*run)(const struct call *call, bp_net *net, results *r, void *workspace,
                     size_t size);
} call;

static bp_status run_predict(const call *c, bp_net *net, results *r, void *workspace, size_t size)
{
    (void)c;
    if (workspace)
        return bp_predict_in(net, x, EXAMPLES, r->outputs, workspace, size);
    return bp_predict(net, x, EXAMPLES, r->outputs);
}

static bp_status run_evaluate(const call *c, bp_net *net, results *r, void *workspace, size_t size)
{
    if (workspace)
        return bp_evaluate_in(net, c->data, &r->evaluation, workspace, size);
    return bp_evaluate(net, c->data, &r->evaluation);
}

static bp_status run_gradient(const call *c, bp_net *net, results *r, void *workspace, size_t size)
{
    if (workspace)
        return bp_gradient_in(net, c->data, r->gradient, &r->cost, workspace, size);
    return bp_gradient(net, c->data, r->gradient, &r->cost);
}

static bp_status run_train(const call *c, bp_net *net, results *r, void *workspace, size_t size)
{
    bp_status status;
    if (workspace)
        status = bp_train_in(net, c->data, &c->training, workspace, size);
    else
        status = bp_train(net, c->data, &c->training);
    memcpy(r->parameters, net->parameters, sizeof r->parameters);
    r->epochs_trained = net->epochs_trained;
    return status;
}

static bp_status run_check(const call *c, bp_net *net, results *r, void *workspace, size_t size)
{
    (void)workspace;
    (void)size;
    return bp_check_gradient(net, c->data, &r->worst);
}

enum { CALLS = 13 };

static void make_calls(call *calls)
{
    static const size_t batches[] = { 1, 10, 257, 0 };
    int i, n = 0;
    memset(calls, 0, sizeof(call) * CALLS);
    calls[n].name = "bp_predict";
    calls[n++].run = run_predict;
    for (i = 0; i < 2; i++) {
        calls[n].name = "bp_evaluate";
        calls[n].data = i ? &fetched : &given;
        calls[n++].run = run_evaluate;
        calls[n].name = "bp_gradient";
        calls[n].data = i ? &fetched : &given;
        calls[n++].run = run_gradient;
    }
    for (i = 0; i < 8; i++) {
        calls[n].name = "bp_train";
        calls[n].data = i & 1 ? &fetched : &given;
        calls[n].trains = 1;
        calls[n].training = settings(batches[i / 2], i / 2 == 1);
        calls[n++].run = run_train;
    }
}

static bp_net *fresh(void)
{
    bp_net *net = bp_create(sizes, 3, 11);
    if (net == NULL)
        abort();
    return net;
}

/* What a call leaves as it found it: a pattern everywhere, the parameters of a new network. */
static void results_reset(results *r, const bp_net *net)
{
    memset(r, 0x5a, sizeof *r);
    memcpy(r->parameters, net->parameters, sizeof r->parameters);
    r->epochs_trained = 0;
}

/* ---- failing allocations ---- */

/* Lets the first, second ... allocation fail until the call succeeds; where there are many,
 * not every one of them. */
static void check_failing(const call *c)
{
    static results r, before;
    bp_status status = BP_OUT_OF_MEMORY;
    size_t nth;
    for (nth = 1; status != BP_OK && nth < 100000; nth += nth < 10 ? 1 : nth) {
        bp_net *net = fresh();
        const size_t live_before = live;
        results_reset(&r, net);
        before = r;
        allocations = 0;
        fail_at = nth;
        status = c->run(c, net, &r, NULL, 0);
        fail_at = 0;
        CHECK(live == live_before, "%s, allocation %zu: %zu blocks leaked", c->name, nth,
              live - live_before);
        if (status != BP_OK) {
            CHECK(status == BP_OUT_OF_MEMORY, "%s: %s", c->name, bp_status_string(status));
            CHECK_BYTES(&r, &before, sizeof r, "%s failed at allocation %zu", c->name, nth);
            CHECK_BYTES(net->parameters, before.parameters, sizeof r.parameters, "%s", c->name);
        }
        bp_free(net);
    }
    CHECK(status == BP_OK && nth >= 3, "%s: %s after %zu", c->name, bp_status_string(status), nth);
    CHECK(allocations == 1 || c->run == run_check, "%s allocated %zu blocks", c->name, allocations);
}

static void test_failing_allocations(void)
{
    call calls[CALLS];
    const bp_data few = { 3, x, y, NULL, NULL };
    size_t i;
    make_calls(calls);
    for (i = 0; i < CALLS; i++)
        check_failing(&calls[i]);
    calls[0].name = "bp_check_gradient";
    calls[0].data = &few;
    calls[0].run = run_check;
    check_failing(&calls[0]);
}

/* bp_create, bp_clone and bp_decode make one block each. */
static void test_failing_creation(void)
{
    bp_net *net = fresh(), *copy, *untouched = net;
    unsigned char bytes[PARAMETERS * sizeof(bp_real) + 200];
    const size_t size = bp_encode(net, bytes, sizeof bytes), live_before = live;
    bp_status status = BP_OUT_OF_MEMORY;
    size_t nth;
    CHECK(size > 0 && size <= sizeof bytes, "%zu bytes", size);
    allocations = 0;
    fail_at = 1;
    CHECK(bp_create(sizes, 3, 1) == NULL && live == live_before, "%zu live", live);
    allocations = 0;
    CHECK(bp_clone(net) == NULL && live == live_before, "%zu live", live);
    for (nth = 1; status != BP_OK && nth < 10; nth++) {
        allocations = 0;
        fail_at = nth;
        status = bp_decode(&untouched, bytes, size);
        if (status == BP_OK)
            break;
        CHECK(status == BP_OUT_OF_MEMORY && untouched == net && live == live_before,
              "bp_decode, allocation %zu: %s", nth, bp_status_string(status));
    }
    fail_at = 0;
    CHECK(status == BP_OK && nth > 1 && live == live_before + 1, "bp_decode: %s",
          bp_status_string(status));
    bp_free(untouched);
    allocations = 0;
    copy = bp_clone(net);
    CHECK(copy != NULL && allocations == 1, "bp_clone allocated %zu blocks", allocations);
    bp_free(copy);
    copy = fresh();
    CHECK(allocations == 2, "bp_create allocated %zu blocks", allocations - 1);
    bp_free(copy);
    bp_free(net);
}

/* ---- memory of the caller's ---- */

enum { SPACE = 1 << 18, GUARD = 64 };
static unsigned char space[SPACE], space_before[SPACE];

/* Runs the call in size bytes at every misalignment; want is what it should leave. Less than
 * need is refused, except by bp_evaluate_in, which bp_workspace_size gives more than it needs. */
static void check_inside(const call *c, const results *want, size_t need, size_t size)
{
    static results r, before;
    size_t shift;
    for (shift = 0; shift < 64; shift++) {
        bp_net *net = fresh();
        unsigned char *workspace = space + GUARD + shift;
        bp_status status;
        results_reset(&r, net);
        before = r;
        memset(space, 0xa5, SPACE);
        memcpy(space_before, space, SPACE);
        allocations = 0;
        if (c->run != run_evaluate) {
            status = c->run(c, net, &r, workspace, need - 1);
            CHECK(status == BP_OUT_OF_MEMORY, "%s_in, a byte short: %s", c->name,
                  bp_status_string(status));
            CHECK_BYTES(space, space_before, SPACE, "%s_in, a byte short", c->name);
            CHECK_BYTES(&r, &before, sizeof r, "%s_in, a byte short", c->name);
        }
        status = c->run(c, net, &r, workspace, 1);
        CHECK(status == BP_OUT_OF_MEMORY, "%s_in in one byte: %s", c->name,
              bp_status_string(status));
        status = c->run(c, net, &r, workspace, size);
        CHECK(status == BP_OK, "%s_in in %zu bytes, misaligned by %zu: %s", c->name, size, shift,
              bp_status_string(status));
        CHECK_BYTES(&r, want, sizeof r, "%s_in, misaligned by %zu", c->name, shift);
        CHECK_BYTES(space, space_before, GUARD + shift, "%s_in wrote before", c->name);
        CHECK_BYTES(workspace + size, space_before, (size_t)(space + SPACE - workspace) - size,
                    "%s_in wrote behind", c->name);
        CHECK(allocations == 0, "%s_in allocated %zu blocks", c->name, allocations);
        bp_free(net);
    }
}

static void test_workspaces(void)
{
    static results want;
    call calls[CALLS];
    size_t i, need, more;
    make_calls(calls);
    for (i = 0; i < CALLS; i++) {
        const call *c = &calls[i];
        bp_net *net = fresh();
        results_reset(&want, net);
        need = bp_workspace_size(net, c->data, c->trains ? &c->training : NULL);
        CHECK(need > 0 && need + 2 * GUARD + 64 <= SPACE, "%s: %zu bytes", c->name, need);
        CHECK(c->run(c, net, &want, NULL, 0) == BP_OK, "%s", c->name);
        check_inside(c, &want, need, need);
        /* More than needed is welcome. */
        for (more = 0; c->data == NULL && more < 20000; more += 997)
            check_inside(c, &want, need, need + more + 1);
        bp_free(net);
    }
}

/* A network made in memory is the same at every misalignment and stays inside. */
static void test_nets_in_memory(void)
{
    const size_t need = bp_net_size(sizes, 3);
    bp_net *want = fresh();
    size_t shift;
    CHECK(need > PARAMETERS * sizeof(bp_real) && need < SPACE / 2, "%zu bytes", need);
    for (shift = 0; shift < 64; shift++) {
        unsigned char *memory = space + GUARD + shift;
        const size_t live_before = live;
        bp_net *net, *copy;
        memset(space, 0xa5, SPACE);
        memcpy(space_before, space, SPACE);
        allocations = 0;
        CHECK(bp_create_in(memory, need - 1, sizes, 3, 11) == NULL, "a byte short");
        CHECK(bp_create_in(memory, 0, sizes, 3, 11) == NULL, "no bytes");
        CHECK_BYTES(space, space_before, SPACE, "bp_create_in, a byte short");
        net = bp_create_in(memory, need, sizes, 3, 11);
        if (net == NULL)
            abort();
        CHECK_BYTES(net->parameters, want->parameters, PARAMETERS * sizeof(bp_real),
                    "misaligned by %zu", shift);
        CHECK(net->layer_count == 2 && net->parameter_count == PARAMETERS && allocations == 0,
              "%d layers, %zu parameters, %zu allocations", net->layer_count, net->parameter_count,
              allocations);
        copy = bp_clone(net);
        bp_free(net);
        CHECK(live == live_before + 1, "%zu blocks live, not %zu", live, live_before + 1);
        bp_randomize(net, 12);
        CHECK_BYTES(copy->parameters, want->parameters, PARAMETERS * sizeof(bp_real), "the copy");
        bp_free(copy);
        CHECK(live == live_before, "%zu blocks live, not %zu", live, live_before);
        CHECK_BYTES(space, space_before, GUARD + shift, "wrote before");
        CHECK_BYTES(memory + need, space_before, (size_t)(space + SPACE - memory) - need,
                    "wrote behind");
    }
    CHECK(bp_create_in(NULL, need, sizes, 3, 1) == NULL, "no memory");
    bp_free(want);
}

/* The whole path of >>memory without one allocation, and small predictions without any. */
static void test_without_allocator(void)
{
    const int widths[] = { 2, 4, 1 };
    const bp_real in[] = { 0, 0, 0, 1, 1, 0, 1, 1 }, out[] = { 0, 1, 1, 0 };
    const bp_data data = { 4, in, out, NULL, NULL };
    const bp_training training = settings(1, 0);
    const size_t bytes = bp_net_size(widths, 3);
    bp_net *net = bp_create_in(space, bytes, widths, 3, 3), *other = bp_create(widths, 3, 3);
    bp_real a[4], b[4];
    size_t need;
    if (net == NULL || other == NULL)
        abort();
    need = bp_workspace_size(net, &data, &training);
    CHECK(bp_train(other, &data, &training) == BP_OK, "training");
    allocations = 0;
    CHECK(bp_train_in(net, &data, &training, space + bytes, need) == BP_OK, "%zu bytes", need);
    CHECK(bp_predict_in(net, in, 4, a, space + bytes, need) == BP_OK, "the same workspace");
    CHECK(bp_predict(other, in, 4, b) == BP_OK && allocations == 0, "%zu allocations", allocations);
    CHECK_BYTES(a, b, sizeof a, "predictions");
    bp_free(net);
    bp_free(other);
}

/* ---- networks ---- */

static void test_structure(void)
{
    const int widths[] = { 3, 5, 1, 2 };
    bp_net *net = bp_create(widths, 4, 1), *copy;
    bp_real *at = net->parameters;
    int l;
    CHECK(net->layer_count == 3 && net->parameter_count == 30 && net->epochs_trained == 0,
          "%d layers, %zu parameters", net->layer_count, net->parameter_count);
    for (l = 0; l < 3; l++) {
        const bp_layer *layer = &net->layers[l];
        CHECK(layer->inputs == widths[l] && layer->outputs == widths[l + 1], "layer %d: %d x %d", l,
              layer->outputs, layer->inputs);
        CHECK(layer->weights == at, "layer %d: weights out of place", l);
        at += layer->inputs * layer->outputs;
        CHECK(layer->biases == at, "layer %d: biases out of place", l);
        at += layer->outputs;
    }
    net->parameters[29] = 7;
    net->epochs_trained = 5;
    copy = bp_clone(net);
    CHECK(copy->layer_count == 3 && copy->parameter_count == 30 && copy->epochs_trained == 5,
          "copy of %d layers, %zu parameters", copy->layer_count, copy->parameter_count);
    CHECK_BYTES(copy->parameters, net->parameters, 30 * sizeof(bp_real), "the copy");
    for (l = 0; l < 3; l++)
        CHECK(copy->layers[l].weights - copy->parameters ==
                      net->layers[l].weights - net->parameters &&
                  copy->layers[l].biases - copy->parameters ==
                      net->layers[l].biases - net->parameters &&
                  copy->layers[l].inputs == widths[l] && copy->layers[l].outputs == widths[l + 1],
              "copy's layer %d", l);
    copy->parameters[0] = 9;
    copy->epochs_trained = 6;
    CHECK(net->parameters[0] != 9 && net->epochs_trained == 5, "the copy is not independent");
    bp_free(net);
    CHECK(copy->parameters[29] == 7, "the copy died with the original");
    bp_free(copy);
    bp_free(NULL);
    CHECK(bp_clone(NULL) == NULL, "a copy of nothing");
}

static void check_refused(const int *widths, int count, const char *what)
{
    static unsigned char before[1024];
    memset(before, 0xa5, sizeof before);
    memset(space, 0xa5, SPACE);
    allocations = 0;
    CHECK(bp_create(widths, count, 1) == NULL, "%s", what);
    CHECK(allocations == 0, "%s: allocated", what);
    CHECK(bp_net_size(widths, count) == 0, "%s: %zu bytes", what, bp_net_size(widths, count));
    CHECK(bp_create_in(space, SPACE, widths, count, 1) == NULL, "%s", what);
    CHECK_BYTES(space, before, sizeof before, "%s", what);
}

/* As many parameters as a size_t counts the bytes of, 2^bits - 1: what stands beside them has no
 * room. The products of these widths come to that for an even and for an odd number of bits. */
static void test_no_room_beside(void)
{
    const int bits = (int)sizeof(size_t) * 8 - (sizeof(bp_real) == 8 ? 3 : 2), half = bits / 2;
    const int power = (int)(((uint32_t)1 << half) - 1); /* 2^half - 1, at most INT_MAX */
    int widths[4];
    widths[2] = 1;
    if (bits % 2) {
        widths[0] = power;
        widths[1] = (int)(2 * (uint32_t)power);
        check_refused(widths, 3, "an odd number of bits");
    } else {
        widths[0] = power - 1;
        widths[1] = power;
        widths[3] = power / 2;
        check_refused(widths, 4, "an even number of bits");
    }
}

static void test_bad_sizes(void)
{
    enum { DEEP = 40 };
    int widths[] = { 3, 4, 5 }, deep[DEEP], i;
    check_refused(NULL, 3, "no sizes");
    check_refused(widths, 0, "no layers");
    check_refused(widths, 1, "one layer");
    check_refused(widths, -1, "-1 layers");
    check_refused(widths, INT_MIN, "INT_MIN layers");
    for (i = 0; i < 3; i++) {
        const int before = widths[i];
        widths[i] = 0;
        check_refused(widths, 3, "a width of 0");
        widths[i] = -1;
        check_refused(widths, 3, "a width of -1");
        widths[i] = INT_MIN;
        check_refused(widths, 3, "a width of INT_MIN");
        widths[i] = before;
    }
    for (i = 0; i < DEEP; i++)
        deep[i] = INT_MAX;
    /* Two widths of INT_MAX are just below 2^62 parameters. */
    for (i = sizeof(bp_real) == 4 && sizeof(size_t) > 4 ? 3 : 2; i <= DEEP; i++)
        check_refused(deep, i, "more bytes than a size_t counts");
    CHECK(bp_create(deep, 2, 1) == NULL, "INT_MAX inputs and outputs");
    deep[1] = 1;
    check_refused(deep, DEEP, "more bytes than a size_t counts, from the third width on");
    if (sizeof(size_t) > 4) {
        /* Eight gigabytes are a size; this allocator has not got them. */
        CHECK(bp_net_size(deep, 2) > (size_t)INT_MAX * sizeof(bp_real), "INT_MAX inputs");
        CHECK(bp_create(deep, 2, 1) == NULL, "INT_MAX inputs");
        CHECK(bp_create_in(space, SPACE, deep, 2, 1) == NULL, "INT_MAX inputs");
    } else
        SKIP("size_t of 32 bits: no network of eight gigabytes");
}

/* ---- bad arguments ---- */

static void check_invalid(bp_status status, const char *what)
{
    CHECK(status == BP_INVALID_ARGUMENT, "%s: %s", what, bp_status_string(status));
}

static void test_bad_data(const bp_net *net)
{
    static results r, before;
    bp_data bad[4];
    size_t i;
    results_reset(&r, net);
    before = r;
    for (i = 0; i < 4; i++)
        bad[i] = given;
    bad[0].count = 0;
    bad[1].targets = NULL;
    bad[2].inputs = NULL;
    bad[3] = fetched;
    bad[3].count = 0;
    for (i = 0; i <= 4; i++) {
        const bp_data *data = i < 4 ? &bad[i] : NULL;
        check_invalid(bp_evaluate(net, data, &r.evaluation), "bp_evaluate");
        check_invalid(bp_gradient(net, data, r.gradient, &r.cost), "bp_gradient");
        check_invalid(bp_check_gradient(net, data, &r.worst), "bp_check_gradient");
        check_invalid(bp_evaluate_in(net, data, &r.evaluation, space, SPACE), "bp_evaluate_in");
        check_invalid(bp_gradient_in(net, data, r.gradient, &r.cost, space, SPACE),
                      "bp_gradient_in");
        if (data != NULL)
            CHECK(bp_workspace_size(net, data, NULL) == 0, "bad data %zu: a size", i);
    }
    CHECK_BYTES(&r, &before, sizeof r, "bad data");
}

static void test_null_arguments(const bp_net *net)
{
    static results r, before;
    results_reset(&r, net);
    before = r;
    check_invalid(bp_predict(NULL, x, 1, r.outputs), "no network");
    check_invalid(bp_predict(net, NULL, 1, r.outputs), "no inputs");
    check_invalid(bp_predict(net, x, 0, r.outputs), "no examples");
    check_invalid(bp_predict(net, x, 1, NULL), "no outputs");
    check_invalid(bp_predict_in(NULL, x, 1, r.outputs, space, SPACE), "no network");
    check_invalid(bp_predict_in(net, NULL, 1, r.outputs, space, SPACE), "no inputs");
    check_invalid(bp_predict_in(net, x, 0, r.outputs, space, SPACE), "no examples");
    check_invalid(bp_predict_in(net, x, 1, NULL, space, SPACE), "no outputs");
    check_invalid(bp_predict_in(net, x, 1, r.outputs, NULL, SPACE), "no workspace");
    CHECK(bp_predict_in(net, x, 1, r.outputs, NULL, 0) == BP_OUT_OF_MEMORY, "a workspace of 0");
    check_invalid(bp_evaluate(NULL, &given, &r.evaluation), "no network");
    check_invalid(bp_evaluate(net, &given, NULL), "no result");
    check_invalid(bp_evaluate_in(net, &given, NULL, space, SPACE), "no result");
    check_invalid(bp_evaluate_in(net, &given, &r.evaluation, NULL, SPACE), "no workspace");
    check_invalid(bp_gradient(NULL, &given, r.gradient, &r.cost), "no network");
    check_invalid(bp_gradient(net, &given, NULL, &r.cost), "no gradient");
    check_invalid(bp_gradient_in(net, &given, NULL, &r.cost, space, SPACE), "no gradient");
    check_invalid(bp_gradient_in(net, &given, r.gradient, &r.cost, NULL, SPACE), "no workspace");
    check_invalid(bp_check_gradient(NULL, &given, &r.worst), "no network");
    check_invalid(bp_check_gradient(net, &given, NULL), "no result");
    CHECK_BYTES(&r, &before, sizeof r, "NULL arguments");
    CHECK(bp_gradient(net, &given, r.gradient, NULL) == BP_OK, "the cost may be NULL");
    CHECK(bp_workspace_size(NULL, NULL, NULL) == 0, "no network: a size");
    CHECK(bp_workspace_size(NULL, &given, NULL) == 0, "no network: a size");
    CHECK(bp_encode(NULL, NULL, 0) == 0, "no network: bytes");
    bp_randomize(NULL, 1);
    bp_update(NULL, r.gradient, 1);
}

static void check_training(bp_net *net, const bp_training *training, const char *what)
{
    check_invalid(bp_train(net, &given, training), what);
    check_invalid(bp_train_in(net, &given, training, space, SPACE), what);
    if (training != NULL)
        CHECK(bp_workspace_size(net, &given, training) == 0, "%s: a size", what);
}

static void test_bad_training(bp_net *net)
{
    static results before;
    const double infinity = 1e308 * 1e308;
    const double rates[] = { 0,      -0.0,  -1, -infinity, infinity, infinity - infinity,
#ifndef BACKPROP_DOUBLE
                             1e39,   1e-60,
#endif
                             -1e-300 };
    bp_training training = settings(1, 0);
    size_t i;
    results_reset(&before, net);
    check_training(net, NULL, "no settings");
    for (i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        training.learning_rate = rates[i];
        check_training(net, &training, "bad rate");
    }
    training = settings(1, 0);
    training.epochs = -1;
    check_training(net, &training, "-1 epochs");
    training.epochs = INT_MIN;
    check_training(net, &training, "INT_MIN epochs");
    training = settings(1, 0);
    training.threads = -1;
    check_training(net, &training, "-1 threads");
    training = settings(1, 0);
    check_invalid(bp_train(NULL, &given, &training), "no network");
    check_invalid(bp_train(net, NULL, &training), "no data");
    check_invalid(bp_train_in(net, &given, &training, NULL, SPACE), "no workspace");
    CHECK(bp_workspace_size(net, NULL, &training) == 0, "settings without data: a size");
    bp_update(net, NULL, 1);
    bp_update(NULL, before.parameters, 1);
    CHECK_BYTES(net->parameters, before.parameters, sizeof before.parameters, "bad settings");
    /* The extremes that are allowed, and reports that nobody wants. */
    training.epochs = 0;
    CHECK(bp_train(net, &given, &training) == BP_OK, "no epochs");
    CHECK_BYTES(net->parameters, before.parameters, sizeof before.parameters, "no epochs");
    CHECK(net->epochs_trained == 0, "%u epochs", (unsigned)net->epochs_trained);
    training = settings((size_t)-1, 0);
    training.report_every = (size_t)-1;
    training.learning_rate = sizeof(bp_real) == 4 ? (double)FLT_MIN : DBL_MIN;
    CHECK(bp_train(net, &given, &training) == BP_OK, "the largest batch, the smallest rate");
    CHECK(net->epochs_trained == 2, "%u epochs", (unsigned)net->epochs_trained);
}

/* Counts of examples whose indices or bytes a size_t cannot count. */
static void test_huge_counts(bp_net *net)
{
    bp_data data = fetched;
    bp_training training = settings(1, 0);
    bp_status status;
    data.count = (size_t)-1;
    CHECK(bp_workspace_size(net, &data, &training) == 0, "a size");
    status = bp_train(net, &data, &training);
    CHECK(status == BP_OUT_OF_MEMORY, "%s", bp_status_string(status));
    status = bp_train_in(net, &data, &training, space, SPACE);
    CHECK(status == BP_OUT_OF_MEMORY, "%s", bp_status_string(status));
    training.batch_size = 0;
    CHECK(bp_workspace_size(net, &data, &training) == 0, "a size, and a gradient");
    training.batch_size = 1;
    training.in_order = 1;
    CHECK(bp_workspace_size(net, &data, &training) > 0, "in order no indices are held");
}

static void test_status_strings(void)
{
    const int outside[] = { -1, 7, 8, 100, INT_MAX, INT_MIN };
    const char *words[BP_STOPPED + 1];
    size_t i;
    int a, b;
    for (a = BP_OK; a <= BP_STOPPED; a++) {
        words[a] = bp_status_string((bp_status)a);
        CHECK(words[a] != NULL && strlen(words[a]) > 3, "status %d", a);
        for (b = BP_OK; b < a; b++)
            CHECK(strcmp(words[a], words[b]) != 0, "%d and %d", a, b);
    }
    for (i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        const char *word = bp_status_string((bp_status)outside[i]);
        CHECK(word != NULL && strlen(word) > 3, "status %d", outside[i]);
        for (b = BP_OK; b <= BP_STOPPED; b++)
            CHECK(word != NULL && strcmp(word, words[b]) != 0, "%d and %d", outside[i], b);
    }
}

int main(void)
{
    bp_net *net;
    make_examples();
    net = fresh();
    test_structure();
    test_bad_sizes();
    test_no_room_beside();
    test_bad_data(net);
    test_null_arguments(net);
    test_bad_training(net);
    test_huge_counts(net);
    test_status_strings();
    test_failing_allocations();
    test_failing_creation();
    test_workspaces();
    test_nets_in_memory();
    test_without_allocator();
    bp_free(net);
    CHECK(live == 0, "%zu blocks leaked", live);
    return check_report("api");
}
