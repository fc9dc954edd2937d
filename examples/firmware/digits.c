/* digits.c - reads ten digits on the board with a network that was trained on a desktop
 *
 * digit_net.c and digit_images.h are made by export.c. The network needs neither backprop.h nor
 * a library, and no memory but the stack; its parameters stay in flash. */
#include "board.h"
#include "digit_images.h"

void digit_net(const float *inputs, float *outputs);

static int largest(const float *a, int n)
{
    int i, best = 0;

    for (i = 1; i < n; i++)
        if (a[i] > a[best])
            best = i;
    return best;
}

/* How many of the outputs have the very bits that bp_predict gave on the desktop. */
static int count_same(const float *a, const uint32_t *bits)
{
    int j, same = 0;

    for (j = 0; j < DIGITS; j++) {
        const union {
            float number;
            uint32_t bits;
        } output = { a[j] };
        same += output.bits == bits[j];
    }
    return same;
}

int main(void)
{
    static float x[PIXELS];
    float a[DIGITS];
    int i, k, read, right = 0, same = 0;

    for (i = 0; i < IMAGES; i++) {
        for (k = 0; k < PIXELS; k++)
            x[k] = (float)images[i][k] / 255;
        digit_net(x, a);
        read = largest(a, DIGITS);
        right += read == labels[i];
        same += count_same(a, output_bits[i]);

        print("a ");
        print_number(labels[i]);
        print(" is read as ");
        print_number((unsigned long)read);
        print(", output ");
        print_number((unsigned long)(a[read] * 100 + 0.5f));
        print(" %\n");
    }
    print_number((unsigned long)right);
    print(" of 10 are right. Outputs with the bits of the desktop: ");
    print_number((unsigned long)same);
    print(" of 100\nStack used: ");
    print_number(stack_used());
    print(" bytes\n");
    return same != IMAGES * DIGITS;
}
