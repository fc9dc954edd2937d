/* test_math.c - predictions, costs and gradients: right, and right to the promised bit
 *
 * Against reference.h over many shapes and counts of examples, against numbers worked out by
 * hand, against central differences, and against >>determinism written out in plain C. */
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
#include "tests/check.h"
#include "tests/reference.h"
#include <float.h>
#include <string.h>

/* Relative to the largest component of the gradient; outputs and costs relative to 1. */
#ifdef BACKPROP_DOUBLE
#define TOLERANCE 1e-12
#else
#define TOLERANCE 1e-5
#endif

enum { SIZES_MAX = 7, EXAMPLES_MAX = 512 };

typedef struct shape {
    int count;
    int sizes[SIZES_MAX];
} shape;

static const shape shapes[] = {
    { 2, { 1, 1 } },
    { 3, { 1, 1, 1 } },
    { 7, { 1, 1, 1, 1, 1, 1, 1 } },
    { 3, { 2, 3, 1 } },
    { 3, { 5, 7, 3 } },
    { 2, { 17, 1 } },
    { 3, { 3, 1, 4 } },
    { 3, { 16, 16, 16 } },
    { 3, { 31, 65, 2 } },
    { 2, { 64, 64 } },
    { 4, { 33, 16, 15, 1 } },
    { 5, { 1, 8, 32, 9, 2 } },
    { 6, { 20, 19, 18, 17, 16, 15 } },
    { 7, { 9, 8, 7, 6, 5, 4, 3 } },
    { 4, { 123, 77, 31, 5 } },
    { 3, { 784, 30, 10 } },
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

/* A network, examples for it, and the reference with the same parameters. */
typedef struct fixture {
    bp_net *net;
    ref_net *ref;
    int inputs, outputs;
    bp_real *x, *y, *a, *gradient;
    double *ref_x, *ref_y, *ref_gradient;
} fixture;

static double magnitude(double x)
{
    return x < 0 ? -x : x;
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL)
        abort();
    return memory;
}

/* Weights about as large as bp_randomize's doubled, biases of the same size, inputs in
 * -1..1 and targets in 0..1, one in three of them exactly 0 or 1. */
static void fixture_fill(fixture *f, uint64_t state)
{
    const size_t inputs = (size_t)f->inputs * EXAMPLES_MAX;
    const size_t outputs = (size_t)f->outputs * EXAMPLES_MAX;
    size_t p = 0, i, end;
    int l;
    for (l = 0; l < f->net->layer_count; l++) {
        const double fan = f->net->layers[l].inputs;
        const double scale = fan < 4 ? 2 : fan < 50 ? 1 : 0.3;
        end = p + (size_t)f->net->layers[l].outputs * (size_t)(f->net->layers[l].inputs + 1);
        for (; p < end; p++)
            f->net->parameters[p] = (bp_real)(ref_random(&state) * scale);
    }
    for (p = 0; p < f->net->parameter_count; p++)
        f->ref->parameters[p] = (double)f->net->parameters[p];
    for (i = 0; i < inputs; i++)
        f->x[i] = (bp_real)ref_random(&state);
    for (i = 0; i < outputs; i++) {
        const double r = ref_random(&state);
        f->y[i] = (bp_real)(i % 3 == 0 ? (double)(r > 0) : (r + 1) / 2);
    }
    for (i = 0; i < inputs; i++)
        f->ref_x[i] = (double)f->x[i];
    for (i = 0; i < outputs; i++)
        f->ref_y[i] = (double)f->y[i];
}

static fixture fixture_create(const shape *s, uint64_t seed)
{
    fixture f;
    f.net = bp_create(s->sizes, s->count, seed);
    if (f.net == NULL)
        abort();
    f.ref = ref_create(s->sizes, s->count);
    f.inputs = s->sizes[0];
    f.outputs = s->sizes[s->count - 1];
    f.x = (bp_real *)allocate((size_t)f.inputs * EXAMPLES_MAX, sizeof(bp_real));
    f.y = (bp_real *)allocate((size_t)f.outputs * EXAMPLES_MAX, sizeof(bp_real));
    f.a = (bp_real *)allocate((size_t)f.outputs * EXAMPLES_MAX, sizeof(bp_real));
    f.ref_x = (double *)allocate((size_t)f.inputs * EXAMPLES_MAX, sizeof(double));
    f.ref_y = (double *)allocate((size_t)f.outputs * EXAMPLES_MAX, sizeof(double));
    f.gradient = (bp_real *)allocate(f.net->parameter_count, sizeof(bp_real));
    f.ref_gradient = (double *)allocate(f.net->parameter_count, sizeof(double));
    fixture_fill(&f, seed);
    return f;
}

static void fixture_free(fixture *f)
{
    bp_free(f->net);
    ref_free(f->ref);
    free(f->x);
    free(f->y);
    free(f->a);
    free(f->gradient);
    free(f->ref_x);
    free(f->ref_y);
    free(f->ref_gradient);
}

static bp_data fixture_data(const fixture *f, size_t count)
{
    bp_data data = { 0, NULL, NULL, NULL, NULL };
    data.count = count;
    data.inputs = f->x;
    data.targets = f->y;
    return data;
}

/* ---- against the reference ---- */

/* The largest |got - want| over the largest |want|. */
static double relative_error(const bp_real *got, const double *want, size_t count)
{
    double error = 0, largest = 0;
    size_t p;
    for (p = 0; p < count; p++) {
        const double difference = magnitude((double)got[p] - want[p]);
        /* Written so that a NaN is an error and not the absence of one. */
        if (!(difference <= error))
            error = difference;
        if (magnitude(want[p]) > largest)
            largest = magnitude(want[p]);
    }
    return error / largest;
}

static int first_largest(const bp_real *v, int count)
{
    int i, best = 0;
    for (i = 1; i < count; i++)
        if (v[i] > v[best])
            best = i;
    return best;
}

/* Right answers among the outputs in f->a. */
static size_t count_correct(const fixture *f, size_t count)
{
    size_t e, correct = 0;
    for (e = 0; e < count; e++) {
        const bp_real *a = f->a + e * (size_t)f->outputs, *y = f->y + e * (size_t)f->outputs;
        if (f->outputs == 1)
            correct += (a[0] >= (bp_real)0.5) == (y[0] >= (bp_real)0.5);
        else
            correct += first_largest(a, f->outputs) == first_largest(y, f->outputs);
    }
    return correct;
}

static void compare_with_reference(fixture *f, int s, size_t count)
{
    const bp_data data = fixture_data(f, count);
    const size_t outputs = (size_t)f->outputs;
    bp_evaluation evaluation = { -1, 0, 0 };
    double cost = -1, want_cost, worst = 0, error;
    bp_status status;
    size_t e, j;

    status = bp_predict(f->net, f->x, count, f->a);
    CHECK(status == BP_OK, "shape %d, %zu examples: %s", s, count, bp_status_string(status));
    for (e = 0; e < count; e++) {
        const double *want = ref_predict(f->ref, f->ref_x + e * (size_t)f->inputs);
        for (j = 0; j < outputs; j++) {
            error = magnitude((double)f->a[e * outputs + j] - want[j]);
            if (!(error <= worst))
                worst = error;
        }
    }
    CHECK(worst < TOLERANCE, "shape %d, %zu examples: output off by %g", s, count, worst);

    want_cost = ref_gradient(f->ref, f->ref_x, f->ref_y, count, f->ref_gradient);
    status = bp_gradient(f->net, &data, f->gradient, &cost);
    CHECK(status == BP_OK, "shape %d, %zu examples: %s", s, count, bp_status_string(status));
    error = relative_error(f->gradient, f->ref_gradient, f->net->parameter_count);
    CHECK(error < TOLERANCE, "shape %d, %zu examples: gradient off by %g", s, count, error);
    CHECK(magnitude(cost - want_cost) < TOLERANCE, "shape %d, %zu examples: cost %.17g, not %.17g",
          s, count, cost, want_cost);

    status = bp_evaluate(f->net, &data, &evaluation);
    CHECK(status == BP_OK, "shape %d, %zu examples: %s", s, count, bp_status_string(status));
    CHECK(magnitude(evaluation.cost - want_cost) < TOLERANCE,
          "shape %d, %zu examples: evaluated cost %.17g, not %.17g", s, count, evaluation.cost,
          want_cost);
    CHECK(evaluation.correct == count_correct(f, count) && evaluation.count == count,
          "shape %d: %zu correct of %zu, not %zu of %zu", s, evaluation.correct, evaluation.count,
          count_correct(f, count), count);
}

static void test_reference(void)
{
    size_t count;
    int s;
    for (s = 0; s < SHAPES; s++) {
        fixture f = fixture_create(&shapes[s], (uint64_t)s + 1);
        for (count = 1; count <= 70; count++)
            if (count <= 17 || (count >= 31 && count <= 33) || count >= 63)
                compare_with_reference(&f, s, count);
        /* Past one chunk of work, whatever its size. */
        compare_with_reference(&f, s, 257);
        fixture_free(&f);
    }
}

/* The first of equal outputs counts, and the first of equal targets. */
static void test_ties(void)
{
    const int sizes[] = { 1, 3 };
    const bp_real x[] = { 1, 1, 1, 1 };
    const bp_real y[] = { 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 1 };
    const bp_data data = { 4, x, y, NULL, NULL };
    bp_evaluation found = { 0, 0, 0 };
    bp_net *net = bp_create(sizes, 2, 1);
    net->layers[0].weights[0] = -1;
    net->layers[0].weights[1] = net->layers[0].weights[2] = 1;
    CHECK(bp_evaluate(net, &data, &found) == BP_OK && found.correct == 2,
          "%zu correct, not the second and the fourth", found.correct);
    bp_free(net);
}

/* ---- against central differences ---- */

/* The reference's gradient against differences of its own cost, of fourth order. */
static void test_differences_of_reference(void)
{
    const double h = 1e-3;
    int s;
    for (s = 0; s < SHAPES; s++) {
        fixture f = fixture_create(&shapes[s], 100 + (uint64_t)s);
        double worst = 0, largest = 0;
        size_t p, stride = f.net->parameter_count / 300 + 1;
        ref_gradient(f.ref, f.ref_x, f.ref_y, 1, f.ref_gradient);
        for (p = 0; p < f.net->parameter_count; p++)
            if (magnitude(f.ref_gradient[p]) > largest)
                largest = magnitude(f.ref_gradient[p]);
        for (p = 0; p < f.net->parameter_count; p += stride) {
            const double steps[] = { -2, -1, 1, 2 }, factors[] = { 1, -8, 8, -1 };
            const double here = f.ref->parameters[p];
            double difference = 0;
            int i;
            for (i = 0; i < 4; i++) {
                f.ref->parameters[p] = here + steps[i] * h;
                difference += factors[i] * ref_cost(f.ref, f.ref_x, f.ref_y) / (12 * h);
            }
            f.ref->parameters[p] = here;
            difference = magnitude(difference - f.ref_gradient[p]) / largest;
            if (!(difference <= worst))
                worst = difference;
        }
        CHECK(worst < 1e-9, "shape %d: the reference's gradient is off by %g", s, worst);
        fixture_free(&f);
    }
}

/* The library's own check. In float it can only tell a gradient from a wrong one. */
static void test_check_gradient(void)
{
#ifdef BACKPROP_DOUBLE
    const double bound = 1e-7;
#else
    const double bound = 0.02;
#endif
    int s;
    for (s = 0; s < SHAPES; s++) {
        fixture f = fixture_create(&shapes[s], 200 + (uint64_t)s);
        const size_t parameters = f.net->parameter_count;
        const bp_data data = fixture_data(&f, parameters > 2000 ? 1 : parameters > 300 ? 5 : 33);
        double worst = -1;
        const bp_status status = bp_check_gradient(f.net, &data, &worst);
        CHECK(status == BP_OK, "shape %d: %s", s, bp_status_string(status));
        CHECK(worst >= 0 && worst < bound, "shape %d: worst relative error %g", s, worst);
        fixture_free(&f);
    }
}

/* Saturated to the last bit, every component is 0: the check must not divide 0 by 0. */
static void test_check_gradient_of_zeros(void)
{
    const int sizes[] = { 1, 2, 1 };
    const bp_real x[] = { 1 }, y[] = { 1 };
    const bp_data data = { 1, x, y, NULL, NULL };
    bp_net *net = bp_create(sizes, 3, 1);
    double worst = -1;
    size_t p;
    for (p = 0; p < net->parameter_count; p++)
        net->parameters[p] = 1000;
    CHECK(bp_check_gradient(net, &data, &worst) == BP_OK, "all components are zero");
    CHECK(worst >= 0 && worst < 1e-3, "worst relative error %g", worst);
    bp_free(net);
}

/* ---- worked by hand ---- */

/* x = (1, 2). Hidden z = (ln 3, 0), a = (3/4, 1/2). Output z = 2 3/4 - 3 1/2 = 0, a = 1/2.
 * With y = 0: C = 1/8, delta = 1/2 1/4 = 1/8, so dC/dw = (3/32, 1/16). Hidden errors are
 * 2 1/8 3/16 = 3/64 and -3 1/8 1/4 = -3/32, times x: (3/64, 3/32) and (-3/32, -3/16). */
static void test_worked_by_hand(void)
{
    const int sizes[] = { 2, 2, 1 };
    const double parameters[] = { 1.0986122886681098, 0, 1, -0.5, 0, 0, 2, -3, 0 };
    const double want[] = { 3 / 64.0,  3 / 32.0, -3 / 32.0, -3 / 16.0, 3 / 64.0,
                            -3 / 32.0, 3 / 32.0, 1 / 16.0,  1 / 8.0 };
    const double ref_x[] = { 1, 2 }, ref_y[] = { 0 };
    const bp_real x[] = { 1, 2 }, y[] = { 0 };
    const bp_data data = { 1, x, y, NULL, NULL };
    bp_real gradient[9], a = -1;
    double cost = -1, ref[9];
    bp_net *net = bp_create(sizes, 3, 1);
    ref_net *paper = ref_create(sizes, 3);
    size_t p;
    for (p = 0; p < 9; p++) {
        net->parameters[p] = (bp_real)parameters[p];
        paper->parameters[p] = parameters[p];
    }
    CHECK(bp_predict(net, x, 1, &a) == BP_OK && magnitude((double)a - 0.5) < 1e-7, "a = %.9g",
          (double)a);
    CHECK(bp_gradient(net, &data, gradient, &cost) == BP_OK && magnitude(cost - 0.125) < 1e-7,
          "C = %.17g", cost);
    CHECK(relative_error(gradient, want, 9) < TOLERANCE, "off by %g",
          relative_error(gradient, want, 9));
    CHECK(magnitude(ref_gradient(paper, ref_x, ref_y, 1, ref) - 0.125) < 1e-15, "the reference");
    for (p = 0; p < 9; p++)
        CHECK(magnitude(ref[p] - want[p]) < 1e-15, "reference component %zu: %.17g", p, ref[p]);
    bp_free(net);
    ref_free(paper);
}

/* ---- the promised bits ---- */

/* Rows of a are the same whether 1 or 300 examples share the call, wherever they stand. A
 * row with a NaN in its inputs is NaN and leaves its neighbours alone. */
static void predict_in_company(const shape *s, int number)
{
    static const size_t counts[] = { 2,  3,  4,  5,  6,   7,   8,   9,   10,  11,  12,  13,  14,
                                     15, 16, 17, 18, 19,  20,  21,  22,  23,  24,  25,  26,  27,
                                     28, 29, 30, 31, 32,  33,  34,  35,  36,  37,  38,  39,  40,
                                     41, 42, 43, 44, 45,  46,  47,  48,  49,  50,  51,  52,  53,
                                     54, 55, 56, 57, 58,  59,  60,  61,  62,  63,  64,  65,  66,
                                     67, 68, 69, 70, 127, 128, 129, 255, 256, 257, 300, 511, 512 };
    fixture f = fixture_create(s, 300 + (uint64_t)number);
    const size_t inputs = (size_t)f.inputs, outputs = (size_t)f.outputs;
    bp_real *alone = (bp_real *)allocate(outputs * EXAMPLES_MAX, sizeof(bp_real));
    size_t i, e, from;
    for (e = 0; e < EXAMPLES_MAX; e++)
        bp_predict(f.net, f.x + e * inputs, 1, alone + e * outputs);
    for (i = 0; i < sizeof counts / sizeof counts[0]; i++)
        for (from = 0; from + counts[i] <= EXAMPLES_MAX; from += EXAMPLES_MAX - counts[i]) {
            memset(f.a, 0x55, outputs * EXAMPLES_MAX * sizeof(bp_real));
            bp_predict(f.net, f.x + from * inputs, counts[i], f.a);
            CHECK_BYTES(f.a, alone + from * outputs, counts[i] * outputs * sizeof(bp_real),
                        "shape %d, %zu examples from %zu", number, counts[i], from);
            if (counts[i] == EXAMPLES_MAX)
                break;
        }
    f.x[41 * inputs] = (bp_real)(1e308 * 1e308 * 0);
    bp_predict(f.net, f.x, 70, f.a);
    CHECK(f.a[41 * outputs] != f.a[41 * outputs], "shape %d: NaN became %g", number,
          (double)f.a[41 * outputs]);
    memcpy(f.a + 41 * outputs, alone + 41 * outputs, outputs * sizeof(bp_real));
    CHECK_BYTES(f.a, alone, 70 * outputs * sizeof(bp_real), "shape %d: beside a NaN", number);
    free(alone);
    fixture_free(&f);
}

/* Sums of two numbers come apart as high + low exactly; of a product the same. */
static double sum_error(double a, double b, double sum)
{
    const double b_seen = sum - a;
    return (a - (sum - b_seen)) + (b - b_seen);
}

/* high + low rounded to odd: rounding the result again, to fewer bits, then gives what one
 * rounding of the exact sum would have given. */
static double round_to_odd(double high, double low)
{
    double sum = high + low;
    const double error = sum_error(high, low, sum);
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    if (error == 0 || (bits & 1) == 1)
        return sum;
    /* The neighbour towards the error is away from zero if both have one sign. */
    bits = (error > 0) == (sum > 0) ? bits + 1 : bits - 1;
    memcpy(&sum, &bits, sizeof sum);
    return sum;
}

/* a b + c rounded once, from nothing but sums and products rounded as usual. */
static bp_real exact_multiply_add(bp_real a, bp_real b, bp_real c)
{
#ifdef BACKPROP_DOUBLE
    /* Boldo and Melquiond 2008; the product in two parts by Dekker's splitting. */
    const double split = 134217729;
    /* Each product stands alone, so that no compiler merges it with the sum that follows. */
    const double a_split = split * a, b_split = split * b;
    const double a_high = a_split - (a_split - a), a_low = a - a_high;
    const double b_high = b_split - (b_split - b), b_low = b - b_high;
    const double u = a * b;
    const double u_low = ((a_high * b_high - u) + a_high * b_low + a_low * b_high) + a_low * b_low;
    const double t = c + u_low, t_low = sum_error(c, u_low, t);
    const double v = u + t, v_low = sum_error(u, t, v);
    return v + round_to_odd(v_low, t_low);
#else
    /* The product of two floats is exact in a double. */
    return (float)round_to_odd((double)a * (double)b, (double)c);
#endif
}

/* A machine without fused multiply-add rounds twice; every sum must then do so. */
static int fused;

static bp_real multiply_add(bp_real a, bp_real b, bp_real c)
{
    bp_real product;
    if (fused)
        return exact_multiply_add(a, b, c);
    product = a * b;
    return product + c;
}

/* F1 of >>determinism for neuron j. */
static bp_real ordered_z(const bp_layer *layer, int j, const bp_real *a)
{
    enum { LANES = 32 / sizeof(bp_real) };
    bp_real lane[LANES] = { 0 };
    int k, i, half;
    for (k = 0; k < layer->inputs; k++)
        lane[k % LANES] =
            multiply_add(layer->weights[j * layer->inputs + k], a[k], lane[k % LANES]);
    for (half = LANES / 2; half > 0; half /= 2)
        for (i = 0; i < half; i++)
            lane[i] = lane[i] + lane[i + half];
    return lane[0] + layer->biases[j];
}

/* Where the library and the orders written out here differ. */
typedef struct mismatches {
    size_t forward, errors, gradient, update;
} mismatches;

/* What the written-out passes leave behind: rows of examples, a[0] the inputs. */
typedef struct ordered {
    bp_real *a[SIZES_MAX], *delta[SIZES_MAX];
} ordered;

/* F1 and F2 for all examples, the library's s(z) taken through a 1-1 network. */
static void ordered_forward(const fixture *f, const bp_net *sigmoid, size_t count, ordered *o)
{
    size_t e;
    int l, j;
    memcpy(o->a[0], f->x, count * (size_t)f->inputs * sizeof(bp_real));
    for (l = 0; l < f->net->layer_count; l++) {
        const bp_layer *layer = &f->net->layers[l];
        const size_t inputs = (size_t)layer->inputs, outputs = (size_t)layer->outputs;
        /* z stands where the errors come later. */
        for (e = 0; e < count; e++)
            for (j = 0; j < layer->outputs; j++)
                o->delta[l + 1][e * outputs + (size_t)j] =
                    ordered_z(layer, j, o->a[l] + e * inputs);
        bp_predict(sigmoid, o->delta[l + 1], count * outputs, o->a[l + 1]);
    }
}

/* Errors of example e, divided by count, a power of two: they are the gradient of the biases
 * for that example alone. Returns how many of them are not what B2 makes of those above. */
static size_t ordered_errors(const fixture *f, size_t e, size_t count, ordered *o)
{
    bp_data data = fixture_data(f, 1);
    size_t wrong = 0;
    int l, j, k;
    data.inputs += e * (size_t)f->inputs;
    data.targets += e * (size_t)f->outputs;
    bp_gradient(f->net, &data, f->gradient, NULL);
    for (l = f->net->layer_count; l >= 1; l--) {
        const bp_layer *layer = &f->net->layers[l - 1], *above = layer + 1;
        const bp_real *found = f->gradient + (layer->biases - f->net->parameters);
        const bp_real *a = o->a[l] + e * (size_t)layer->outputs;
        bp_real *delta = o->delta[l] + e * (size_t)layer->outputs;
        for (k = 0; k < layer->outputs; k++) {
            bp_real sum = 0;
            delta[k] = found[k] / (bp_real)count;
            if (l == f->net->layer_count)
                continue;
            for (j = 0; j < above->outputs; j++)
                sum = multiply_add(above->weights[j * above->inputs + k],
                                   o->delta[l + 1][e * (size_t)above->outputs + (size_t)j], sum);
            wrong += sum * (a[k] * (1 - a[k])) != delta[k];
        }
    }
    return wrong;
}

/* B3 for one layer, given the errors of each example: how many components differ. */
static size_t ordered_gradient(const fixture *f, const bp_layer *layer, size_t count,
                               const bp_real *a, const bp_real *delta)
{
    const size_t inputs = (size_t)layer->inputs, outputs = (size_t)layer->outputs;
    const bp_real *weights = f->gradient + (layer->weights - f->net->parameters);
    const bp_real *biases = f->gradient + (layer->biases - f->net->parameters);
    size_t e, j, k, wrong = 0;
    for (j = 0; j < outputs; j++) {
        bp_real bias = 0;
        for (k = 0; k < inputs; k++) {
            bp_real sum = 0;
            for (e = 0; e < count; e++)
                sum = multiply_add(delta[e * outputs + j], a[e * inputs + k], sum);
            wrong += sum != weights[j * inputs + k];
        }
        for (e = 0; e < count; e++)
            bias += delta[e * outputs + j];
        wrong += bias != biases[j];
    }
    return wrong;
}

/* U, after which the network has other parameters. */
static size_t ordered_update(const fixture *f)
{
    const size_t parameters = f->net->parameter_count;
    bp_real *want = (bp_real *)allocate(parameters, sizeof(bp_real));
    size_t p, wrong = 0;
    for (p = 0; p < parameters; p++)
        want[p] = multiply_add(-(bp_real)1.7, f->gradient[p], f->net->parameters[p]);
    bp_update(f->net, f->gradient, (double)(bp_real)1.7);
    for (p = 0; p < parameters; p++)
        wrong += want[p] != f->net->parameters[p];
    free(want);
    return wrong;
}

static void ordered_pass(fixture *f, const bp_net *sigmoid, size_t count, ordered *o,
                         mismatches *wrong)
{
    const bp_data data = fixture_data(f, count);
    size_t e, i;
    int l;
    ordered_forward(f, sigmoid, count, o);
    bp_predict(f->net, f->x, count, f->a);
    for (i = 0; i < count * (size_t)f->outputs; i++)
        wrong->forward += f->a[i] != o->a[f->net->layer_count][i];
    for (e = 0; e < count; e++)
        wrong->errors += ordered_errors(f, e, count, o);
    bp_gradient(f->net, &data, f->gradient, NULL);
    for (l = 1; l <= f->net->layer_count; l++)
        wrong->gradient +=
            ordered_gradient(f, &f->net->layers[l - 1], count, o->a[l - 1], o->delta[l]);
    wrong->update += ordered_update(f);
}

/* Inputs of which most are zero: whole examples, blocks of eight, single ones, some -0. */
static void make_sparse(fixture *f)
{
    const size_t inputs = (size_t)f->inputs;
    uint64_t state = 5;
    double block = 0;
    size_t e, k;
    for (e = 0; e < EXAMPLES_MAX; e++)
        for (k = 0; k < inputs; k++) {
            const double single = ref_random(&state);
            if (k % 8 == 0)
                block = ref_random(&state);
            if (e % 11 == 7 || block < 0.4 || single < -0.6)
                f->x[e * inputs + k] = single < 0.9 ? (bp_real)0 : -(bp_real)0;
        }
}

static mismatches ordered_everything(void)
{
    static const shape nets[] = {
        { 3, { 5, 7, 3 } }, { 5, { 40, 19, 35, 3, 1 } }, { 2, { 64, 64 } }, { 3, { 784, 30, 10 } }
    };
    static const size_t counts[] = { 1, 2, 4, 8, 16, 64, 512 };
    const int one[] = { 1, 1 };
    bp_net *sigmoid = bp_create(one, 2, 1);
    mismatches wrong = { 0, 0, 0, 0 };
    size_t i, n;
    int l;
    sigmoid->parameters[0] = 1;
    for (n = 0; n < sizeof nets / sizeof nets[0]; n++) {
        fixture f = fixture_create(&nets[n], 400 + (uint64_t)n);
        ordered o;
        make_sparse(&f);
        for (l = 0; l < nets[n].count; l++) {
            const size_t size = (size_t)nets[n].sizes[l] * EXAMPLES_MAX;
            o.a[l] = (bp_real *)allocate(size, sizeof(bp_real));
            o.delta[l] = (bp_real *)allocate(size, sizeof(bp_real));
        }
        for (i = 0; i < sizeof counts / sizeof counts[0]; i++)
            if (f.inputs < 784 || counts[i] <= 16)
                ordered_pass(&f, sigmoid, counts[i], &o, &wrong);
        for (l = 0; l < nets[n].count; l++) {
            free(o.a[l]);
            free(o.delta[l]);
        }
        fixture_free(&f);
    }
    bp_free(sigmoid);
    return wrong;
}

static size_t total(mismatches wrong)
{
    return wrong.forward + wrong.errors + wrong.gradient + wrong.update;
}

/* Where a machine has no fused multiply-add, or a build does not ask for it, products may be
 * rounded on their own; but then all of them must be. */
static void test_promised_bits(void)
{
    mismatches once, twice = { 1, 1, 1, 1 };
    if (FLT_EVAL_METHOD != 0) {
        SKIP("this compiler keeps more digits than the types have");
        return;
    }
    fused = 1;
    once = ordered_everything();
    fused = 0;
    if (total(once) > 0)
        twice = ordered_everything();
    printf("multiply-adds are rounded %s\n", total(once) == 0 ? "once" : "twice");
    CHECK(total(once) == 0 || total(twice) == 0,
          "differing if rounded once: F1 %zu, B2 %zu, B3 %zu, U %zu; if rounded twice: "
          "F1 %zu, B2 %zu, B3 %zu, U %zu",
          once.forward, once.errors, once.gradient, once.update, twice.forward, twice.errors,
          twice.gradient, twice.update);
}

/* Below n, and fair: the draws of the last, incomplete stretch are thrown away. For this n that is
 * nearly every second draw, and the rest go through unchanged. */
static void test_random_below(void)
{
    const uint64_t n = ((uint64_t)1 << 63) + 1;
    uint64_t state = 1, same = 1;
    int i, thrown = 0;
    for (i = 0; i < 100; i++) {
        const uint64_t got = bpi_random_below(&state, n);
        uint64_t want = bpi_random(&same);
        for (; want >= n; want = bpi_random(&same))
            thrown++;
        CHECK(got == want, "draw %d", i);
    }
    CHECK(thrown > 50 && thrown < 200, "%d thrown away", thrown);
}

/* The exact product and sum where the halves of a factor would overflow, or the
 * product's error underflow: 2^1000 (1 + 2^-52) 2^-1000 (1 + 2^-52) - 1 - 2^-51 is 2^-104 and
 * nothing else. */
static void test_extreme_products(void)
{
#ifdef BACKPROP_DOUBLE
    const double near_1 = 1 + ref_power_of_two(-52), far = ref_power_of_two(1000);
    const double near_2 = -1 - ref_power_of_two(-51), error = ref_power_of_two(-104);
    double got[6];
    int i;
    got[0] = bpi_fma(near_1 * far, near_1 / far, near_2);
    got[1] = bpi_fma(-near_1 * far, -near_1 / far, near_2);
    got[2] = bpi_fma(near_1 / far, near_1 * far, near_2);
    got[3] = bpi_fma(-near_1 / far, -near_1 * far, near_2);
    got[4] = bpi_fma(near_1, near_1, near_2);
    got[5] = bpi_fma(near_1 * ref_power_of_two(-450), near_1 * ref_power_of_two(-450),
                     near_2 * ref_power_of_two(-900)) * ref_power_of_two(900);
    for (i = 0; bpi_kernels_plain.fused && i < 6; i++)
        CHECK(got[i] >= error && got[i] <= error, "product %d: %a", i, got[i]);
#endif
}

int main(void)
{
    static const shape company[] = {
        { 4, { 23, 17, 9, 3 } }, { 2, { 5, 1 } }, { 3, { 300, 40, 2 } }, { 3, { 784, 30, 10 } }
    };
    int i;
    test_worked_by_hand();
    test_differences_of_reference();
    test_reference();
    test_ties();
    test_check_gradient();
    test_check_gradient_of_zeros();
    for (i = 0; i < 4; i++)
        predict_in_company(&company[i], i);
    test_promised_bits();
    test_random_below();
    test_extreme_products();
    return check_report("math");
}
