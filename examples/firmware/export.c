/* export.c - makes of a trained network what digits.c needs; runs on the desktop
 *
 *     export NETWORK DIRECTORY
 *
 * From a network that examples/mnist.c has saved: DIRECTORY/digit_net.c, the network as C; and
 * DIRECTORY/digit_images.h, the first test image of each digit in the bundled set with the bits
 * of the outputs that bp_predict gives for it. */
#define BACKPROP_IMPLEMENTATION
#include "backprop.h"
#include "examples/idx.h"

enum { PIXELS = 784, DIGITS = 10 };

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "export: %s: %s\n", what, why);
    return 1;
}

static void write_image(FILE *file, const unsigned char *image)
{
    int k;

    fputs("    {", file);
    for (k = 0; k < PIXELS; k++)
        fprintf(file, "%s%d,", k % 28 ? " " : "\n        ", image[k]);
    fputs("\n    },\n", file);
}

static void write_outputs(FILE *file, const bp_net *net, const unsigned char *image)
{
    bp_real x[PIXELS], a[DIGITS];
    int k;

    for (k = 0; k < PIXELS; k++)
        x[k] = (bp_real)image[k] / 255;
    bp_predict(net, x, 1, a);
    fputs("    {", file);
    for (k = 0; k < DIGITS; k++) {
        uint32_t bits;
        memcpy(&bits, &a[k], sizeof bits);
        fprintf(file, " 0x%08lx%s", (unsigned long)bits, k < DIGITS - 1 ? "," : " },\n");
    }
}

static void write_header(FILE *file, const bp_net *net, const unsigned char *const *images)
{
    int digit;

    fprintf(file, "#include <stdint.h>\n\nenum { PIXELS = %d, DIGITS = %d, IMAGES = %d };\n",
            PIXELS, DIGITS, DIGITS);
    fputs("\nstatic const unsigned char labels[IMAGES] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };\n",
          file);
    fputs("\nstatic const unsigned char images[IMAGES][PIXELS] = {\n", file);
    for (digit = 0; digit < DIGITS; digit++)
        write_image(file, images[digit]);
    fputs("};\n\n/* What bp_predict gave, as bits. */\n"
          "static const uint32_t output_bits[IMAGES][DIGITS] = {\n",
          file);
    for (digit = 0; digit < DIGITS; digit++)
        write_outputs(file, net, images[digit]);
    fputs("};\n", file);
}

/* The first image of each digit; 0 if one is missing. */
static int choose(const idx_set *images, const idx_set *labels,
                  const unsigned char *chosen[DIGITS])
{
    int digit;

    for (digit = 0; digit < DIGITS; digit++) {
        const unsigned char *found =
            (const unsigned char *)memchr(labels->bytes, digit, labels->count);
        if (!found)
            return 0;
        chosen[digit] = images->bytes + (size_t)(found - labels->bytes) * PIXELS;
    }
    return 1;
}

static int export_to(const bp_net *net, const char *directory)
{
    const char *const from = "examples/data";
    const unsigned char *chosen[DIGITS];
    idx_set images, labels;
    idx_error error;
    char path[1024];
    bp_status status;
    FILE *file;

    if (!idx_read(&images, "examples/data/t10k-images-idx3-ubyte", IDX_IMAGES, &error) ||
        !idx_read(&labels, "examples/data/t10k-labels-idx1-ubyte", IDX_LABELS, &error))
        return fail(from, error.text);
    if (images.rows * images.columns != PIXELS || images.count != labels.count ||
        !choose(&images, &labels, chosen))
        return fail(from, "not an image of each digit");

    snprintf(path, sizeof path, "%.1000s/digit_net.c", directory);
    status = bp_export_c(net, path, "digit_net");
    if (status != BP_OK)
        return fail(path, bp_status_string(status));

    snprintf(path, sizeof path, "%.1000s/digit_images.h", directory);
    file = fopen(path, "w");
    if (!file)
        return fail(path, "the file cannot be written");
    write_header(file, net, chosen);
    if (fclose(file) != 0)
        return fail(path, "the file cannot be written");
    idx_free(&images);
    idx_free(&labels);
    return 0;
}

int main(int argc, char **argv)
{
    bp_net *net = NULL;
    bp_status status;
    int result;

    if (argc != 3)
        return fail("usage", "export NETWORK DIRECTORY");
    status = bp_load(&net, argv[1]);
    if (status != BP_OK)
        return fail(argv[1], bp_status_string(status));
    if (net->layers[0].inputs == PIXELS && net->layers[net->layer_count - 1].outputs == DIGITS)
        result = export_to(net, argv[2]);
    else
        result = fail(argv[1], "the network does not lead from 784 pixels to 10 digits");
    bp_free(net);
    return result;
}
