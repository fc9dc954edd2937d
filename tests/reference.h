/* reference.h - backpropagation as on paper, to test the library against
 *
 * In double precision, neuron by neuron and example by example, from the scalar formulas:
 *
 *     C = 1/n_L sum_j 1/2 (a_j - y_j)^2        a_j = s(z_j)        z_j = sum_k w_jk a_k + b_j
 *     dC/dw_jk = delta_j a_k                   dC/db_j = delta_j
 *     delta_j = 1/n_L (a_j - y_j) s'(z_j)              for an output
 *     delta_k = (sum_j w_jk delta_j) s'(z_k)           for a hidden neuron
 *
 * It shares nothing with backprop.h but the order of the parameters, W^1 b^1 W^2 b^2 ...,
 * and is as slow as it looks. */
#ifndef REFERENCE_H
#define REFERENCE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { REF_LAYERS = 8, REF_WIDTH = 1024 };

typedef struct ref_net {
    int layers;                              /* L */
    int n[REF_LAYERS + 1];                   /* n_0 ... n_L */
    double *parameters;                      /* W^1 b^1 W^2 b^2 ... */
    double a[REF_LAYERS + 1][REF_WIDTH];     /* of the last example */
    double delta[REF_LAYERS + 1][REF_WIDTH]; /* of the last example */
} ref_net;

/* 2^k for -1074 <= k <= 1023 by squaring; every step that counts is exact. */
static inline double ref_power_of_two(int k)
{
    double power = 1, factor = k < 0 ? 0.5 : 2;
    for (k = k < 0 ? -k : k; k > 0; k /= 2) {
        if (k % 2 == 1)
            power *= factor;
        factor *= factor;
    }
    return power;
}

/* e^x = 2^k e^r with k the integer nearest x / ln 2; e^r by its series, whose 22nd term is
 * below 1e-29. ln 2 stands in two parts, the first so short that k times it is exact. */
static inline double ref_exp(double x)
{
    const double ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;
    double sum = 1, r;
    int k, i;
    if (x != x)
        return x;
    if (x > 709.7)
        return 1e308 * 1e308;
    if (x < -745.2)
        return 0;
    k = (int)(x / (ln2_high + ln2_low) + (x < 0 ? -0.5 : 0.5));
    r = (x - k * ln2_high) - k * ln2_low;
    for (i = 22; i > 0; i--)
        sum = 1 + sum * r / i;
    /* Two factors, because 2^k alone may be below the normal numbers. */
    return sum * ref_power_of_two(k / 2) * ref_power_of_two(k - k / 2);
}

/* s(x), by the form whose exponential cannot overflow. */
static inline double ref_sigmoid(double x)
{
    if (x >= 0)
        return 1 / (1 + ref_exp(-x));
    return ref_exp(x) / (1 + ref_exp(x));
}

static inline size_t ref_parameter_count(const ref_net *net)
{
    size_t count = 0;
    int l;
    for (l = 1; l <= net->layers; l++)
        count += (size_t)net->n[l] * (size_t)(net->n[l - 1] + 1);
    return count;
}

/* Where w_jk of layer l is among the parameters; k = n_{l-1} and j = 0 is b_0. */
static inline size_t ref_at(const ref_net *net, int l, int j, int k)
{
    size_t at = 0;
    int i;
    for (i = 1; i < l; i++)
        at += (size_t)net->n[i] * (size_t)(net->n[i - 1] + 1);
    if (k < net->n[l - 1])
        return at + (size_t)j * (size_t)net->n[l - 1] + (size_t)k;
    return at + (size_t)net->n[l] * (size_t)net->n[l - 1] + (size_t)j;
}

static inline ref_net *ref_create(const int *sizes, int size_count)
{
    ref_net *net = (ref_net *)calloc(1, sizeof *net);
    int l;
    if (net == NULL || size_count > REF_LAYERS + 1)
        abort();
    net->layers = size_count - 1;
    for (l = 0; l < size_count; l++) {
        if (sizes[l] > REF_WIDTH)
            abort();
        net->n[l] = sizes[l];
    }
    net->parameters = (double *)calloc(ref_parameter_count(net), sizeof(double));
    if (net->parameters == NULL)
        abort();
    return net;
}

static inline void ref_free(ref_net *net)
{
    free(net->parameters);
    free(net);
}

/* The outputs for one example; they are in net->a[net->layers]. */
static inline const double *ref_predict(ref_net *net, const double *x)
{
    int l, j, k;
    for (k = 0; k < net->n[0]; k++)
        net->a[0][k] = x[k];
    for (l = 1; l <= net->layers; l++) {
        const double *w = net->parameters + ref_at(net, l, 0, 0);
        const double *b = net->parameters + ref_at(net, l, 0, net->n[l - 1]);
        for (j = 0; j < net->n[l]; j++) {
            double z = b[j];
            for (k = 0; k < net->n[l - 1]; k++)
                z += w[j * net->n[l - 1] + k] * net->a[l - 1][k];
            net->a[l][j] = ref_sigmoid(z);
        }
    }
    return net->a[net->layers];
}

/* C of one example. */
static inline double ref_cost(ref_net *net, const double *x, const double *y)
{
    const double *a = ref_predict(net, x);
    double cost = 0;
    int j, outputs = net->n[net->layers];
    for (j = 0; j < outputs; j++)
        cost += 0.5 * (a[j] - y[j]) * (a[j] - y[j]);
    return cost / outputs;
}

/* delta of every neuron for one example, from the last layer to the first. */
static inline void ref_errors(ref_net *net, const double *y)
{
    int l = net->layers, j, k;
    for (j = 0; j < net->n[l]; j++) {
        const double a = net->a[l][j];
        net->delta[l][j] = (a - y[j]) / net->n[l] * a * (1 - a);
    }
    for (l = net->layers - 1; l >= 1; l--) {
        const double *w = net->parameters + ref_at(net, l + 1, 0, 0);
        for (k = 0; k < net->n[l]; k++) {
            const double a = net->a[l][k];
            double sum = 0;
            for (j = 0; j < net->n[l + 1]; j++)
                sum += w[j * net->n[l] + k] * net->delta[l + 1][j];
            net->delta[l][k] = sum * a * (1 - a);
        }
    }
}

/* Adds the gradient of one example, divided by count, to gradient. Returns its cost. */
static inline double ref_add_gradient(ref_net *net, const double *x, const double *y, size_t count,
                                      double *gradient)
{
    const double cost = ref_cost(net, x, y), examples = (double)count;
    int l, j, k;
    ref_errors(net, y);
    for (l = 1; l <= net->layers; l++)
        for (j = 0; j < net->n[l]; j++) {
            const double delta = net->delta[l][j] / examples;
            double *row = gradient + ref_at(net, l, j, 0);
            for (k = 0; k < net->n[l - 1]; k++)
                row[k] += delta * net->a[l - 1][k];
            gradient[ref_at(net, l, j, net->n[l - 1])] += delta;
        }
    return cost;
}

/* The mean gradient over count examples into gradient; returns the mean cost. */
static inline double ref_gradient(ref_net *net, const double *x, const double *y, size_t count,
                                  double *gradient)
{
    const size_t parameters = ref_parameter_count(net);
    const size_t inputs = (size_t)net->n[0], outputs = (size_t)net->n[net->layers];
    double cost = 0;
    size_t e, p;
    for (p = 0; p < parameters; p++)
        gradient[p] = 0;
    for (e = 0; e < count; e++)
        cost += ref_add_gradient(net, x + e * inputs, y + e * outputs, count, gradient);
    return cost / (double)count;
}

/* parameters <- parameters - eta gradient. */
static inline void ref_update(ref_net *net, const double *gradient, double eta)
{
    const size_t parameters = ref_parameter_count(net);
    size_t p;
    for (p = 0; p < parameters; p++)
        net->parameters[p] -= eta * gradient[p];
}

/* A number in [-1, 1), for tests to fill their arrays with: the state is multiplied by a
 * full-period constant, and its upper bits are used. */
static inline double ref_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*state >> 11) / 4503599627370496.0 - 1;
}

#endif
