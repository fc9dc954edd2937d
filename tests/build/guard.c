/* guard.c - a file's header right in front of memory that may not be read: whatever number of
 * layers it claims, it is refused without a look behind it. On 32 bits their size overflows. */
#define _GNU_SOURCE
#include <sys/mman.h>
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"

int main(void)
{
    enum { PAGE = 65536, SIZE = 36 };
    static const unsigned char head[SIZE] = { 'b', 'a', 'c', 'k', 'p', 'r', 'o', 'p', 1, 0, 0, 0,
                                              sizeof(bp_real) };
    unsigned char *memory = (unsigned char *)mmap(NULL, (size_t)2 * PAGE, PROT_READ | PROT_WRITE,
                                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char *file = memory + PAGE - SIZE;
    unsigned layers;
    if ((void *)memory == MAP_FAILED || mprotect(memory + PAGE, PAGE, PROT_NONE) != 0)
        return 1;
    memcpy(file, head, SIZE);
    file[32] = 1;
    for (layers = 1; layers <= 0x7fffffffu; layers = layers * 2 + 1) {
        bp_net *net = NULL;
        int i;
        for (i = 0; i < 4; i++)
            file[28 + i] = (unsigned char)(layers >> 8 * i);
        if (bp_decode(&net, file, SIZE) != BP_BAD_FILE || net)
            return 2;
    }
    return 0;
}
