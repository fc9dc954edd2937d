/* Learns XOR, saves the network, loads it and asks it. */
#include "backprop.h"

#include <stdio.h>

static bp_status learn(const bp_real *x, const bp_real *y, const char *path)
{
    static const int sizes[] = { 2, 8, 1 };
    const bp_data data = { 4, x, y, NULL, NULL };
    bp_training training = { 0 };
    bp_net *net = bp_create(sizes, 3, 1);
    bp_status status;

    training.epochs = 2000;
    training.batch_size = 1;
    training.learning_rate = 2;
    status = bp_train(net, &data, &training);
    if (status == BP_OK)
        status = bp_save(net, path);
    bp_free(net);
    return status;
}

static bp_status ask(const bp_real *x, bp_real *a, const char *path)
{
    bp_net *net = NULL;
    bp_status status = bp_load(&net, path);

    if (status == BP_OK)
        status = bp_predict(net, x, 4, a);
    bp_free(net);
    return status;
}

int main(void)
{
    static const bp_real x[] = { 0, 0, 0, 1, 1, 0, 1, 1 }, y[] = { 0, 1, 1, 0 };
    bp_real a[4];
    bp_status status = learn(x, y, "xor.net");
    int i;

    if (status == BP_OK)
        status = ask(x, a, "xor.net");
    if (status != BP_OK) {
        fprintf(stderr, "xor.net: %s\n", bp_status_string(status));
        return 1;
    }
    fputs("xor: ", stdout);
    for (i = 0; i < 4; i++)
        putchar(a[i] > (bp_real)0.5 ? '1' : '0');
    putchar('\n');
    return 0;
}
