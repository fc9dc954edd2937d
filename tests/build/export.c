/* Exports networks to C files, and, compiled with COMPARE and linked with those files, holds
 * their outputs against bp_predict's, bit for bit. */
#include "backprop.h"

#include "tests/check.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

/* Lists name, inputs, outputs and the sizes of each network. */
#define NETWORKS(NET) \
    NET(one, 1, 1, 1, 1) \
    NET(quickstart, 2, 1, 2, 4, 1) \
    NET(odd, 17, 15, 17, 16, 15) \
    NET(deep, 5, 3, 5, 4, 3, 2, 1, 2, 3) \
    NET(wide, 33, 7, 33, 7) \
    NET(lanes, 64, 2, 64, 32, 2) \
    NET(hard, 3, 4, 3, 5, 4) \
    NET(digits, 784, 10, 784, 30, 10)

#ifdef BACKPROP_DOUBLE
#define TINIEST 0x1p-1074
#define LARGEST DBL_MAX
#else
#define TINIEST 0x1p-149f
#define LARGEST FLT_MAX
#endif

enum { INPUT_SETS = 200 };

typedef void predict(const bp_real *inputs, bp_real *outputs);

#ifdef COMPARE
#define DECLARE(name, inputs, outputs, ...) \
    void name(const bp_real *x, bp_real *a);
#ifdef __cplusplus
extern "C" {
#endif
NETWORKS(DECLARE)
#ifdef __cplusplus
}
#endif
#endif

static uint32_t state = 1;

static uint32_t draw(void)
{
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

/* Uniform in +-range. */
static bp_real uniform(double range)
{
    return (bp_real)(((double)draw() / 8388608 - 1) * range);
}

/* Parameters that decimals of few digits, or a compiler flushing denormals, would change. */
static void set_parameters(bp_net *net, int hard)
{
    static const bp_real values[] = { LARGEST, TINIEST, 0, -TINIEST, -LARGEST, (bp_real)1 / 3,
                                      LARGEST / 4 };
    int l, j;
    size_t i;
    for (l = 0; l < net->layer_count; l++)
        for (j = 0; j < net->layers[l].outputs; j++) net->layers[l].biases[j] = uniform(1);
    for (i = 0; hard && i < net->parameter_count; i += 2) net->parameters[i] = values[i / 2 % 7];
}

static void set_inputs(bp_real *x, int count, int set)
{
    int k;
    for (k = 0; k < count; k++) switch (set % 8) {
        case 0: x[k] = 0; break;
        case 1: x[k] = draw() % 5 ? 0 : uniform(1); break;
        case 2: x[k] = draw() % 2 ? (bp_real)-0.0 : uniform(1); break;
        case 3: x[k] = uniform(1e30); break;
        case 4: x[k] = uniform(1e3) * TINIEST; break;
        case 5: x[k] = uniform(30); break;
        default: x[k] = uniform(2); break;
        }
}

#ifdef COMPARE
static void compare(const char *name, const bp_net *net, int n_in, int n_out, predict *exported)
{
    bp_real *x = (bp_real *)malloc(INPUT_SETS * (size_t)n_in * sizeof(bp_real));
    bp_real *a = (bp_real *)malloc(INPUT_SETS * (size_t)n_out * sizeof(bp_real));
    bp_real got[16];
    int i;
    if (x == NULL || a == NULL) exit(1);
    for (i = 0; i < INPUT_SETS; i++) set_inputs(x + i * n_in, n_in, i);
    CHECK(bp_predict(net, x, INPUT_SETS, a) == BP_OK, "%s", name);
    for (i = 0; i < INPUT_SETS; i++) {
        const bp_real *want = a + i * n_out;
        int j, same = 1;
        exported(x + i * n_in, got);
        for (j = 0; j < n_out; j++)
            same = same && (want[j] != want[j] ? got[j] != got[j]
                                               : memcmp(&got[j], &want[j], sizeof *got) == 0);
        CHECK(same, "%s, inputs %d: %a, not %a", name, i, (double)got[0], (double)want[0]);
    }
    free(x);
    free(a);
}
#endif

static void handle(const char *name, const int *sizes, int count, int n_in, int n_out,
                   predict *exported, const char *directory)
{
    char path[256];
    bp_net *net = bp_create(sizes, count, 11);
    if (net == NULL) exit(1);
    /* The same parameters in both programs. */
    state = 1;
    set_parameters(net, strcmp(name, "hard") == 0);
    sprintf(path, "%.200s/%s.c", directory, name);
#ifdef COMPARE
    compare(name, net, n_in, n_out, exported);
#else
    (void)exported, (void)n_in, (void)n_out, (void)set_inputs;
    CHECK(bp_export_c(net, path, name) == BP_OK, "%s", path);
#endif
    bp_free(net);
}

int main(int argc, char **argv)
{
    const char *directory = argc > 1 ? argv[1] : ".";
#ifdef COMPARE
#define HANDLE(name, n_in, n_out, ...) HANDLE_AS(name, name, n_in, n_out, __VA_ARGS__)
#else
#define HANDLE(name, n_in, n_out, ...) HANDLE_AS(name, NULL, n_in, n_out, __VA_ARGS__)
#endif
#define HANDLE_AS(name, function, n_in, n_out, ...) \
    { \
        static const int sizes[] = { __VA_ARGS__ }; \
        handle(#name, sizes, (int)(sizeof sizes / sizeof *sizes), n_in, n_out, function, \
               directory); \
    }
    NETWORKS(HANDLE)
    return check_report("export");
}
