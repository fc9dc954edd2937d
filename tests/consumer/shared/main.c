#include "gate.h"

#include <stdio.h>

int main(void)
{
    static const float nand[] = { 1, 1, 1, 0 };
    float a[4];
    const char *error = gate_learn(nand, a);
    int i;

    if (error) {
        fprintf(stderr, "nand: %s\n", error);
        return 1;
    }
    fputs("nand: ", stdout);
    for (i = 0; i < 4; i++)
        putchar(a[i] > 0.5f ? '1' : '0');
    putchar('\n');
    return 0;
}
