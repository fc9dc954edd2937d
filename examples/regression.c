/* regression.c - fits a curve through noisy measurements
 *
 *     cc -O2 -std=c99 -I. examples/regression.c -o build/regression && ./build/regression
 *
 * Two hundred temperatures along a line, each measured with an error of about one degree. The
 * output of a sigmoid lies between 0 and 1, so the degrees are scaled into 0.1 ... 0.9 to make
 * targets, and the outputs are scaled back to be read.
 */
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
#include <stdio.h>

enum { SAMPLES = 200, WIDTH = 72, HEIGHT = 20 };

/* The curve to be found again, for x from -1 to 1: a polynomial and a bump. */
static double curve(double x)
{
    const double wave = ((16 * x * x - 20) * x * x + 5) * x;

    return 12 + 6 * wave + 14 / (1 + 25 * x * x);
}

/* Roughly normal noise of standard deviation 1: the sum of twelve uniform numbers. */
static double noise(uint64_t *state)
{
    double sum = -6;
    int i;

    for (i = 0; i < 12; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        sum += (double)(*state >> 11) / 9007199254740992.0;
    }
    return sum;
}

/* Newton's method, so that no mathematics library is needed. */
static double square_root(double square)
{
    double root = square > 1 ? square : 1;
    int i;

    for (i = 0; i < 60; i++)
        root = 0.5 * (root + square / root);
    return root;
}

/* Degrees to targets and back: least ... greatest is 0.1 ... 0.9. */
typedef struct scale {
    double least, greatest;
} scale;

static double to_target(const scale *s, double degrees)
{
    return 0.1 + 0.8 * (degrees - s->least) / (s->greatest - s->least);
}

static double to_degrees(const scale *s, double a)
{
    return s->least + (s->greatest - s->least) * (a - 0.1) / 0.8;
}

static void measure(double *degrees, bp_real *x, bp_real *y, scale *s)
{
    uint64_t state = 1;
    int i;

    for (i = 0; i < SAMPLES; i++) {
        const double position = 2.0 * i / (SAMPLES - 1) - 1;
        degrees[i] = curve(position) + noise(&state);
        x[i] = (bp_real)position;
        if (i == 0 || degrees[i] < s->least)
            s->least = degrees[i];
        if (i == 0 || degrees[i] > s->greatest)
            s->greatest = degrees[i];
    }
    for (i = 0; i < SAMPLES; i++)
        y[i] = (bp_real)to_target(s, degrees[i]);
}

static int on_progress(void *user, const bp_progress *p)
{
    (void)user;
    if (p->epoch % 500 == 0)
        printf("epoch %4d  cost %.6f\n", (int)p->epoch, p->cost);
    return 0;
}

static void plot(const double *degrees, const bp_real *a, const scale *s)
{
    char picture[HEIGHT][WIDTH + 1] = { { 0 } };
    int i, column, row;

    for (row = 0; row < HEIGHT; row++)
        for (column = 0; column < WIDTH; column++)
            picture[row][column] = ' ';
    for (i = 0; i < SAMPLES; i++) {
        column = i * WIDTH / SAMPLES;
        row = (int)((to_target(s, degrees[i]) - 0.1) / 0.8 * (HEIGHT - 1) + 0.5);
        picture[row][column] = '.';
    }
    for (i = 0; i < SAMPLES; i++) {
        column = i * WIDTH / SAMPLES;
        row = (int)(((double)a[i] - 0.1) / 0.8 * (HEIGHT - 1) + 0.5);
        if (row >= 0 && row < HEIGHT)
            picture[row][column] = '#';
    }
    puts("\nmeasurements (.) and fit (#)\n");
    for (row = HEIGHT - 1; row >= 0; row--)
        printf("%5.1f |%s\n", s->least + (s->greatest - s->least) * row / (HEIGHT - 1),
               picture[row]);
}

int main(void)
{
    static const int sizes[] = { 1, 24, 12, 1 };
    bp_real x[SAMPLES], y[SAMPLES], a[SAMPLES];
    double degrees[SAMPLES], squares = 0;
    const bp_data data = { SAMPLES, x, y, NULL, NULL };
    bp_training training = { 0 };
    bp_evaluation found;
    scale s = { 0, 0 };
    bp_status status;
    bp_net *net;
    int i;

    measure(degrees, x, y, &s);
    training.epochs = 4000;
    training.batch_size = 10;
    training.learning_rate = 3;
    training.on_progress = on_progress;

    net = bp_create(sizes, 4, 1);
    status = bp_train(net, &data, &training);
    if (status == BP_OK)
        status = bp_evaluate(net, &data, &found);
    if (status == BP_OK)
        status = bp_predict(net, x, SAMPLES, a);
    bp_free(net);
    if (status != BP_OK) {
        fprintf(stderr, "regression: %s\n", bp_status_string(status));
        return 1;
    }

    plot(degrees, a, &s);
    for (i = 0; i < SAMPLES; i++) {
        const double off = to_degrees(&s, (double)a[i]) - curve((double)x[i]);
        squares += off * off;
    }

    /* C is the mean of half the squares, in units of 0.8 / (greatest - least). */
    printf("\nroot mean square error: %.2f degrees from the measurements,\n",
           square_root(2 * found.cost) * (s.greatest - s.least) / 0.8);
    printf("%.2f degrees from the curve under their noise\n", square_root(squares / SAMPLES));
    return 0;
}
