/* A desktop in place of the board, for the programs in examples/firmware. */
#include "examples/firmware/board.h"

#include <stdio.h>

void print(const char *text)
{
    fputs(text, stdout);
}

void print_number(unsigned long number)
{
    printf("%lu", number);
}

unsigned long stack_used(void)
{
    return 0;
}
