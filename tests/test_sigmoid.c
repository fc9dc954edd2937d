/* test_sigmoid.c - s(x) = 1 / (1 + e^-x), taken through a 1-1 network of weight 1 and bias 0
 *
 * Within 2 units in the last place, monotone, exact at 0 and at the infinities, NaN for NaN.
 * In float with the argument "all" over every number there is, 2^32 of them; else over every
 * seventh or more where s is none of 0, 1/2 and 1, and every 61st of the rest. In double over
 * millions of points, by a reference in long double. */
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
#include "tests/check.h"
#include "tests/reference.h"
#include <float.h>
#include <string.h>

enum { BLOCK = 65536 };

static bp_real x[BLOCK], a[BLOCK];
static bp_net *sigmoid;

/* What went wrong among all the points, counted here since there are billions. */
static size_t inaccurate, outside, falling;
static double worst;   /* in units in the last place */
static double worst_x; /* where */
static bp_real last;   /* s of the point before, or -1 */

static void evaluate(size_t count)
{
    const bp_status status = bp_predict(sigmoid, x, count, a);
    CHECK(status == BP_OK, "%s", bp_status_string(status));
}

/* In 0..1, and not less than the point before. Comparisons stand so that NaN fails them. */
static void check_order(size_t count)
{
    size_t i;
    for (i = 0; i < count; i++) {
        outside += !(a[i] >= 0 && a[i] <= 1);
        falling += !(a[i] >= last);
        last = a[i];
    }
}

static void take_error(double ulps, double where)
{
    if (!(ulps <= worst)) {
        worst = ulps;
        worst_x = where;
    }
    inaccurate += !(ulps <= 2);
}

static void test_special(void)
{
    const double infinity = 1e308 * 1e308;
    x[0] = 0;
    x[1] = (bp_real)-0.0;
    x[2] = (bp_real)infinity;
    x[3] = (bp_real)-infinity;
    x[4] = (bp_real)(infinity - infinity);
    x[5] = sizeof(bp_real) == 4 ? (bp_real)FLT_MAX : (bp_real)DBL_MAX;
    x[6] = -x[5];
    evaluate(7);
    CHECK(a[0] == (bp_real)0.5 && a[1] == (bp_real)0.5, "s(0) = %.17g, s(-0) = %.17g", (double)a[0],
          (double)a[1]);
    CHECK(a[2] == 1 && a[5] == 1, "s(+inf) = %.17g, s(max) = %.17g", (double)a[2], (double)a[5]);
    CHECK(a[3] == 0 && a[6] == 0, "s(-inf) = %.17g, s(-max) = %.17g", (double)a[3], (double)a[6]);
    CHECK(a[4] != a[4], "s(NaN) = %.17g", (double)a[4]);
}

static void report(void)
{
    printf("worst error %.3f units in the last place, at %.17g\n", worst, worst_x);
    CHECK(inaccurate == 0, "%zu points are off by more than 2, up to %g at %.17g", inaccurate,
          worst, worst_x);
    CHECK(outside == 0, "%zu points are outside of 0..1", outside);
    CHECK(falling == 0, "%zu points are below the one before", falling);
}

#ifndef BACKPROP_DOUBLE

/* Floats in rising order are numbered from -inf = 0; +inf is LAST, and -0 is left out. */
#define FIRST_POSITIVE UINT32_C(0x7f800000)
#define LAST UINT32_C(0xff000000)

static float float_number(uint32_t number)
{
    const uint32_t bits =
        number < FIRST_POSITIVE ? UINT32_C(0xff800000) - number : number - FIRST_POSITIVE;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t number_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 31 ? UINT32_C(0xff800000) - bits : FIRST_POSITIVE + bits;
}

/* The distance of neighbouring floats about s, 2^-149 at least: from the bits of a double. */
static double unit_in_last_place(double s)
{
    uint64_t bits;
    double power;
    memcpy(&bits, &s, sizeof bits);
    bits &= UINT64_C(0x7ff) << 52;
    memcpy(&power, &bits, sizeof power);
    power *= 0x1p-23;
    return power < 0x1p-149 ? 0x1p-149 : power;
}

/* s(x) as e^x / (1 + e^x), with e^x = e^middle e^(x - middle): near middle few terms of the
 * series do, and nothing but the one division is slow. */
static double sigmoid_near(double value, double middle, double exp_middle)
{
    static const double c[] = { 1,        1,        1 / 2.,    1 / 6.,     1 / 24.,
                                1 / 120., 1 / 720., 1 / 5040., 1 / 40320., 1 / 362880. };
    const double r = value - middle;
    double e = c[9];
    int i;
    for (i = 8; i >= 0; i--)
        e = e * r + c[i];
    e *= exp_middle;
    return e / (1 + e);
}

/* Checks every stride-th float of the block of numbers that starts at first. */
static void check_block(uint32_t first, uint32_t stride)
{
    const uint32_t left = (LAST - first) / stride + 1;
    const size_t count = left < BLOCK ? left : BLOCK;
    const uint32_t end = first + (uint32_t)(count - 1) * stride;
    const double low = (double)float_number(first), high = (double)float_number(end);
    const double middle = (low + high) / 2;
    size_t i;
    for (i = 0; i < count; i++)
        x[i] = float_number(first + (uint32_t)i * stride);
    evaluate(count);
    check_order(count);
    /* Beyond these s is 0 or 1 to less than a quarter of a unit. */
    if (high < -120 || low > 40) {
        for (i = 0; i < count; i++)
            inaccurate += a[i] != (low > 40);
    } else if (high - low <= 0.6) {
        const double exp_middle = ref_exp(middle);
        for (i = 0; i < count; i++) {
            const double want = sigmoid_near((double)x[i], middle, exp_middle);
            const double off = (double)a[i] - want, ulps = (off < 0 ? -off : off);
            take_error(ulps / unit_in_last_place(want), (double)x[i]);
        }
    } else {
        for (i = 0; i < count; i++) {
            const double want = ref_sigmoid((double)x[i]);
            const double off = (double)a[i] - want, ulps = (off < 0 ? -off : off);
            take_error(ulps / unit_in_last_place(want), (double)x[i]);
        }
    }
}

static void check_range(float low, float high, uint32_t stride)
{
    const uint32_t end = number_of(high);
    uint32_t first = number_of(low);
    while (first <= end) {
        const uint32_t step = (uint32_t)BLOCK * stride;
        check_block(first, stride);
        if (LAST - first < step)
            break;
        first += step;
    }
}

static void test_everything(uint32_t stride)
{
    const float infinity = float_number(LAST);
    last = -1;
    check_range(-infinity, infinity, stride);
}

static void test_nan(uint32_t stride)
{
    size_t wrong = 0, i;
    uint32_t low;
    for (low = 1; low < UINT32_C(0x800000); low += BLOCK / 2 * stride) {
        for (i = 0; i < BLOCK; i++) {
            const uint32_t payload = low + (uint32_t)(i / 2) * stride;
            const uint32_t bits = (payload < UINT32_C(0x800000) ? payload : UINT32_C(0x7fffff)) |
                                  UINT32_C(0x7f800000) | (uint32_t)(i % 2) << 31;
            memcpy(&x[i], &bits, sizeof bits);
        }
        evaluate(BLOCK);
        for (i = 0; i < BLOCK; i++)
            wrong += a[i] == a[i];
    }
    CHECK(wrong == 0, "%zu of the NaN became numbers", wrong);
}

static void test_range(int all)
{
    test_nan(all ? 1 : 61);
    test_everything(all ? 1 : 61);
    if (all)
        return;
    last = -1;
    check_range(-110, -0x1p-3F, 3);
    last = -1;
    check_range(-0x1p-3F, -0x1p-27F, 7);
    last = -1;
    check_range(0x1p-27F, 0.5F, 7);
    last = -1;
    check_range(-1.5F, -1, 1);
    last = -1;
    check_range(0.5F, 20, 1);
}

#else

static int have_reference(void)
{
    return LDBL_MANT_DIG >= 64;
}

/* e^x as in reference.h, with 64 bits. */
static long double long_exp(long double value)
{
    const long double ln2_high = 0xB17217F7p-32L, ln2_low = 0xD1CF79ABC9E3B398p-96L;
    const int k = (int)(value / (ln2_high + ln2_low) + (value < 0 ? -0.5L : 0.5L));
    const long double r = (value - k * ln2_high) - k * ln2_low;
    long double sum = 1;
    int i;
    for (i = 22; i > 0; i--)
        sum = 1 + sum * r / i;
    return sum * (long double)ref_power_of_two(k / 2) * (long double)ref_power_of_two(k - k / 2);
}

static long double long_sigmoid(long double value)
{
    if (value >= 0)
        return value > 100 ? 1 : 1 / (1 + long_exp(-value));
    return value < -800 ? 0 : long_exp(value) / (1 + long_exp(value));
}

/* The distance of neighbouring doubles about s, 2^-1074 at least. */
static long double unit_in_last_place(long double s)
{
    const double rounded = (double)s;
    uint64_t bits;
    double power;
    memcpy(&bits, &rounded, sizeof bits);
    bits &= UINT64_C(0x7ff) << 52;
    if (bits == 0)
        bits = (uint64_t)1 << 52;
    memcpy(&power, &bits, sizeof power);
    return (long double)power * 0x1p-52L;
}

static void check_points(size_t count)
{
    size_t i;
    evaluate(count);
    for (i = 0; i < count; i++)
        outside += !(a[i] >= 0 && a[i] <= 1);
    for (i = 0; i < count && have_reference(); i++) {
        const long double want = long_sigmoid((long double)x[i]);
        const long double off = (long double)a[i] - want;
        take_error((double)((off < 0 ? -off : off) / unit_in_last_place(want)), x[i]);
    }
}

/* Neighbouring doubles, from about the given one on, in rising order. */
static void check_run(double from, size_t count)
{
    uint64_t bits;
    size_t i;
    memcpy(&bits, &from, sizeof bits);
    for (i = 0; i < count; i++) {
        const uint64_t at = from < 0 ? bits - i : bits + i;
        memcpy(&x[i], &at, sizeof at);
    }
    last = -1;
    evaluate(count);
    check_order(count);
    check_points(count < 64 ? count : 64);
}

/* Rising, evenly spaced, between two bounds. */
static void check_span(double low, double high)
{
    size_t i;
    for (i = 0; i < BLOCK; i++)
        x[i] = low + (high - low) * (double)i / (BLOCK - 1);
    check_points(BLOCK);
    last = -1;
    check_order(BLOCK);
}

static void test_runs(void)
{
    const double ln2 = 0.69314718055994530942;
    uint64_t state = 9;
    int k;
    /* Where a range reduction would change from one piece to the next. */
    for (k = -1080; k <= 60; k++) {
        check_run(k * ln2 - (k + 2) * 1e-14, 400);
        check_run((k + 0.5) * ln2 - (k + 2) * 1e-14, 400);
    }
    for (k = 0; k < 3000; k++)
        check_run(ref_random(&state) * 40, 400);
    for (k = 0; k < 1000; k++)
        check_run(ref_random(&state) * 760, 400);
    for (k = 1; k < 1066; k++) {
        check_run(ref_power_of_two(-k), 100);
        check_run(-ref_power_of_two(-k), 100);
    }
}

static void test_range(int all)
{
    static const double bounds[] = { 1e-9, 1e-3, 0.1, 0.35, 0.7, 1.5, 4, 17, 37, 40, 50 };
    static const double below[] = { -1e300, -800,   -746, -745.2, -745, -744, -740,
                                    -709.8, -708.3, -700, -600,   -300, -100, -50 };
    uint64_t state = 4;
    size_t i;
    int j;
    if (!have_reference())
        SKIP("long double has fewer than 64 bits: the error is not measured");
    for (i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
        check_span(-bounds[i], bounds[i]);
    for (i = 0; i + 1 < sizeof below / sizeof below[0]; i++)
        check_span(below[i], below[i + 1]);
    check_span(37, 1e300);
    for (j = 0; j < (all ? 500 : 20); j++) {
        for (i = 0; i < BLOCK; i++)
            x[i] = ref_random(&state) * 40 * ref_power_of_two(-(int)(i % 64) / 2);
        check_points(BLOCK);
    }
    test_runs();
}

#endif

int main(int argc, char **argv)
{
    const int one[] = { 1, 1 };
    sigmoid = bp_create(one, 2, 1);
    if (sigmoid == NULL)
        abort();
    sigmoid->parameters[0] = 1;
    test_special();
    test_range(argc > 1 && strcmp(argv[1], "all") == 0);
    report();
    bp_free(sigmoid);
    return check_report("sigmoid");
}
