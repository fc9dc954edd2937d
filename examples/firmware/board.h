/* board.h - all that the two programs ask of the board */
#ifndef BOARD_H
#define BOARD_H

void print(const char *text);
void print_number(unsigned long number);

/* The most bytes of stack that were in use at once since the start. */
unsigned long stack_used(void);

#endif
