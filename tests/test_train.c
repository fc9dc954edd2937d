/* test_train.c - bp_train does what its three modes say, to the bit
 *
 * Every run is made again by hand: bp_gradient and bp_update over the same batches, in the
 * order that a data source saw, stopping where the next parameters would not be finite. */
#include <assert.h>
#define BACKPROP_ASSERT(condition) assert(condition)
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
#include "tests/check.h"
#include "tests/reference.h"
#include <float.h>
#include <string.h>

#ifdef BACKPROP_DOUBLE
#define LARGEST DBL_MAX
#else
#define LARGEST ((double)FLT_MAX)
#endif

enum { INPUTS = 7, HIDDEN = 12, OUTPUTS = 3, COUNT_MAX = 700, EPOCHS_MAX = 6, CALLS_MAX = 4000 };

static const int sizes[] = { INPUTS, HIDDEN, OUTPUTS };
static bp_real x[COUNT_MAX * INPUTS], y[COUNT_MAX * OUTPUTS];

static int is_finite(double value)
{
    return value - value == 0;
}

static double magnitude(double value)
{
    return value < 0 ? -value : value;
}

/* Examples of a smooth function, some inputs exactly zero. */
static void make_examples(void)
{
    uint64_t state = 3;
    int e, k, j;
    for (e = 0; e < COUNT_MAX; e++) {
        double sum = 0;
        for (k = 0; k < INPUTS; k++) {
            const double r = ref_random(&state);
            x[e * INPUTS + k] = (bp_real)(r < -0.5 ? 0 : r);
            sum += r * (k - 2);
        }
        for (j = 0; j < OUTPUTS; j++)
            y[e * OUTPUTS + j] = (bp_real)ref_sigmoid(sum * (j - 1));
    }
}

static bp_net *create(const int *widths, int count, uint64_t seed)
{
    bp_net *net = bp_create(widths, count, seed);
    if (net == NULL)
        abort();
    return net;
}

static bp_data matrices(size_t count)
{
    bp_data data = { 0, x, y, NULL, NULL };
    data.count = count;
    return data;
}

static bp_training settings(int epochs, size_t batch_size, double rate)
{
    bp_training training;
    memset(&training, 0, sizeof training);
    training.epochs = epochs;
    training.batch_size = batch_size;
    training.learning_rate = rate;
    return training;
}

/* ---- a data source that remembers ---- */

typedef struct source {
    size_t count, asked; /* asked: how many examples so far */
    size_t *order;       /* what it was asked for, in turn; COUNT_MAX * EPOCHS_MAX */
    size_t largest;      /* the most examples in one call */
    size_t fail_at;      /* the call that fails, counted from 1; 0: none */
    size_t calls;
    bp_status failure;
} source;

static bp_status fetch(void *user, const size_t *indices, size_t n, bp_real *inputs,
                       bp_real *targets)
{
    source *s = (source *)user;
    size_t i;
    s->calls++;
    if (s->calls == s->fail_at)
        return s->failure;
    if (n > s->largest)
        s->largest = n;
    for (i = 0; i < n; i++) {
        CHECK(indices[i] < s->count, "example %zu of %zu asked for", indices[i], s->count);
        if (s->asked < (size_t)COUNT_MAX * EPOCHS_MAX)
            s->order[s->asked++] = indices[i];
        memcpy(inputs + i * INPUTS, x + indices[i] * INPUTS, sizeof(bp_real) * INPUTS);
        memcpy(targets + i * OUTPUTS, y + indices[i] * OUTPUTS, sizeof(bp_real) * OUTPUTS);
    }
    return BP_OK;
}

static source source_create(size_t count)
{
    source s;
    memset(&s, 0, sizeof s);
    s.count = count;
    s.order = (size_t *)calloc((size_t)COUNT_MAX * EPOCHS_MAX, sizeof(size_t));
    if (s.order == NULL)
        abort();
    return s;
}

static bp_data from_source(source *s)
{
    bp_data data = { 0, NULL, NULL, fetch, NULL };
    data.count = s->count;
    data.user = s;
    return data;
}

static int is_permutation(const size_t *order, size_t count)
{
    static unsigned char seen[COUNT_MAX];
    size_t i;
    memset(seen, 0, sizeof seen);
    for (i = 0; i < count; i++) {
        if (order[i] >= count || seen[order[i]])
            return 0;
        seen[order[i]] = 1;
    }
    return 1;
}

/* ---- a callback that remembers, and may stop ---- */

typedef struct log {
    bp_progress calls[CALLS_MAX];
    uint64_t epochs_trained[CALLS_MAX];
    size_t count;
    size_t stop_at; /* the call that stops, counted from 1; 0: none */
} log;

static int on_progress(void *user, const bp_progress *progress)
{
    log *l = (log *)user;
    bp_real a[OUTPUTS];
    if (l->count < CALLS_MAX) {
        l->calls[l->count] = *progress;
        l->epochs_trained[l->count] = progress->net->epochs_trained;
    }
    /* Using the network here must do no harm. */
    CHECK(bp_predict(progress->net, x, 1, a) == BP_OK, "inside the callback");
    l->count++;
    return l->count == l->stop_at;
}

/* ---- the same by hand ---- */

/* What one epoch by hand ended with. */
typedef struct by_hand {
    size_t updates, seen;
    double cost;  /* mean over the examples seen, each before its update */
    int diverged; /* the next update would not have been finite, and was not made */
} by_hand;

/* Gradient descent over the examples in the given order (NULL: as they are), at most that
 * many updates. */
static by_hand step_by_hand(bp_net *net, const size_t *order, size_t count, size_t batch,
                            double rate, size_t updates_max)
{
    static bp_real batch_x[COUNT_MAX * INPUTS], batch_y[COUNT_MAX * OUTPUTS];
    bp_real gradient[HIDDEN * (INPUTS + 1) + OUTPUTS * (HIDDEN + 1)];
    by_hand done = { 0, 0, 0, 0 };
    double sum = 0;
    while (done.seen < count && done.updates < updates_max) {
        bp_data data = { 0, batch_x, batch_y, NULL, NULL };
        bp_net *next = bp_clone(net);
        double cost = 0;
        size_t i, p;
        data.count = count - done.seen < batch ? count - done.seen : batch;
        for (i = 0; i < data.count; i++) {
            const size_t e = order ? order[done.seen + i] : done.seen + i;
            memcpy(batch_x + i * INPUTS, x + e * INPUTS, sizeof(bp_real) * INPUTS);
            memcpy(batch_y + i * OUTPUTS, y + e * OUTPUTS, sizeof(bp_real) * OUTPUTS);
        }
        done.diverged = bp_gradient(net, &data, gradient, &cost) != BP_OK || !is_finite(cost);
        if (!done.diverged)
            bp_update(next, gradient, rate);
        for (p = 0; p < next->parameter_count; p++)
            done.diverged |= !is_finite((double)next->parameters[p]);
        if (!done.diverged)
            memcpy(net->parameters, next->parameters, net->parameter_count * sizeof(bp_real));
        bp_free(next);
        if (done.diverged)
            break;
        sum += cost * (double)data.count;
        done.seen += data.count;
        done.updates++;
        done.cost = sum / (double)done.seen;
    }
    return done;
}

static void check_same_parameters(const bp_net *got, const bp_net *want, const char *what)
{
    CHECK_BYTES(got->parameters, want->parameters, got->parameter_count * sizeof(bp_real),
                "%s: parameters differ", what);
}

/* ---- the three modes ---- */

static void compare_with_hand(size_t count, size_t batch_size, int in_order)
{
    const size_t batch = batch_size == 0 || batch_size > count ? count : batch_size;
    const int epochs = 3;
    static log logs[2];
    bp_training training = settings(epochs, batch_size, 2.5);
    bp_data data = matrices(count);
    source s = source_create(count);
    bp_net *net = create(sizes, 3, count), *fetched = bp_clone(net), *hand = bp_clone(net);
    char what[80];
    int epoch;
    memset(logs, 0, sizeof logs);
    sprintf(what, "%zu examples, batches of %zu, %s", count, batch_size,
            in_order ? "in order" : "shuffled");
    training.in_order = in_order;
    training.seed = 17;
    training.on_progress = on_progress;
    training.user = &logs[0];
    CHECK(bp_train(net, &data, &training) == BP_OK, "%s", what);
    data = from_source(&s);
    training.user = &logs[1];
    CHECK(bp_train(fetched, &data, &training) == BP_OK, "%s", what);
    check_same_parameters(fetched, net, what);
    CHECK(net->epochs_trained == 3, "%s: %u epochs", what, (unsigned)net->epochs_trained);
    CHECK(s.asked == count * (size_t)epochs && s.largest <= batch,
          "%s: source asked for %zu examples, up to %zu at once", what, s.asked, s.largest);
    for (epoch = 0; epoch < epochs; epoch++) {
        const size_t *order = s.order + (size_t)epoch * count;
        const double cost = logs[0].calls[epoch].cost;
        size_t i = 0;
        by_hand done;
        while (in_order && i < count && order[i] == i)
            i++;
        CHECK(in_order ? i == count : is_permutation(order, count), "%s: epoch %d", what, epoch);
        done = step_by_hand(hand, in_order ? NULL : order, count, batch, 2.5, count);
        CHECK(magnitude(cost - done.cost) < 1e-13 && cost == logs[1].calls[epoch].cost,
              "%s: cost %.17g, by hand %.17g", what, cost, done.cost);
    }
    check_same_parameters(net, hand, what);
    bp_free(net);
    bp_free(fetched);
    bp_free(hand);
    free(s.order);
}

static void test_modes(void)
{
    static const size_t small[] = { 0, 1, 2, 3, 5, 10, 16, 31, 52, 53, 54, 1000 };
    static const size_t large[] = { 0, 64, 255, 256, 257, 300, 512, 699, 700, 100000 };
    size_t i;
    int in_order;
    for (in_order = 0; in_order < 2; in_order++) {
        compare_with_hand(1, 1, in_order);
        compare_with_hand(2, 1, in_order);
        for (i = 0; i < sizeof small / sizeof small[0]; i++)
            compare_with_hand(53, small[i], in_order);
        for (i = 0; i < sizeof large / sizeof large[0]; i++)
            compare_with_hand(700, large[i], in_order);
    }
}

/* Batch gradient descent's gradient is the mean of the examples' own, up to rounding. */
static void test_batch_is_mean(void)
{
    enum { BATCH = 45 };
    bp_net *net = create(sizes, 3, 4);
    const size_t parameters = net->parameter_count;
    bp_real *gradient = (bp_real *)calloc(parameters, sizeof(bp_real));
    double *mean = (double *)calloc(parameters, sizeof(double)), worst = 0;
    bp_data data = matrices(1);
    size_t e, p;
    for (e = 0; e < BATCH; e++) {
        data.inputs = x + e * INPUTS;
        data.targets = y + e * OUTPUTS;
        bp_gradient(net, &data, gradient, NULL);
        for (p = 0; p < parameters; p++)
            mean[p] += (double)gradient[p] / BATCH;
    }
    data = matrices(BATCH);
    bp_gradient(net, &data, gradient, NULL);
    for (p = 0; p < parameters; p++)
        if (magnitude((double)gradient[p] - mean[p]) > worst)
            worst = magnitude((double)gradient[p] - mean[p]);
    CHECK(worst < (sizeof(bp_real) == 4 ? 1e-8 : 1e-16), "off by %g", worst);
    free(gradient);
    free(mean);
    bp_free(net);
}

/* ---- the order of the examples ---- */

/* The orders of two epochs into order, for a network of its own. */
static void observe(size_t *order, uint64_t net_seed, int hidden, size_t batch, uint64_t seed)
{
    const int widths[] = { INPUTS, hidden, OUTPUTS };
    bp_net *net = create(widths, 3, net_seed);
    bp_training training = settings(2, batch, 0.5);
    source s = source_create(100);
    bp_data data = from_source(&s);
    training.seed = seed;
    CHECK(bp_train(net, &data, &training) == BP_OK, "batches of %zu", batch);
    memcpy(order, s.order, 200 * sizeof(size_t));
    free(s.order);
    bp_free(net);
}

static void test_order(void)
{
    static const uint64_t seeds[] = {
        0, 1, 2, 3, UINT64_C(1) << 32, UINT64_C(1) << 63, ~UINT64_C(0)
    };
    enum { SEEDS = sizeof seeds / sizeof seeds[0] };
    static size_t orders[SEEDS][200], other[200];
    int i, j;
    for (i = 0; i < SEEDS; i++) {
        observe(orders[i], 1, 5, 1, seeds[i]);
        CHECK(is_permutation(orders[i], 100) && is_permutation(orders[i] + 100, 100), "seed %d", i);
        CHECK(memcmp(orders[i], orders[i] + 100, 100 * sizeof(size_t)) != 0,
              "seed %d: two epochs in one order", i);
        for (j = 0; j < i; j++) {
            CHECK(memcmp(orders[i], orders[j], 100 * sizeof(size_t)) != 0, "seeds %d and %d", i, j);
            /* Seed s in epoch e + 1 must not be seed s + 1 in epoch e. */
            CHECK(memcmp(orders[i], orders[j] + 100, 100 * sizeof(size_t)) != 0, "seeds %d and %d",
                  i, j);
        }
    }
    observe(other, 99, 11, 7, seeds[1]);
    CHECK_BYTES(other, orders[1], sizeof other, "another network, batches of 7");
    observe(other, 99, 11, 0, seeds[1]);
    CHECK_BYTES(other, orders[1], sizeof other, "another network, the whole set");
}

/* All 24 orders of four examples are about equally frequent: chi squared with 23 degrees of
 * freedom exceeds 60 once in 30,000 times, and here the seeds are fixed. */
static void test_order_is_fair(void)
{
    enum { RUNS = 6000 };
    static size_t found[256];
    const int widths[] = { INPUTS, OUTPUTS };
    double chi = 0;
    size_t i, kinds = 0;
    uint64_t seed;
    for (seed = 0; seed < RUNS; seed++) {
        bp_net *net = create(widths, 2, 1);
        bp_training training = settings(1, 0, 1);
        source s = source_create(4);
        bp_data data = from_source(&s);
        training.seed = seed;
        bp_train(net, &data, &training);
        found[s.order[0] * 64 + s.order[1] * 16 + s.order[2] * 4 + s.order[3]]++;
        free(s.order);
        bp_free(net);
    }
    for (i = 0; i < 256; i++)
        if (found[i] > 0) {
            const double off = (double)found[i] - RUNS / 24.0;
            chi += off * off / (RUNS / 24.0);
            kinds++;
        }
    CHECK(kinds == 24 && chi < 60, "%zu orders, chi squared %g", kinds, chi);
}

/* ---- going on ---- */

static bp_net *through_bytes(bp_net *net)
{
    const size_t size = bp_encode(net, NULL, 0);
    void *bytes = malloc(size);
    bp_net *copy = NULL;
    if (bytes == NULL)
        abort();
    bp_encode(net, bytes, size);
    CHECK(bp_decode(&copy, bytes, size) == BP_OK, "%zu bytes", size);
    free(bytes);
    bp_free(net);
    return copy;
}

static void test_resume(void)
{
    static const size_t batches[] = { 1, 10, 0 };
    const bp_data data = matrices(97);
    size_t i;
    for (i = 0; i < 3; i++) {
        bp_training training = settings(5, batches[i], 1.5);
        bp_net *whole = create(sizes, 3, 6), *parts = bp_clone(whole), *schedule = bp_clone(whole);
        int epoch;
        training.seed = 8;
        CHECK(bp_train(whole, &data, &training) == BP_OK, "five epochs");
        training.epochs = 2;
        CHECK(bp_train(parts, &data, &training) == BP_OK, "two epochs");
        parts = through_bytes(parts);
        training.epochs = 0;
        CHECK(bp_train(parts, &data, &training) == BP_OK, "no epoch");
        training.epochs = 3;
        CHECK(bp_train(parts, &data, &training) == BP_OK, "three epochs");
        check_same_parameters(parts, whole, "two epochs and three");
        CHECK(parts->epochs_trained == 5, "%u epochs", (unsigned)parts->epochs_trained);
        training.epochs = 1;
        for (epoch = 0; epoch < 5; epoch++)
            CHECK(bp_train(schedule, &data, &training) == BP_OK, "epoch %d", epoch);
        check_same_parameters(schedule, whole, "five calls of one epoch");
        bp_free(whole);
        bp_free(parts);
        bp_free(schedule);
    }
}

/* A rate that falls from epoch to epoch, against the same by hand. */
static void test_schedule(void)
{
    const bp_data data = matrices(60);
    bp_net *net = create(sizes, 3, 7), *hand = bp_clone(net);
    double rate = 4;
    int epoch;
    for (epoch = 0; epoch < 6; epoch++, rate *= 0.7) {
        bp_training training = settings(1, 8, rate);
        training.in_order = 1;
        CHECK(bp_train(net, &data, &training) == BP_OK, "rate %g", rate);
        step_by_hand(hand, NULL, 60, 8, rate, 60);
    }
    check_same_parameters(net, hand, "falling rate");
    bp_free(net);
    bp_free(hand);
}

static void test_threads(void)
{
    static const size_t batches[] = { 1, 10, 300, 0 };
    const int wide[] = { INPUTS, 200, 150, OUTPUTS };
    const bp_data data = matrices(COUNT_MAX);
    size_t i;
    for (i = 0; i < 4; i++) {
        bp_net *first = create(wide, 4, 2), *net;
        int threads;
        bp_training training = settings(1, batches[i], 1);
        training.threads = 1;
        CHECK(bp_train(first, &data, &training) == BP_OK, "one thread");
        for (threads = 0; threads <= 4; threads++) {
            net = create(wide, 4, 2);
            training.threads = threads;
            CHECK(bp_train(net, &data, &training) == BP_OK, "%d threads", threads);
            check_same_parameters(net, first, "another number of threads");
            bp_free(net);
        }
        bp_free(first);
    }
}

/* ---- reports and stops ---- */

/* A report after the batch that reaches or passes a multiple of every, and after the last. */
static void check_reports(size_t count, size_t batch_size, size_t every)
{
    const size_t batch = batch_size == 0 || batch_size > count ? count : batch_size;
    static log l;
    bp_training training = settings(2, batch_size, 1);
    const bp_data data = matrices(count);
    bp_net *net = create(sizes, 3, 1), *hand = bp_clone(net);
    size_t seen, call = 0;
    uint64_t epoch;
    memset(&l, 0, sizeof l);
    training.in_order = 1;
    CHECK(bp_train(net, &data, &training) == BP_OK, "an epoch before");
    training.report_every = every;
    training.on_progress = on_progress;
    training.user = &l;
    step_by_hand(hand, NULL, count, batch, 1, count);
    step_by_hand(hand, NULL, count, batch, 1, count);
    CHECK(bp_train(net, &data, &training) == BP_OK, "%zu, %zu, %zu", count, batch_size, every);
    for (epoch = 3; epoch <= 4; epoch++)
        for (seen = 0; seen < count;) {
            const size_t before = seen;
            const bp_progress *p = &l.calls[call];
            seen = seen + batch < count ? seen + batch : count;
            if (seen < count && (every == 0 || before / every == seen / every))
                continue;
            CHECK(p->seen == seen && p->count == count && p->epoch == epoch && p->epochs == 4 &&
                      p->net == net && l.epochs_trained[call] == epoch - (seen < count),
                  "count %zu, batch %zu, every %zu: call %zu after %zu, not %zu; epoch %u of %u",
                  count, batch_size, every, call, p->seen, seen, (unsigned)p->epoch,
                  (unsigned)p->epochs);
            if (epoch == 3) {
                bp_net *copy = bp_clone(hand);
                const by_hand done = step_by_hand(copy, NULL, seen, batch, 1, count);
                CHECK(magnitude(p->cost - done.cost) < 1e-13, "after %zu: cost %.17g, not %.17g",
                      seen, p->cost, done.cost);
                bp_free(copy);
            }
            call++;
        }
    CHECK(l.count == call, "count %zu, batch %zu, every %zu: %zu calls, not %zu", count, batch_size,
          every, l.count, call);
    bp_free(net);
    bp_free(hand);
}

static void test_reports(void)
{
    static const size_t batches[] = { 1, 5, 13, 0 }, every[] = { 0, 1, 7, 10, 25, 50, 51, 10000 };
    size_t i, j;
    for (i = 0; i < sizeof batches / sizeof batches[0]; i++)
        for (j = 0; j < sizeof every / sizeof every[0]; j++) {
            check_reports(50, batches[i], every[j]);
            check_reports(49, batches[i], every[j]);
        }
}

/* Stopped by the n-th report of every example, in an epoch of 20. */
static void test_stop(void)
{
    static log l;
    const bp_data data = matrices(20);
    size_t stop_at;
    for (stop_at = 1; stop_at <= 45; stop_at++) {
        bp_training training = settings(3, 1, 2);
        bp_net *net = create(sizes, 3, 3), *hand = bp_clone(net);
        bp_status status;
        size_t left;
        memset(&l, 0, sizeof l);
        training.in_order = 1;
        training.report_every = 1;
        training.on_progress = on_progress;
        training.user = &l;
        l.stop_at = stop_at;
        status = bp_train(net, &data, &training);
        CHECK(status == BP_STOPPED, "stop at %zu: %s", stop_at, bp_status_string(status));
        CHECK(l.count == stop_at, "%zu calls, not %zu", l.count, stop_at);
        CHECK(net->epochs_trained == stop_at / 20, "stop at %zu: %u epochs", stop_at,
              (unsigned)net->epochs_trained);
        for (left = stop_at; left > 0; left -= left < 20 ? left : 20)
            step_by_hand(hand, NULL, 20, 1, 2, left);
        check_same_parameters(net, hand, "stopped");
        bp_free(net);
        bp_free(hand);
    }
}

/* ---- single examples, each taken forward while the one before it is descended upon ---- */

typedef struct ahead {
    const bp_real *x, *y;
    size_t n_0, n_L, calls, stop_at;
} ahead;

static bp_status ahead_fetch(void *user, const size_t *indices, size_t n, bp_real *inputs,
                             bp_real *targets)
{
    const ahead *s = (const ahead *)user;
    for (; n > 0; n--, indices++, inputs += s->n_0, targets += s->n_L) {
        memcpy(inputs, s->x + *indices * s->n_0, s->n_0 * sizeof(bp_real));
        memcpy(targets, s->y + *indices * s->n_L, s->n_L * sizeof(bp_real));
    }
    return BP_OK;
}

static int ahead_progress(void *user, const bp_progress *progress)
{
    ahead *s = (ahead *)user;
    (void)progress;
    return ++s->calls == s->stop_at;
}

/* Updates by hand with the first so many examples in order. */
static void ahead_by_hand(bp_net *net, const ahead *s, size_t count)
{
    bp_real *gradient = (bp_real *)malloc(net->parameter_count * sizeof(bp_real));
    size_t e;
    if (gradient == NULL)
        abort();
    for (e = 0; e < count; e++) {
        bp_data one = { 1, NULL, NULL, NULL, NULL };
        one.inputs = s->x + e * s->n_0;
        one.targets = s->y + e * s->n_L;
        CHECK(bp_gradient(net, &one, gradient, NULL) == BP_OK, "example %zu", e);
        bp_update(net, gradient, 1.5);
    }
    free(gradient);
}

/* Stopped after so many updates (0: not) and gone on with for two epochs: in memory, fetched and,
 * in order, by hand. */
static void compare_ahead(const int *widths, int count, ahead *s, size_t examples, int in_order)
{
    bp_training training = settings(1, 1, 1.5);
    bp_net *nets[3];
    int which;
    training.in_order = in_order;
    training.report_every = 1;
    training.on_progress = ahead_progress;
    training.user = s;
    for (which = 0; which < 2; which++) {
        bp_data data = { 0, NULL, NULL, ahead_fetch, NULL };
        data.count = examples;
        data.user = s;
        data.inputs = which ? NULL : s->x;
        data.targets = which ? NULL : s->y;
        nets[which] = create(widths, count, 21);
        training.epochs = 1;
        s->calls = 0;
        CHECK(bp_train(nets[which], &data, &training) == (s->stop_at ? BP_STOPPED : BP_OK), "stop");
        training.epochs = 2;
        CHECK(bp_train(nets[which], &data, &training) == BP_OK, "two epochs more");
    }
    check_same_parameters(nets[1], nets[0], "fetched, one at a time");
    nets[2] = create(widths, count, 21);
    if (in_order) {
        ahead_by_hand(nets[2], s, s->stop_at ? s->stop_at : examples);
        ahead_by_hand(nets[2], s, examples);
        ahead_by_hand(nets[2], s, examples);
        check_same_parameters(nets[0], nets[2], "in memory, one at a time");
    }
    for (which = 0; which < 3; which++)
        bp_free(nets[which]);
}

static void test_ahead(void)
{
    enum { EXAMPLES = 9, WIDEST = 1100 };
    static const int shapes[][5] = { { 1, 1 },          { 17, 1 },        { 40, 15, 9, 3 },
                                     { 9, 8, 4, 12, 7 }, { 123, 6, 31, 5 }, { 1100, 250, 2 } };
    static bp_real in[EXAMPLES * WIDEST], out[EXAMPLES * 8];
    uint64_t state = 5;
    size_t shape, i, sparse;
    for (shape = 0; shape < sizeof shapes / sizeof shapes[0]; shape++)
        for (sparse = 0; sparse < 2; sparse++) {
            int layers = 5;
            ahead s = { in, out, 0, 0, 0, 0 };
            while (shapes[shape][layers - 1] == 0)
                layers--;
            s.n_0 = (size_t)shapes[shape][0];
            s.n_L = (size_t)shapes[shape][layers - 1];
            /* in blocks that one example has, or the next, or both, or none */
            for (i = 0; i < EXAMPLES * s.n_0; i++)
                in[i] = (bp_real)(sparse && (i % s.n_0 / 8 * 5 + i / s.n_0 * 7) % 4 < 2
                                      ? 0
                                      : ref_random(&state));
            for (i = 0; i < EXAMPLES * s.n_L; i++)
                out[i] = (bp_real)(0.5 + 0.4 * ref_random(&state));
            for (; s.stop_at < EXAMPLES; s.stop_at += 4) {
                compare_ahead(shapes[shape], layers, &s, EXAMPLES, 1);
                compare_ahead(shapes[shape], layers, &s, EXAMPLES, 0);
            }
        }
}

/* ---- what is not finite ---- */

/* One epoch in order with whatever x and y now hold. Returns 1 if it diverged. */
static int check_divergence(size_t batch_size, double rate, const char *what)
{
    const size_t count = 400, batch = batch_size == 0 ? count : batch_size;
    bp_training training = settings(1, batch_size, rate);
    const bp_data data = matrices(count);
    bp_net *net = create(sizes, 3, 5), *hand = bp_clone(net);
    bp_status status;
    by_hand done;
    size_t p;
    training.in_order = 1;
    status = bp_train(net, &data, &training);
    done = step_by_hand(hand, NULL, count, batch, rate, count);
    CHECK(status == (done.diverged ? BP_DIVERGED : BP_OK), "%s, batches of %zu, rate %g: %s", what,
          batch_size, rate, bp_status_string(status));
    CHECK(net->epochs_trained == (uint64_t)!done.diverged, "%s: %u epochs", what,
          (unsigned)net->epochs_trained);
    check_same_parameters(net, hand, what);
    for (p = 0; p < net->parameter_count; p++)
        if (!is_finite((double)net->parameters[p]))
            break;
    CHECK(p == net->parameter_count, "%s: parameter %zu is %g", what, p,
          (double)net->parameters[p]);
    bp_free(net);
    bp_free(hand);
    return done.diverged;
}

static void test_bad_numbers(void)
{
    static const size_t batches[] = { 1, 4, 10, 256, 300, 0 };
    const double infinity = 1e308 * 1e308;
    const double bad[] = { infinity - infinity, infinity, -infinity };
    size_t b, i;
    for (b = 0; b < sizeof batches / sizeof batches[0]; b++)
        for (i = 0; i < 3; i++) {
            bp_real *input = &x[137 * INPUTS + 4], *target = &y[259 * OUTPUTS + 1];
            const bp_real input_before = *input, target_before = *target;
            *input = (bp_real)bad[i];
            CHECK(check_divergence(batches[b], 1, "bad input"), "input %g", bad[i]);
            *input = input_before;
            *target = (bp_real)bad[i];
            CHECK(check_divergence(batches[b], 1, "bad target"), "target %g", bad[i]);
            *target = target_before;
            /* Also where everything after the network is saturated. */
            x[0] = (bp_real)bad[i];
            CHECK(check_divergence(batches[b], 1, "bad first input"), "input %g", bad[i]);
            make_examples();
        }
}

/* The calls that only read say so too, and leave their results alone. */
static void test_bad_numbers_when_reading(void)
{
    static const size_t counts[] = { 6, 300 };
    const double infinity = 1e308 * 1e308;
    const double bad[] = { infinity - infinity, infinity, -infinity };
    bp_net *net = create(sizes, 3, 5);
    bp_real *gradient = (bp_real *)calloc(net->parameter_count, sizeof(bp_real));
    size_t c, i, p, changed = 0;
    if (gradient == NULL)
        abort();
    for (c = 0; c < 2; c++)
        for (i = 0; i < 3; i++) {
            const bp_data data = matrices(counts[c]);
            bp_evaluation found = { 5, 6, 7 };
            double cost = 8, worst = 9;
            y[counts[c] * OUTPUTS - 1] = (bp_real)bad[i];
            CHECK(bp_evaluate(net, &data, &found) == BP_DIVERGED, "target %g", bad[i]);
            CHECK(bp_gradient(net, &data, gradient, &cost) == BP_DIVERGED, "target %g", bad[i]);
            CHECK(bp_check_gradient(net, &data, &worst) == BP_DIVERGED, "target %g", bad[i]);
            CHECK(found.cost == 5 && found.correct == 6 && found.count == 7 && cost == 8 &&
                      worst == 9,
                  "target %g: results changed: %g %g %g", bad[i], found.cost, cost, worst);
            make_examples();
        }
    for (p = 0; p < net->parameter_count; p++)
        changed += gradient[p] != 0;
    CHECK(changed == 0, "%zu components changed by a failed bp_gradient", changed);
    free(gradient);
    bp_free(net);
}

/* Rates and inputs near the end of the range: some runs overflow, some do not. */
static void test_overflow(void)
{
    static const size_t batches[] = { 1, 4, 32, 300, 0 };
    int scale, power, diverged = 0, survived = 0, e;
    size_t b;
    for (scale = 0; scale < 3; scale++) {
        make_examples();
        for (e = 0; e < COUNT_MAX * INPUTS; e++) {
            const int row = e / INPUTS;
            if (scale == 1 && row >= 30)
                x[e] *= (bp_real)1e6;
            if (scale == 2 && row >= 310)
                x[e] *= (bp_real)(LARGEST / 8);
        }
        for (b = 0; b < sizeof batches / sizeof batches[0]; b++)
            for (power = 0; power < 8; power++) {
                const double rate = LARGEST * ref_power_of_two(-2 * power);
                const int result = check_divergence(batches[b], rate, "overflow");
                diverged += result;
                survived += !result;
            }
    }
    CHECK(diverged > 10 && survived > 10, "%d diverged, %d survived", diverged, survived);
    make_examples();
}

/* Where most inputs are zero, the others still can be too large for an update. */
static void test_overflow_of_few(void)
{
    enum { N_0 = 24, EXAMPLES = 4 };
    static const int widths[] = { N_0, 1 };
    static bp_real in[EXAMPLES * N_0], out[EXAMPLES];
    const bp_data data = { EXAMPLES, in, out, NULL, NULL };
    bp_training training = settings(1, EXAMPLES, 100);
    bp_net *net = create(widths, 2, 1), *before;
    size_t i;
    for (i = 0; i < net->parameter_count; i++)
        net->parameters[i] = 0;
    before = bp_clone(net);
    for (i = 0; i < EXAMPLES; i++) {
        in[i * N_0 + 8] = (bp_real)(LARGEST / 2);
        out[i] = 1;
    }
    CHECK(bp_train(net, &data, &training) == BP_DIVERGED, "a weight would overflow");
    check_same_parameters(net, before, "a weight that would overflow");
    bp_free(net);
    bp_free(before);
}

/* Two large weights above that cancel: the errors of their hidden neurons, wherever these are, are
 * the only large numbers of a batch. Whether a rate is too high depends on them alone. */
static void check_large_errors(const char *set)
{
    enum { HIDDEN_NEURONS = 45, EXAMPLES = 20 };
    static const int widths[] = { 3, HIDDEN_NEURONS, 1 };
    static const int batches[] = { 1, 2, 10, 20 };
    static const double rates[] = { 1e-3, 1e3 };
    static bp_real in[EXAMPLES * 3], out[EXAMPLES];
    bp_net *net = create(widths, 3, 1), *before;
    size_t i, b, r;
    int j;
    for (i = 0; i < EXAMPLES * 3; i++)
        in[i] = 1;
    CHECK(bp_use_simd(net, set) == BP_OK, "%s", set);
    for (j = 0; j + 1 < HIDDEN_NEURONS; j++)
        for (b = 0; b < sizeof batches / sizeof *batches; b++)
            for (r = 0; r < 2; r++) {
                const bp_data data = { (size_t)batches[b], in, out, NULL, NULL };
                const bp_training training = settings(1, data.count, rates[r]);
                bp_status status;
                memset(net->parameters, 0, net->parameter_count * sizeof(bp_real));
                net->layers[1].weights[j] = (bp_real)(LARGEST / 5);
                net->layers[1].weights[j + 1] = (bp_real)(LARGEST / -5);
                before = bp_clone(net);
                status = bp_train(net, &data, &training);
                CHECK(status == (r ? BP_DIVERGED : BP_OK), "%s, hidden error %d, batch %d: %s", set,
                      j, batches[b], bp_status_string(status));
                if (r)
                    check_same_parameters(net, before, "hidden errors too large");
                bp_free(before);
            }
    bp_free(net);
}

/* With every set that this machine has, the one it would choose among them. */
static void test_large_errors(void)
{
    static const char *const sets[] = { "plain", "sse2", "avx2", "avx512", "neon", "wasm" };
    bp_net *net = create(sizes, 3, 1);
    const char *best = bp_simd(net);
    int found = 0;
    size_t i;
    for (i = 0; i < sizeof sets / sizeof *sets; i++)
        if (bp_use_simd(net, sets[i]) == BP_OK) {
            check_large_errors(sets[i]);
            found |= strcmp(sets[i], best) == 0;
        }
    CHECK(found, "%s is not among those tried", best);
    bp_free(net);
}

/* Inputs of zero keep the weights where they are, and only the biases would overflow; and a network
 * that has lost a parameter is not trained at all. */
static void test_lost_parameters(void)
{
    static const int one[] = { 1, 1 };
    static const bp_real zeros[2] = { 0, 0 }, far[2] = { -1000, -1000 };
    const bp_data data = { 2, zeros, far, NULL, NULL };
    bp_training training = settings(1, 2, LARGEST);
    bp_net *net = create(one, 2, 1), *before = bp_clone(net);
    CHECK(bp_train(net, &data, &training) == BP_DIVERGED, "biases overflow");
    check_same_parameters(net, before, "biases that would overflow");
    net->parameters[0] = (bp_real)(LARGEST * ref_power_of_two(40));
    net->parameters[0] *= (bp_real)LARGEST;
    training.learning_rate = 1;
    CHECK(bp_train(net, &data, &training) == BP_DIVERGED, "an infinite weight");
    training.epochs = 0;
    CHECK(bp_train(net, &data, &training) == BP_DIVERGED, "an infinite weight, no epochs");
    CHECK(net->epochs_trained == 0, "%u epochs", (unsigned)net->epochs_trained);
    net->parameters[0] = before->parameters[0];
    check_same_parameters(net, before, "a network that had lost a weight");
    bp_free(net);
    bp_free(before);
}

/* ---- tiny networks, which take many updates in a call ---- */

enum { TINY_INPUTS = 3, TINY_OUTPUTS = 2, TINY_COUNT = 600 };

/* The same by hand, an update after the other; it keeps up with the reports. */
typedef struct witness {
    bp_net *net;
    size_t seen, calls, stop_at; /* seen: updates made */
    double rate, sum;            /* sum: of the costs */
} witness;

/* 0, and nothing done, if the next update would not be finite. */
static int witness_step(witness *w)
{
    const bp_data data = { 1, x + w->seen * TINY_INPUTS, y + w->seen * TINY_OUTPUTS, NULL, NULL };
    bp_net *next = bp_clone(w->net);
    bp_real gradient[64];
    double cost = 0;
    size_t p;
    int finite = bp_gradient(w->net, &data, gradient, &cost) == BP_OK;
    if (finite)
        bp_update(next, gradient, w->rate);
    for (p = 0; p < next->parameter_count; p++)
        finite &= is_finite((double)next->parameters[p]);
    if (finite) {
        memcpy(w->net->parameters, next->parameters, next->parameter_count * sizeof(bp_real));
        w->sum += cost;
        w->seen++;
    }
    bp_free(next);
    return finite;
}

static int keep_up(void *user, const bp_progress *progress)
{
    witness *w = (witness *)user;
    while (w->seen < progress->seen && witness_step(w))
        ;
    w->calls++;
    CHECK(w->seen == progress->seen, "%zu seen, %zu by hand", progress->seen, w->seen);
    CHECK(magnitude(w->sum / (double)w->seen - progress->cost) < 1e-13 * progress->cost,
          "cost %.17g, by hand %.17g", progress->cost, w->sum / (double)w->seen);
    check_same_parameters(progress->net, w->net, "a tiny network at a report");
    return w->seen == w->stop_at;
}

/* Trains for an epoch, with a bias far below all others if asked; the status. */
static bp_status check_tiny(double rate, size_t every, size_t stop_at, int low)
{
    static const int widths[] = { TINY_INPUTS, 4, 4, TINY_OUTPUTS };
    const bp_data data = matrices(TINY_COUNT);
    bp_training training = settings(1, 1, rate);
    bp_net *net = create(widths, 4, 3);
    witness w = { NULL, 0, 0, 0, 0, 0 };
    bp_status status;
    if (low)
        net->layers[1].biases[2] = sizeof(bp_real) == 4 ? -95 : -720;
    w.net = bp_clone(net);
    w.stop_at = stop_at;
    w.rate = rate;
    training.in_order = 1;
    training.report_every = every;
    training.on_progress = keep_up;
    training.user = &w;
    status = bp_train(net, &data, &training);
    while (status == BP_DIVERGED && w.seen < TINY_COUNT && witness_step(&w))
        ;
    check_same_parameters(net, w.net, "a tiny network in the end");
    CHECK((status == BP_DIVERGED) == (stop_at ? 0 : w.seen < TINY_COUNT), "%s after %zu updates",
          bp_status_string(status), w.seen);
    CHECK(net->epochs_trained == (w.seen == TINY_COUNT), "%zu updates", w.seen);
    if (status == BP_OK)
        CHECK(w.calls == (every ? (TINY_COUNT + every - 1) / every : 1), "%zu reports", w.calls);
    bp_free(net);
    bp_free(w.net);
    return status;
}

static void test_tiny(void)
{
    static const size_t every[] = { 0, 1, 3, 64, 255, 256, 257, 599, 600, 1000 };
    static const size_t places[] = { 0, 4, 70, 255, 256, 300, 599 };
    static const bp_real far[] = { (bp_real)LARGEST, (bp_real)-1e30, 1000 };
    size_t i, k;
    int diverged = 0;
    for (i = 0; i < sizeof every / sizeof every[0]; i++) {
        CHECK(check_tiny(2, every[i], 0, 0) == BP_OK, "reports every %zu", every[i]);
        CHECK(check_tiny(2, every[i], 0, 1) == BP_OK, "a low bias, reports every %zu", every[i]);
    }
    CHECK(check_tiny(2, 1, 5, 0) == BP_STOPPED, "stopped at 5");
    CHECK(check_tiny(2, 3, 300, 0) == BP_STOPPED, "stopped at 300");
    for (i = 0; i < sizeof places / sizeof places[0]; i++) {
        y[places[i] * TINY_OUTPUTS] = (bp_real)(LARGEST * 10) - (bp_real)(LARGEST * 10);
        CHECK(check_tiny(2, 3 * (i % 2), 0, 0) == BP_DIVERGED, "no number at %zu", places[i]);
        make_examples();
        for (k = 0; k < 3; k++) {
            x[places[i] * TINY_INPUTS] = far[k];
            diverged += check_tiny(30, 3 * k, 0, 0) == BP_DIVERGED;
            make_examples();
            y[places[i] * TINY_OUTPUTS + 1] = far[k];
            diverged += check_tiny(30, 3 * k, 0, 0) == BP_DIVERGED;
            make_examples();
        }
    }
    CHECK(diverged >= 7, "%d diverged", diverged);
}

#ifdef BACKPROP_DOUBLE
/* Targets so large that the cost overflows and the parameters do not. */
static void test_cost_overflow(void)
{
    static const size_t batches[] = { 1, 10, 300, 0 };
    size_t b;
    y[5 * OUTPUTS] = 1e200;
    for (b = 0; b < 4; b++)
        CHECK(check_divergence(batches[b], 1, "target of 1e200"), "the cost is infinite");
    make_examples();
}
#endif

/* ---- a data source that fails ---- */

static void test_failing_fetch(void)
{
    static const bp_status statuses[] = { BP_INVALID_ARGUMENT, BP_OUT_OF_MEMORY, BP_IO_ERROR,
                                          BP_BAD_FILE,         BP_DIVERGED,      BP_STOPPED };
    size_t i, fail_at;
    for (i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        for (fail_at = 1; fail_at <= 9; fail_at++) {
            bp_training training = settings(2, 10, 1);
            bp_net *net = create(sizes, 3, 9), *hand = bp_clone(net);
            source s = source_create(47);
            bp_data data = from_source(&s);
            bp_status status;
            s.fail_at = fail_at;
            s.failure = statuses[i];
            training.in_order = 1;
            status = bp_train(net, &data, &training);
            CHECK(status == statuses[i], "%s, not %s", bp_status_string(status),
                  bp_status_string(statuses[i]));
            CHECK(s.calls == fail_at, "%zu calls, the %zu-th failed", s.calls, fail_at);
            step_by_hand(hand, NULL, 47, 10, 1, fail_at - 1);
            if (fail_at > 5)
                step_by_hand(hand, NULL, 47, 10, 1, fail_at - 6);
            CHECK(net->epochs_trained == (fail_at > 5), "%u epochs", (unsigned)net->epochs_trained);
            check_same_parameters(net, hand, "failed source");
            bp_free(net);
            bp_free(hand);
            free(s.order);
        }
}

/* In the middle of a batch that comes in several pieces, and in calls that only read. */
static void test_failing_fetch_late(void)
{
    const size_t count = COUNT_MAX;
    bp_net *net = create(sizes, 3, 9), *before = bp_clone(net);
    bp_real *gradient = (bp_real *)malloc(net->parameter_count * sizeof(bp_real));
    bp_evaluation found = { 5, 6, 7 };
    bp_training training = settings(1, 0, 1);
    double cost = 8, worst = 9;
    size_t fail_at, p, changed = 0;
    if (gradient == NULL)
        abort();
    for (p = 0; p < net->parameter_count; p++)
        gradient[p] = 3;
    for (fail_at = 1; fail_at <= 2; fail_at++) {
        source s = source_create(count);
        bp_data data = from_source(&s);
        s.failure = BP_IO_ERROR;
        s.fail_at = fail_at;
        CHECK(bp_train(net, &data, &training) == BP_IO_ERROR, "bp_train, call %zu", fail_at);
        s.calls = 0;
        CHECK(bp_evaluate(net, &data, &found) == BP_IO_ERROR, "bp_evaluate, call %zu", fail_at);
        s.calls = 0;
        CHECK(bp_gradient(net, &data, gradient, &cost) == BP_IO_ERROR, "bp_gradient, call %zu",
              fail_at);
        s.calls = 0;
        s.fail_at = fail_at * 10;
        CHECK(bp_check_gradient(net, &data, &worst) == BP_IO_ERROR, "bp_check_gradient");
        free(s.order);
    }
    for (p = 0; p < net->parameter_count; p++)
        changed += gradient[p] != 3;
    CHECK(changed == 0, "%zu components changed by a failed bp_gradient", changed);
    CHECK(found.cost == 5 && found.correct == 6 && found.count == 7 && cost == 8 && worst == 9,
          "results changed by failed calls: %g %g %g", found.cost, cost, worst);
    check_same_parameters(net, before, "failed calls");
    free(gradient);
    bp_free(net);
    bp_free(before);
}

/* ---- fetch in the calls that read ---- */

static void test_fetch_reads_the_same(void)
{
    static const size_t counts[] = { 1, 10, 256, 257, 700 };
    bp_net *net = create(sizes, 3, 10);
    const size_t bytes = net->parameter_count * sizeof(bp_real);
    bp_real *first = (bp_real *)malloc(bytes), *second = (bp_real *)malloc(bytes);
    size_t i;
    if (first == NULL || second == NULL)
        abort();
    for (i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        source s = source_create(counts[i]);
        const bp_data made = from_source(&s), given = matrices(counts[i]);
        bp_evaluation a = { 0, 0, 0 }, b = { 1, 1, 1 };
        double cost_a = 0, cost_b = 1;
        CHECK(bp_gradient(net, &given, first, &cost_a) == BP_OK, "%zu", counts[i]);
        CHECK(bp_gradient(net, &made, second, &cost_b) == BP_OK, "%zu", counts[i]);
        CHECK_BYTES(second, first, bytes, "%zu examples", counts[i]);
        CHECK(bp_evaluate(net, &given, &a) == BP_OK && bp_evaluate(net, &made, &b) == BP_OK, "%zu",
              counts[i]);
        CHECK(a.cost == b.cost && a.correct == b.correct && a.count == b.count && cost_a == cost_b,
              "%zu examples: cost %.17g and %.17g", counts[i], a.cost, b.cost);
        free(s.order);
    }
    free(first);
    free(second);
    bp_free(net);
}

/* ---- the quick start ---- */

/* With the settings printed there, and a thousand seeds. */
static void test_xor(void)
{
    const int widths[] = { 2, 8, 1 };
    const bp_real in[] = { 0, 0, 0, 1, 1, 0, 1, 1 }, out[] = { 0, 1, 1, 0 };
    const bp_data data = { 4, in, out, NULL, NULL };
    const bp_training training = settings(2000, 1, 2);
    uint64_t seed;
    for (seed = 1; seed <= 1000; seed++) {
        bp_net *net = create(widths, 3, seed);
        bp_real a[4] = { 0, 0, 0, 0 };
        const bp_status status = bp_train(net, &data, &training);
        bp_predict(net, in, 4, a);
        CHECK(status == BP_OK && (double)a[0] < 0.1 && (double)a[1] > 0.9 && (double)a[2] > 0.9 &&
                  (double)a[3] < 0.1,
              "seed %u: %.3f %.3f %.3f %.3f", (unsigned)seed, (double)a[0], (double)a[1],
              (double)a[2], (double)a[3]);
        bp_free(net);
    }
}

/* ---- random weights ---- */

/* Mean 0, variance 1/n_in, within +-sqrt(3/n_in) and up to it, evenly. Squares are compared,
 * so that no square root is needed. */
static void check_distribution(const bp_layer *layer)
{
    const size_t count = (size_t)layer->inputs * (size_t)layer->outputs;
    const double fan = layer->inputs;
    double sum = 0, squares = 0, largest = 0;
    size_t i, inner = 0;
    for (i = 0; i < count; i++) {
        const double w = (double)layer->weights[i];
        sum += w;
        squares += w * w;
        if (w * w > largest)
            largest = w * w;
        inner += w * w < 0.75 / fan;
    }
    sum /= (double)count;
    squares /= (double)count;
    CHECK(sum * sum < 16 / fan / (double)count, "%g inputs: mean %g", fan, sum);
    CHECK(magnitude(squares * fan - 1) < 0.01, "%g inputs: variance %g", fan, squares);
    CHECK(largest * fan <= 3 * (1 + 1e-6) && largest * fan > 3 * 0.999, "%g inputs: %g of 3", fan,
          largest * fan);
    CHECK(magnitude((double)inner / (double)count - 0.5) < 0.01, "%g inputs: %g within half", fan,
          (double)inner / (double)count);
    for (i = 0; i < (size_t)layer->outputs; i++)
        CHECK(layer->biases[i] == 0, "bias %zu is %g", i, (double)layer->biases[i]);
}

static void test_random_weights(void)
{
    const int widths[] = { 1000, 300, 7, 30000, 3 };
    const bp_training training = settings(1, 1, 1);
    const bp_data data = matrices(3);
    bp_net *net = create(widths, 5, 1), *same = create(widths, 5, 1), *other = create(widths, 5, 2);
    bp_net *small = create(sizes, 3, 3), *again = create(sizes, 3, 1), *fresh = create(sizes, 3, 3);
    check_distribution(&net->layers[0]);
    check_distribution(&net->layers[2]);
    check_distribution(&net->layers[3]);
    check_same_parameters(same, net, "same seed");
    CHECK(memcmp(net->parameters, other->parameters, 8 * sizeof(bp_real)) != 0, "seeds 1 and 2");
    bp_train(again, &data, &training);
    bp_randomize(again, 3);
    check_same_parameters(again, small, "randomized again");
    CHECK(again->epochs_trained == 0, "%u epochs after it", (unsigned)again->epochs_trained);
    check_same_parameters(fresh, small, "created twice");
    bp_free(net);
    bp_free(same);
    bp_free(other);
    bp_free(small);
    bp_free(again);
    bp_free(fresh);
}

int main(void)
{
    make_examples();
    test_modes();
    test_batch_is_mean();
    test_order();
    test_order_is_fair();
    test_resume();
    test_schedule();
    test_threads();
    test_reports();
    test_stop();
    test_ahead();
    test_bad_numbers();
    test_bad_numbers_when_reading();
    test_overflow();
    test_overflow_of_few();
    test_large_errors();
    test_lost_parameters();
    test_tiny();
#ifdef BACKPROP_DOUBLE
    test_cost_overflow();
#endif
    test_failing_fetch();
    test_failing_fetch_late();
    test_fetch_reads_the_same();
    test_random_weights();
    test_xor();
    return check_report("train");
}
