/* check.h - counts checks and says what went wrong
 *
 *     CHECK(a == b, "a is %d, b is %d", a, b);     a condition, and the values that made it
 *     CHECK_BYTES(got, want, size, "seed %d", s);  equal bytes, or where they part
 *     SKIP("no long double of 64 bits");           a check that cannot be made here
 *     return check_report("math");                 at the end of main
 *
 * A failed check prints its file, line, condition and values and goes on. The report is the
 * last line a program prints, "NAME: N passed, N failed", and the value it returns is the
 * program's exit status. */
#ifndef CHECK_H
#define CHECK_H

#include <stddef.h>
#include <stdio.h>

/* One broken loop must not bury the first failure under a million others. */
enum { CHECK_SHOWN = 20 };

static size_t check_passed, check_failed, check_skipped;

#define CHECK(condition, ...)                                  \
    do {                                                       \
        if (condition)                                         \
            check_passed++;                                    \
        else if (check_show(__FILE__, __LINE__, #condition)) { \
            printf(__VA_ARGS__);                               \
            putchar('\n');                                     \
            fflush(stdout);                                    \
        }                                                      \
    } while (0)

#define CHECK_BYTES(got, want, size, ...)                                                 \
    do {                                                                                  \
        const size_t check_at = check_difference(got, want, size);                        \
        if (check_at == (size_t)(size))                                                   \
            check_passed++;                                                               \
        else if (check_show(__FILE__, __LINE__, #got " equals " #want)) {                 \
            printf(__VA_ARGS__);                                                          \
            printf(" (first difference at byte %zu of %zu)\n", check_at, (size_t)(size)); \
        }                                                                                 \
    } while (0)

#define SKIP(why) (check_skipped++, (void)printf("%s:%d: skipped: %s\n", __FILE__, __LINE__, why))

/* Counts a failure; non-zero while failures are still to be shown. */
static inline int check_show(const char *file, int line, const char *condition)
{
    check_failed++;
    if (check_failed > CHECK_SHOWN)
        return 0;
    printf("%s:%d: failed: %s\n    ", file, line, condition);
    return 1;
}

/* The offset of the first byte that differs, or size. */
static inline size_t check_difference(const void *got, const void *want, size_t size)
{
    const unsigned char *a = (const unsigned char *)got, *b = (const unsigned char *)want;
    size_t i = 0;
    while (i < size && a[i] == b[i])
        i++;
    return i;
}

static inline int check_report(const char *name)
{
    printf("%s: %zu passed, %zu failed", name, check_passed, check_failed);
    if (check_skipped > 0)
        printf(", %zu skipped", check_skipped);
    putchar('\n');
    return check_failed > 0;
}

#endif
