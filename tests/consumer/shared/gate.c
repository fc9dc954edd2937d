/* With BACKPROP_STATIC the copy inside is private: it cannot meet another one, of another version
 * or precision, in the program that loads this library. */
#define BACKPROP_STATIC
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
#include "gate.h"

const char *gate_learn(const float truth[4], float answers[4])
{
    static const int sizes[] = { 2, 8, 1 };
    static const float x[] = { 0, 0, 0, 1, 1, 0, 1, 1 };
    const bp_data data = { 4, x, truth, NULL, NULL };
    bp_training training = { 0 };
    bp_net *net = bp_create(sizes, 3, 1);
    bp_status status;

    training.epochs = 2000;
    training.batch_size = 1;
    training.learning_rate = 2;
    status = bp_train(net, &data, &training);
    if (status == BP_OK)
        status = bp_predict(net, x, 4, answers);
    bp_free(net);
    return status == BP_OK ? NULL : bp_status_string(status);
}
