#define BACKPROP_STATIC
#define BACKPROP_DOUBLE
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
#include "two.h"

size_t learn(unsigned char *bytes, size_t capacity)
{
    static const int sizes[] = { 2, 8, 1 };
    static const double x[] = { 0, 0, 0, 1, 1, 0, 1, 1 }, y[] = { 0, 1, 1, 0 };
    const bp_data data = { 4, x, y, NULL, NULL };
    bp_training training = { 0 };
    bp_net *net = bp_create(sizes, 3, 1);
    size_t size = 0;

    training.epochs = 2000;
    training.batch_size = 1;
    training.learning_rate = 2;
    if (bp_train(net, &data, &training) == BP_OK)
        size = bp_encode(net, bytes, capacity);
    bp_free(net);
    return size <= capacity ? size : 0;
}
