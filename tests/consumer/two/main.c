#include "two.h"

#include <stdio.h>

int main(void)
{
    static unsigned char bytes[1000];
    const size_t size = learn(bytes, sizeof bytes);

    if (size == 0 || !answer(bytes, size)) {
        fputs("two: the network was not learnt, or not understood\n", stderr);
        return 1;
    }
    return 0;
}
