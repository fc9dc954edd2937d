/* storm.h - the short names that headers of systems and libraries define as macros, all of them at
 * once, each as something that no compiler takes: who uses such a name does not compile. Names of C
 * and of its library are left alone. What backprop.h includes comes first, to be spared. */
#include <float.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

/* predefined by compilers that keep to no standard */
#undef i386
#undef linux
#undef unix
#define i386 @
#define linux @
#define mips @
#define sparc @
#define sun @
#define unix @
#define vax @

/* windows.h and what it includes */
#define BOOL @
#define BYTE @
#define CALLBACK @
#define CDECL @
#define CHAR @
#define CONST @
#define DELETE @
#define DIFFERENCE @
#define DOUBLE @
#define ERROR @
#define FALSE @
#define FAR @
#define FLOAT @
#define IGNORE @
#define IN @
#define INFINITE @
#define INT @
#define INTERFACE @
#define LONG @
#define NEAR @
#define OPTIONAL @
#define OUT @
#define PASCAL @
#define RELATIVE @
#define STRICT @
#define THIS @
#define TRUE @
#define VOID @
#define cdecl @
#define chx1 @
#define cmb1 @
#define ctl1 @
#define edt1 @
#define far @
#define frm1 @
#define grp1 @
#define huge @
#define hyper @
#define ico1 @
#define interface @
#define lst1 @
#define max @
#define min @
#define near @
#define pascal @
#define psh1 @
#define rad1 @
#define rct1 @
#define scr1 @
#define small @
#define stc1 @

/* X11 */
#define Above @
#define Always @
#define Below @
#define Bool @
#define Complex @
#define Convex @
#define False @
#define None @
#define Status @
#define Success @
#define True @
#define Unsorted @
#define index(s, c) @
#define rindex(s, c) @

/* complex.h, altivec.h, and the library of functions that C does not list */
#define I @
#define complex @
#define gamma @
#define imaginary @
#define j0 @
#define j1 @
#define jn @
#define pixel @
#define vector @
#define y0 @
#define y1 @
#define yn @
#define DOMAIN @
#define HUGE @
#define OVERFLOW @
#define PI @
#define PLOSS @
#define SING @
#define TLOSS @
#define UNDERFLOW @

/* sys/param.h, termios.h, curses.h, term.h and other headers of Unix */
#define ABS @
#define B0 @
#define B50 @
#define BLOCK_SIZE @
#define BSD @
#define CR0 @
#define ECHO @
#define ERR @
#define FF0 @
#define HZ @
#define MAX @
#define MAXPATHLEN @
#define MIN @
#define NL0 @
#define OK @
#define PAGES @
#define PAGE_SIZE @
#define SIZE @
#define bytes(type) @
#define clear @
#define current @
#define echo @
#define erase @
#define howmany @
#define columns @
#define lines @
#define likely @
#define major @
#define makedev @
#define minor @
#define move @
#define refresh @
#define roundup @
#define s_addr @
#define timeout @
#define unlikely @

/* headers of microcontrollers */
#define BIT @
#define HIGH @
#define INPUT @
#define LOW @
#define OUTPUT @
#define bit(b) @
#define bitRead @
#define byte @
#define highByte @
#define lowByte @
#define sq @

/* what programs like to call a constant */
#define A @
#define ADD @
#define ALIGN @
#define B @
#define BITS @
#define C @
#define CACHE @
#define CHUNK @
#define COLUMNS @
#define COUNT @
#define D @
#define DESCEND @
#define F @
#define FMA @
#define GROUP @
#define HEIGHT @
#define INLINE @
#define K @
#define L @
#define LANES @
#define LAYERS @
#define M @
#define N @
#define NOINLINE @
#define PARALLEL @
#define PREFETCH @
#define ROWS @
#define SPREAD @
#define STACK @
#define STATIC @
#define STRETCH @
#define T @
#define TARGET @
#define TERMS @
#define THREADS @
#define TILE @
#define UNROLL @
#define W @
#define X @
#define Y @
#define Z @
