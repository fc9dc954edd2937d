// A C++ program with the library inside: a network that frees itself, data in vectors, and a
// lambda to follow the training.
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"

#include <iostream>
#include <memory>
#include <vector>

struct free_net {
    void operator()(bp_net *net) const { bp_free(net); }
};
using net_ptr = std::unique_ptr<bp_net, free_net>;

int main()
{
    const std::vector<int> sizes{ 2, 8, 1 };
    const std::vector<bp_real> x{ 0, 0, 0, 1, 1, 0, 1, 1 }, y{ 0, 1, 1, 0 };
    std::vector<bp_real> a(y.size());
    double cost = 1;

    const net_ptr net(bp_create(sizes.data(), static_cast<int>(sizes.size()), 1));
    const bp_data data{ y.size(), x.data(), y.data(), nullptr, nullptr };
    bp_training training{};
    training.epochs = 100000;
    training.batch_size = 1;
    training.learning_rate = 2;
    training.user = &cost;
    training.on_progress = [](void *user, const bp_progress *progress) {
        double &seen = *static_cast<double *>(user);
        seen = progress->cost;
        return seen < 0.001 ? 1 : 0; // good enough: stop
    };

    const bp_status status = bp_train(net.get(), &data, &training);
    if (status != BP_STOPPED || bp_predict(net.get(), x.data(), y.size(), a.data()) != BP_OK) {
        std::cerr << bp_status_string(status) << ", cost " << cost << '\n';
        return 1;
    }
    std::cout << "xor: ";
    for (const bp_real output : a)
        std::cout << (output > bp_real(0.5));
    std::cout << '\n';
}
