/* pictures.h - three pictures of a training, as SVG files that any browser opens
 *
 * The learning curve, the confusion matrix, and the weights of the first layer. Each call
 * writes one file and returns 1, or 0 if the file could not be written.
 */
#ifndef PICTURES_H
#define PICTURES_H

#include "backprop.h"
#include <stdio.h>

#define CLASSES 10

/* What one epoch came to. */
enum { TRAINING_COST, TEST_COST, TEST_ACCURACY, MEASURES };
typedef struct epoch_record {
    uint64_t epoch;
    double value[MEASURES]; /* the accuracy in per cent */
} epoch_record;

#define BLUE "#2563eb"
#define ORANGE "#ea580c"

/* ---- SVG ---- */

static FILE *svg_open(const char *path, int width, int height, const char *title)
{
    FILE *f = fopen(path, "w");

    if (!f)
        return NULL;
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\""
            " viewBox=\"0 0 %d %d\" font-family=\"Helvetica, Arial, sans-serif\""
            " font-size=\"13\" fill=\"#222\">\n<title>%s</title>\n"
            "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
            width, height, width, height, title, width, height);
    return f;
}

static int svg_close(FILE *f)
{
    int ok;

    fputs("</svg>\n", f);
    ok = !ferror(f);
    return fclose(f) == 0 && ok;
}

/* anchor is "start", "middle" or "end": which part of the text stands at x. */
static void svg_text(FILE *f, double x, double y, const char *anchor, const char *style,
                     const char *text)
{
    fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" %s>%s</text>\n", x, y, anchor, style,
            text);
}

static void svg_line(FILE *f, double x1, double y1, double x2, double y2, const char *style)
{
    fprintf(f, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n", x1, y1, x2, y2,
            style);
}

static void svg_upright_text(FILE *f, double x, double y, const char *text)
{
    fprintf(f,
            "<text transform=\"translate(%.1f %.1f) rotate(-90)\" text-anchor=\"middle\">"
            "%s</text>\n",
            x, y, text);
}

/* ---- the learning curve ---- */

/* A rectangle of the picture, and the ranges of the numbers drawn in it. */
typedef struct panel {
    double left, top, width, height;
    double x0, x1, y0, y1;
} panel;

static double panel_x(const panel *p, double x)
{
    return p->left + p->width * (x - p->x0) / (p->x1 - p->x0);
}

static double panel_y(const panel *p, double y)
{
    return p->top + p->height * (p->y1 - y) / (p->y1 - p->y0);
}

/* The smallest of 1, 2, 5, 10, 20 ... times least that cuts range into at most `most` parts. */
static double tick_step(double range, int most, double least)
{
    static const double next[] = { 2, 2.5, 2 };
    double step = least;
    int i;

    for (i = 0; range / step > most; i = (i + 1) % 3)
        step *= next[i];
    return step;
}

/* The least multiple of step that is not below value; neither is negative. */
static double first_tick(double value, double step)
{
    const double tick = step * (double)(unsigned long)(value / step);

    return tick < value - step / 1e6 ? tick + step : tick;
}

static void panel_axes(FILE *f, const panel *p, const char *title, const char *unit)
{
    const double right = p->left + p->width, bottom = p->top + p->height;
    const double x_step = tick_step(p->x1 - p->x0, 8, 1);
    const double y_step = tick_step(p->y1 - p->y0, 6, 1e-9);
    char number[40];
    double x, y;

    svg_text(f, p->left, p->top - 16, "start", "font-size=\"15\" font-weight=\"bold\"", title);
    for (y = first_tick(p->y0, y_step); y <= p->y1 + y_step / 1e6; y += y_step) {
        svg_line(f, p->left, panel_y(p, y), right, panel_y(p, y), "stroke=\"#e5e5e5\"");
        snprintf(number, sizeof number, "%.4g%s", y, unit);
        svg_text(f, p->left - 8, panel_y(p, y) + 4, "end", "", number);
    }
    for (x = first_tick(p->x0, x_step); x <= p->x1; x += x_step) {
        svg_line(f, panel_x(p, x), bottom, panel_x(p, x), bottom + 5, "stroke=\"#222\"");
        snprintf(number, sizeof number, "%.0f", x);
        svg_text(f, panel_x(p, x), bottom + 20, "middle", "", number);
    }
    svg_line(f, p->left, p->top, p->left, bottom, "stroke=\"#222\"");
    svg_line(f, p->left, bottom, right, bottom, "stroke=\"#222\"");
    svg_text(f, p->left + p->width / 2, bottom + 42, "middle", "", "epoch");
}

static void panel_curve(FILE *f, const panel *p, const epoch_record *records, size_t count,
                        int measure, const char *colour)
{
    size_t i;

    fprintf(f, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour);
    for (i = 0; i < count; i++)
        fprintf(f, "%.1f,%.1f ", panel_x(p, (double)records[i].epoch),
                panel_y(p, records[i].value[measure]));
    fputs("\"/>\n", f);
    for (i = 0; i < count && count <= 60; i++)
        fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n",
                panel_x(p, (double)records[i].epoch), panel_y(p, records[i].value[measure]),
                colour);
}

/* Widens [*least, *greatest] until it holds one measure of every record. */
static void widen(double *least, double *greatest, const epoch_record *records, size_t count,
                  int measure)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (records[i].value[measure] < *least)
            *least = records[i].value[measure];
        if (records[i].value[measure] > *greatest)
            *greatest = records[i].value[measure];
    }
}

static void panel_legend(FILE *f, const panel *p, int row, const char *colour, const char *text)
{
    const double x = p->left + p->width - 185, y = p->top + 14 + 20 * row;
    char style[60];

    snprintf(style, sizeof style, "stroke=\"%s\" stroke-width=\"2\"", colour);
    svg_line(f, x, y, x + 24, y, style);
    svg_text(f, x + 32, y + 4, "start", "", text);
}

static int picture_learning_curve(const char *path, const epoch_record *records, size_t count)
{
    panel cost = { 80, 60, 360, 280, 0, 0, 0, 0 };
    panel accuracy = { 540, 60, 360, 280, 0, 0, 100, 0 };
    FILE *f = svg_open(path, 940, 410, "Learning curve");
    double bottom;

    if (!f)
        return 0;
    cost.x0 = accuracy.x0 = (double)records[0].epoch - 1;
    cost.x1 = accuracy.x1 = (double)records[count - 1].epoch;
    widen(&cost.y0, &cost.y1, records, count, TRAINING_COST);
    widen(&cost.y0, &cost.y1, records, count, TEST_COST);
    cost.y1 = cost.y1 > 0 ? cost.y1 * 1.05 : 1;
    widen(&accuracy.y0, &accuracy.y1, records, count, TEST_ACCURACY);

    /* Down to a whole per cent below the least, up to one above the greatest, at most 100. */
    bottom = (double)(long)accuracy.y0;
    accuracy.y0 = bottom > 1 ? bottom - 1 : 0;
    accuracy.y1 = accuracy.y1 < 99 ? (double)(long)accuracy.y1 + 1 : 100;

    panel_axes(f, &cost, "Cost", "");
    panel_curve(f, &cost, records, count, TRAINING_COST, BLUE);
    panel_curve(f, &cost, records, count, TEST_COST, ORANGE);
    panel_legend(f, &cost, 0, BLUE, "training, during epoch");
    panel_legend(f, &cost, 1, ORANGE, "test, after epoch");
    panel_axes(f, &accuracy, "Test accuracy", " %");
    panel_curve(f, &accuracy, records, count, TEST_ACCURACY, ORANGE);
    return svg_close(f);
}

/* ---- the confusion matrix ---- */

/* One cell: blue on the diagonal by the share of its row, orange beside it by the largest
 * confusion of all. */
static void confusion_cell(FILE *f, double x, double y, size_t count, double strength, int right)
{
    char text[40];

    fprintf(f,
            "<rect x=\"%.0f\" y=\"%.0f\" width=\"42\" height=\"42\" fill=\"%s\""
            " fill-opacity=\"%.3f\"/>\n",
            x, y, right ? BLUE : ORANGE, strength);
    if (count == 0)
        return;
    snprintf(text, sizeof text, "%lu", (unsigned long)count);
    svg_text(f, x + 21, y + 26, "middle", strength > 0.6 ? "fill=\"#fff\"" : "", text);
}

static void confusion_row(FILE *f, size_t counts[CLASSES][CLASSES], int meant, size_t worst)
{
    const double y = 90 + 44 * meant;
    char text[40];
    size_t total = 0;
    int read;

    snprintf(text, sizeof text, "%d", meant);
    svg_text(f, 82, y + 26, "end", "font-weight=\"bold\"", text);
    svg_text(f, 117 + 44 * meant, 82, "middle", "font-weight=\"bold\"", text);
    for (read = 0; read < CLASSES; read++)
        total += counts[meant][read];
    for (read = 0; read < CLASSES; read++) {
        const size_t count = counts[meant][read];
        const size_t whole = read == meant ? total : worst;
        confusion_cell(f, 96 + 44 * read, y, count,
                       count ? 0.08 + 0.85 * (double)count / (double)whole : 0.04, read == meant);
    }
    if (total == 0)
        return;
    snprintf(text, sizeof text, "%.1f %%", 100 * (double)counts[meant][meant] / (double)total);
    svg_text(f, 600, y + 26, "end", "", text);
}

static int picture_confusion(const char *path, size_t counts[CLASSES][CLASSES])
{
    size_t right = 0, total = 0, worst = 1;
    char title[100];
    FILE *f = svg_open(path, 640, 590, "Confusion matrix");
    int i, j;

    if (!f)
        return 0;
    for (i = 0; i < CLASSES; i++)
        for (j = 0; j < CLASSES; j++) {
            total += counts[i][j];
            if (i == j)
                right += counts[i][j];
            if (i != j && counts[i][j] > worst)
                worst = counts[i][j];
        }
    snprintf(title, sizeof title, "%lu of %lu test digits read rightly: %.2f %%",
             (unsigned long)right, (unsigned long)total, 100 * (double)right / (double)total);
    svg_text(f, 96, 30, "start", "font-size=\"15\" font-weight=\"bold\"", title);
    svg_text(f, 316, 60, "middle", "", "digit read");
    svg_text(f, 600, 82, "end", "", "right");
    svg_upright_text(f, 50, 310, "digit meant");
    for (i = 0; i < CLASSES; i++)
        confusion_row(f, counts, i, worst);
    confusion_cell(f, 96, 542, 0, 0.6, 1);
    svg_text(f, 146, 567, "start", "", "read rightly");
    confusion_cell(f, 316, 542, 0, 0.6, 0);
    svg_text(f, 366, 567, "start", "", "confused; the darker, the more often");
    return svg_close(f);
}

/* ---- PNG, as base64 in an SVG ---- */

/* Bytes on their way into the text; crc is that of the PNG chunk under way. */
typedef struct png {
    FILE *f;
    unsigned long crc, bits;
    unsigned long adler_a, adler_b; /* zlib's checksum over the rows */
    int held;                       /* bytes that bits holds */
} png;

/* Writes the bytes held, one to three of them, as four digits of base64. */
static void png_flush(png *p)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int i;

    p->bits <<= 8 * (3 - p->held);
    for (i = 0; i < 4; i++)
        putc(i <= p->held ? digits[p->bits >> (18 - 6 * i) & 63] : '=', p->f);
    p->bits = 0;
    p->held = 0;
}

static void png_byte(png *p, unsigned long byte)
{
    int i;

    p->crc ^= byte;
    for (i = 0; i < 8; i++)
        p->crc = p->crc & 1 ? p->crc >> 1 ^ 0xedb88320ul : p->crc >> 1;
    p->bits = p->bits << 8 | byte;
    if (++p->held == 3)
        png_flush(p);
}

static void png_number(png *p, unsigned long number)
{
    int shift;

    for (shift = 24; shift >= 0; shift -= 8)
        png_byte(p, number >> shift & 255);
}

static void png_chunk(png *p, unsigned long length, const char *type)
{
    int i;

    png_number(p, length);
    p->crc = 0xfffffffful;
    for (i = 0; i < 4; i++)
        png_byte(p, (unsigned char)type[i]);
}

static void png_chunk_end(png *p)
{
    png_number(p, p->crc ^ 0xfffffffful);
}

/* The signature, the header of an image of 8 bits a pixel, and its palette. */
static void png_begin(png *p, unsigned long width, unsigned long height,
                      unsigned char palette[256][3])
{
    static const unsigned char signature[] = { 137, 'P', 'N', 'G', 13, 10, 26, 10 };
    static const unsigned char format[] = { 8, 3, 0, 0, 0 };
    int i, c;

    for (i = 0; i < 8; i++)
        png_byte(p, signature[i]);
    png_chunk(p, 13, "IHDR");
    png_number(p, width);
    png_number(p, height);
    for (i = 0; i < 5; i++)
        png_byte(p, format[i]);
    png_chunk_end(p);
    png_chunk(p, 768, "PLTE");
    for (i = 0; i < 256; i++)
        for (c = 0; c < 3; c++)
            png_byte(p, palette[i][c]);
    png_chunk_end(p);

    /* Every row is one stored block of zlib: five bytes, the row's filter (none), the row. */
    png_chunk(p, 2 + height * (6 + width) + 4, "IDAT");
    png_byte(p, 0x78);
    png_byte(p, 0x01);
    p->adler_a = 1;
    p->adler_b = 0;
}

static void png_row_byte(png *p, unsigned long byte)
{
    p->adler_a = (p->adler_a + byte) % 65521;
    p->adler_b = (p->adler_b + p->adler_a) % 65521;
    png_byte(p, byte);
}

static void png_row_begin(png *p, unsigned long width, int last)
{
    const unsigned long length = width + 1;

    png_byte(p, last ? 1 : 0);
    png_byte(p, length & 255);
    png_byte(p, length >> 8 & 255);
    png_byte(p, ~length & 255);
    png_byte(p, ~length >> 8 & 255);
    png_row_byte(p, 0);
}

static void png_end(png *p)
{
    png_number(p, p->adler_b << 16 | p->adler_a);
    png_chunk_end(p);
    png_chunk(p, 0, "IEND");
    png_chunk_end(p);
    if (p->held)
        png_flush(p);
}

/* ---- the weights of the first layer ---- */

/* Blue below zero, white at zero (127), red above; 255 is the gap between neurons. */
static void weight_palette(unsigned char palette[256][3])
{
    static const int below[] = { 33, 102, 172 }, above[] = { 178, 24, 43 };
    int i, c;

    for (i = 0; i < 256; i++)
        for (c = 0; c < 3; c++) {
            const int distance = i < 127 ? 127 - i : i - 127;
            const int end = i < 127 ? below[c] : above[c];
            palette[i][c] = (unsigned char)(i == 255 ? 255 : 247 + (end - 247) * distance / 127);
        }
}

/* weights are neurons x (rows * columns); beyond -most and +most they take the last colour. */
typedef struct weight_grid {
    const bp_real *weights;
    size_t neurons, rows, columns;
    size_t across, down; /* neurons beside and above each other */
    double most;
} weight_grid;

static unsigned long weight_pixel(const weight_grid *g, size_t x, size_t y)
{
    const size_t neuron = y / (g->rows + 2) * g->across + x / (g->columns + 2);
    double level;

    x %= g->columns + 2;
    y %= g->rows + 2;
    if (neuron >= g->neurons || x >= g->columns || y >= g->rows)
        return 255;
    level = (double)g->weights[(neuron * g->rows + y) * g->columns + x] / g->most;
    level = level < -1 ? -1 : level > 1 ? 1 : level;
    return (unsigned long)(127.5 + 127 * level);
}

static void weight_image(FILE *f, const weight_grid *g, double width)
{
    const size_t w = g->across * (g->columns + 2) - 2, h = g->down * (g->rows + 2) - 2;
    unsigned char palette[256][3];
    png p = { NULL, 0, 0, 0, 0, 0 };
    size_t x, y;

    p.f = f;
    fprintf(f,
            "<image x=\"40\" y=\"50\" width=\"%.1f\" height=\"%.1f\""
            " style=\"image-rendering:pixelated\" href=\"data:image/png;base64,",
            width, width * (double)h / (double)w);
    weight_palette(palette);
    png_begin(&p, (unsigned long)w, (unsigned long)h, palette);
    for (y = 0; y < h; y++) {
        png_row_begin(&p, (unsigned long)w, y + 1 == h);
        for (x = 0; x < w; x++)
            png_row_byte(&p, weight_pixel(g, x, y));
    }
    png_end(&p);
    fputs("\"/>\n", f);
}

static void weight_legend(FILE *f, double x, double y, double most)
{
    char text[40];

    fprintf(f,
            "<defs><linearGradient id=\"scale\"><stop offset=\"0\" stop-color=\"#2166ac\"/>"
            "<stop offset=\"0.5\" stop-color=\"#f7f7f7\"/><stop offset=\"1\""
            " stop-color=\"#b2182b\"/></linearGradient></defs>\n"
            "<rect x=\"%.0f\" y=\"%.0f\" width=\"240\" height=\"14\" fill=\"url(#scale)\""
            " stroke=\"#999\"/>\n",
            x, y);
    snprintf(text, sizeof text, "&#8804; &#8722;%.2g", most);
    svg_text(f, x, y + 30, "middle", "", text);
    svg_text(f, x + 120, y + 30, "middle", "", "0");
    snprintf(text, sizeof text, "&#8805; +%.2g", most);
    svg_text(f, x + 240, y + 30, "middle", "", text);
    svg_text(f, x + 264, y + 12, "start", "", "weight from a pixel to the neuron");
}

/* The end of the colour scale: seven times the mean size of a weight, for a few weights are much
 * larger than the rest and would leave it pale. */
static double weight_scale(const weight_grid *g)
{
    const size_t count = g->neurons * g->rows * g->columns;
    double sum = 0;
    size_t i;

    for (i = 0; i < count; i++)
        sum += g->weights[i] < 0 ? -(double)g->weights[i] : (double)g->weights[i];
    return sum > 0 ? 7 * sum / (double)count : 1;
}

/* The weights of the first 400 neurons at most, each drawn as an image of rows x columns. */
static int picture_weights(const char *path, const bp_layer *layer, size_t rows, size_t columns)
{
    weight_grid g = { layer->weights, (size_t)layer->outputs, rows, columns, 1, 0, 0 };
    double width, height;
    char title[120];
    FILE *f;

    if (g.neurons > 400)
        g.neurons = 400;
    while (g.across * g.across * (columns + 2) < g.neurons * (rows + 2))
        g.across++;
    g.down = (g.neurons + g.across - 1) / g.across;
    g.most = weight_scale(&g);
    width = g.across < 6 ? 120.0 * (double)g.across : 720;
    height = width * (double)(g.down * (rows + 2)) / (double)(g.across * (columns + 2));

    f = svg_open(path, width < 560 ? 640 : (int)width + 80, (int)height + 120, "Weights");
    if (!f)
        return 0;
    if (g.neurons < (size_t)layer->outputs)
        snprintf(title, sizeof title, "First layer: the weights of %lu of its %d neurons",
                 (unsigned long)g.neurons, layer->outputs);
    else
        snprintf(title, sizeof title, "First layer: the weights of its %d neurons", layer->outputs);
    svg_text(f, 40, 30, "start", "font-size=\"15\" font-weight=\"bold\"", title);
    weight_image(f, &g, width);
    weight_legend(f, 60, height + 72, g.most);
    return svg_close(f);
}

#endif /* PICTURES_H */
