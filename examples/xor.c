#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
#include <stdio.h>

int main(void)
{
    const int sizes[] = { 2, 8, 1 };
    const bp_real x[] = { 0,0,  0,1,  1,0,  1,1 };
    const bp_real y[] = { 0,    1,    1,    0   };
    const bp_data data = { 4, x, y, NULL, NULL };
    bp_training training = { 0 };
    bp_real a[4] = { 0 };
    int i;

    training.epochs = 2000;
    training.batch_size = 1;
    training.learning_rate = 2;

    bp_net *net = bp_create(sizes, 3, 1);
    bp_status status = bp_train(net, &data, &training);
    bp_predict(net, x, 4, a);
    bp_free(net);

    for (i = 0; i < 4; i++)
        printf("%g xor %g = %.3f\n", (double)x[2*i], (double)x[2*i + 1], (double)a[i]);
    puts(bp_status_string(status));
    return status != BP_OK;
}
