/* predict.c - reads digits with a network that mnist.c has saved
 *
 *     cc -O2 -std=c99 -I. examples/predict.c -o build/predict
 *     ./build/predict digits.net three.pgm examples/data/t10k-images-idx3-ubyte
 *
 * What a program needs that only uses a network: bp_load, bp_predict, bp_free. The rest of
 * this file turns pictures into inputs: the images of an IDX file as they are, and PGM pictures
 * of any size in the way MNIST was made from NIST's.
 */
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
#include "idx.h"

#include <ctype.h>

enum { FIELD = 28, BOX = 20, PIXELS = FIELD * FIELD, DIGITS = 10, MOST = 8192 };

/* ---- one digit ---- */

/* Prints what the network reads in one picture of its size: the digit of the largest output, and
 * the runner-up. Returns 0 when there is no memory for it. */
static int read_digit(const bp_net *net, const unsigned char *picture, const char *name)
{
    bp_real x[PIXELS], a[DIGITS];
    int k, best = 0, next = 1;

    for (k = 0; k < PIXELS; k++)
        x[k] = (bp_real)picture[k] / 255;
    if (bp_predict(net, x, 1, a) != BP_OK)
        return 0;

    for (k = 1; k < DIGITS; k++) {
        if (a[k] > a[best]) {
            next = best;
            best = k;
        } else if (next == best || a[k] > a[next]) {
            next = k;
        }
    }
    printf("%s: %d (%.3f; then %d, %.3f)\n", name, best, (double)a[best], next, (double)a[next]);
    return 1;
}

/* ---- IDX: pictures as the network knows them ---- */

static int read_idx(const bp_net *net, const char *path, idx_error *error)
{
    char name[400];
    idx_set set;
    size_t i;
    int ok = 1;

    if (!idx_read(&set, path, IDX_IMAGES, error))
        return 0;
    if (set.rows != FIELD || set.columns != FIELD)
        ok = idx_fail(error, path, "the images are not 28 x 28");
    for (i = 0; ok && i < set.count; i++) {
        snprintf(name, sizeof name, "%.370s[%lu]", path, (unsigned long)i);
        if (!read_digit(net, set.bytes + i * PIXELS, name))
            ok = idx_fail(error, path, "there is not enough memory to read a digit");
    }
    idx_free(&set);
    return ok;
}

/* ---- PGM: any picture of one digit ---- */

typedef struct picture {
    long width, height;
    unsigned char *ink; /* width * height, 0: paper, 255: ink */
} picture;

/* The next number of a PGM header or of a P2 body, behind white space and comments; -1: none. */
static long pgm_number(FILE *f)
{
    long number = 0;
    int c = getc(f);

    while (isspace(c) || c == '#') {
        if (c == '#')
            while (c != '\n' && c != EOF)
                c = getc(f);
        else
            c = getc(f);
    }
    if (!isdigit(c))
        return -1;
    for (; isdigit(c); c = getc(f))
        if (number <= 65535)
            number = number * 10 + (c - '0');
    return c == EOF || isspace(c) ? number : -1;
}

static long pgm_pixel(FILE *f, int plain, long white)
{
    int high, low;

    if (plain)
        return pgm_number(f);
    high = white > 255 ? getc(f) : 0;
    low = getc(f);
    return high == EOF || low == EOF ? -1 : high * 256L + low;
}

static int read_pgm_body(FILE *f, picture *p, int plain, long white, const char *path,
                         idx_error *error)
{
    const long count = p->width * p->height;
    long i, value;

    p->ink = (unsigned char *)calloc((size_t)count, 1);
    if (!p->ink)
        return idx_fail(error, path, "there is not enough memory for the picture");
    for (i = 0; i < count; i++) {
        value = pgm_pixel(f, plain, white);
        if (value < 0)
            return idx_fail(error, path, "the picture is cut short or damaged");
        if (value > white)
            return idx_fail(error, path, "a pixel is brighter than white");
        p->ink[i] = (unsigned char)(value * 255 / white);
    }
    return 1;
}

/* Reads a PGM picture; the caller frees p->ink, in any case. */
static int read_pgm(FILE *f, picture *p, const char *path, idx_error *error)
{
    const int p_sign = getc(f), kind = getc(f);
    long white;

    if (p_sign != 'P' || (kind != '2' && kind != '5'))
        return idx_fail(error, path, "neither an IDX file of images nor a PGM picture (P2, P5)");
    p->width = pgm_number(f);
    p->height = pgm_number(f);
    white = pgm_number(f);
    if (p->width < 1 || p->height < 1 || p->width > MOST || p->height > MOST)
        return idx_fail(error, path, "the picture's width and height must be from 1 to 8192");
    if (white < 1 || white > 65535)
        return idx_fail(error, path, "the picture's white must be from 1 to 65535");
    return read_pgm_body(f, p, kind == '2', white, path, error);
}

/* Ink is to be bright, as it is in MNIST: where the four corners are bright, it is dark. */
static void invert_paper(picture *p)
{
    const long right = p->width - 1, bottom = (p->height - 1) * p->width;
    const int corners = p->ink[0] + p->ink[right] + p->ink[bottom] + p->ink[bottom + right];
    long i;

    if (corners <= 2 * 255)
        return;
    for (i = 0; i < p->width * p->height; i++)
        p->ink[i] = (unsigned char)(255 - p->ink[i]);
}

/* The part of the picture that has ink. */
typedef struct box {
    long left, top, width, height;
} box;

static box find_ink(const picture *p)
{
    enum { FAINT = 32 };
    long x, y, x0 = p->width, x1 = -1, y0 = p->height, y1 = -1;
    box b = { 0, 0, 0, 0 };

    for (y = 0; y < p->height; y++)
        for (x = 0; x < p->width; x++) {
            if (p->ink[y * p->width + x] < FAINT)
                continue;
            x0 = x < x0 ? x : x0;
            x1 = x > x1 ? x : x1;
            y0 = y < y0 ? y : y0;
            y1 = y > y1 ? y : y1;
        }
    if (x1 < 0)
        return b;
    b.left = x0;
    b.top = y0;
    b.width = x1 - x0 + 1;
    b.height = y1 - y0 + 1;
    return b;
}

/* How much of pixel i of `from` lies under pixel k of `to`, when both span the same length. */
static double overlap(long i, long from, long k, long to)
{
    const long begin = i * to > k * from ? i * to : k * from;
    const long end = (i + 1) * to < (k + 1) * from ? (i + 1) * to : (k + 1) * from;

    return end > begin ? (double)(end - begin) : 0;
}

/* Pixel (x, y) of the box scaled to width x height: the mean of what lies under it. */
static unsigned char scaled_pixel(const picture *p, const box *b, long x, long y, long width,
                                  long height)
{
    double sum = 0;
    long i, j;

    for (j = y * b->height / height; j < b->height && j * height < (y + 1) * b->height; j++)
        for (i = x * b->width / width; i < b->width && i * width < (x + 1) * b->width; i++)
            sum += overlap(i, b->width, x, width) * overlap(j, b->height, y, height) *
                   p->ink[(b->top + j) * p->width + b->left + i];
    return (unsigned char)(sum / ((double)b->width * (double)b->height) + 0.5);
}

/* Where a run of n pixels with their centre of mass at `centre` begins in a field of 28. */
static long place(double centre, long n)
{
    const long start = (long)(FIELD / 2.0 - centre + FIELD + 0.5) - FIELD;

    return start < 0 ? 0 : start > FIELD - n ? FIELD - n : start;
}

/* As MNIST was made: the ink scaled to fit 20 x 20, its centre of mass in the middle of 28 x 28. */
static void to_field(const picture *p, const box *b, unsigned char field[PIXELS])
{
    const long longer = b->width > b->height ? b->width : b->height;
    const long width = (b->width * BOX + longer - 1) / longer;
    const long height = (b->height * BOX + longer - 1) / longer;
    unsigned char scaled[BOX * BOX];
    double mass = 0, across = 0, down = 0;
    long x, y, left, top;

    for (y = 0; y < height; y++)
        for (x = 0; x < width; x++) {
            const unsigned char ink = scaled_pixel(p, b, x, y, width, height);
            scaled[y * width + x] = ink;
            mass += ink;
            across += ink * ((double)x + 0.5);
            down += ink * ((double)y + 0.5);
        }
    left = place(across / mass, width);
    top = place(down / mass, height);
    memset(field, 0, PIXELS);
    for (y = 0; y < height; y++)
        memcpy(field + (top + y) * FIELD + left, scaled + y * width, (size_t)width);
}

static int read_picture(const bp_net *net, FILE *f, const char *path, idx_error *error)
{
    unsigned char field[PIXELS];
    picture p = { 0, 0, NULL };
    box b;
    int ok = read_pgm(f, &p, path, error);

    if (ok) {
        invert_paper(&p);
        b = find_ink(&p);
        if (b.width == 0)
            ok = idx_fail(error, path, "the picture is blank");
    }
    if (ok) {
        if (p.width == FIELD && p.height == FIELD)
            memcpy(field, p.ink, PIXELS);
        else
            to_field(&p, &b, field);
        if (!read_digit(net, field, path))
            ok = idx_fail(error, path, "there is not enough memory to read a digit");
    }
    free(p.ink);
    return ok;
}

/* ---- all of it ---- */

/* An IDX file begins with a zero byte, a PGM picture with a P. */
static int read_file(const bp_net *net, const char *path, idx_error *error)
{
    FILE *f = fopen(path, "rb");
    int first, ok;

    if (!f)
        return idx_fail(error, path, strerror(errno));
    first = getc(f);
    if (first == 0) {
        ok = read_idx(net, path, error);
    } else {
        ungetc(first, f);
        ok = read_picture(net, f, path, error);
    }
    fclose(f);
    return ok;
}

static int fail(const char *file, const char *what)
{
    fprintf(stderr, "predict: %s%s%s\n", file, *file ? ": " : "", what);
    return 1;
}

int main(int argc, char **argv)
{
    bp_net *net = NULL;
    bp_status status;
    idx_error error;
    int i, ok = 1;

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        puts("Reads digits with a saved network. Usage: predict NETWORK PICTURE...\n\n"
             "NETWORK is a file that mnist --save wrote; a PICTURE is an IDX file of images or a\n"
             "PGM picture of one digit. Prints the digit read and the output of its neuron, from\n"
             "0 to 1, then the runner-up.");
        return 0;
    }
    if (argc < 3)
        return fail("", "needs a network and a picture; --help says more");

    status = bp_load(&net, argv[1]);
    if (status != BP_OK)
        return fail(argv[1], bp_status_string(status));
    if (net->layers[0].inputs != PIXELS || net->layers[net->layer_count - 1].outputs != DIGITS) {
        bp_free(net);
        return fail(argv[1], "the network does not lead from 784 pixels to 10 digits");
    }
    for (i = 2; ok && i < argc; i++)
        ok = read_file(net, argv[i], &error);
    bp_free(net);
    if (!ok)
        return fail("", error.text);
    return fflush(stdout) ? fail("standard output", strerror(errno)) : 0;
}
