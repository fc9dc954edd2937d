/* board.c - a Cortex-M from reset to main, without an operating system
 *
 * The processor reads two words at address 0: where the stack begins and where to start. Output
 * and exit go by semihosting: a breakpoint that the debugger, or here the emulator, answers. */
#include "board.h"

#include <stdint.h>

int main(void);
void reset(void);

/* Places that board.ld names; only their addresses mean anything. */
extern uint32_t data_start[], data_end[], data_in_flash[], bss_end[], stack_top[];

/* What the stack is filled with, so that it shows how far down it has been written. */
static const uint32_t paint = 0x5afe5afe;

/* ---- output ---- */

enum { WRITE_TEXT = 0x04, EXIT = 0x18 }; /* semihosting's numbers for them */

static void semihost(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void leave(int good)
{
    /* "the application is done" or "it failed": not pointers, but they go where one would */
    semihost(EXIT, (const void *)(good ? 0x20026 : 0x20023));
    for (;;) {
    }
}

void print(const char *text)
{
    semihost(WRITE_TEXT, text);
}

void print_number(unsigned long number)
{
    char text[11], *p = text + sizeof text - 1;

    *p = '\0';
    do
        *--p = (char)('0' + number % 10);
    while (number /= 10);
    print(p);
}

unsigned long stack_used(void)
{
    const uint32_t *lowest = bss_end;

    while (*lowest == paint)
        lowest++;
    return (unsigned long)((const char *)stack_top - (const char *)lowest);
}

/* ---- start ---- */

static void fault(void)
{
    print("The processor has stopped at a fault.\n");
    leave(0);
}

/* Variables get their values, the rest of the memory zero and paint; then main. */
void reset(void)
{
    const uint32_t *from = data_in_flash;
    uint32_t *here;
    uint32_t *stack; /* where it has grown to */

    __asm__ volatile("mov %0, sp" : "=r"(stack));
#ifdef __ARM_FP
    /* The floating-point unit is off after a reset. */
    *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20;
    __asm__ volatile("dsb\n isb");
#endif
    for (here = data_start; here < data_end; here++)
        *here = *from++;
    for (; here < bss_end; here++)
        *here = 0;
    for (; here < stack; here++)
        *here = paint;
    leave(main() == 0);
}

/* The vector table: the first stack pointer, the start, and what happens at the first two
 * exceptions. The others stay off. */
__attribute__((section(".vectors"), used)) static const struct {
    const void *stack;
    void (*handlers[3])(void);
} vectors = { stack_top, { reset, fault, fault } };
