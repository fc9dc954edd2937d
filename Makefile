# Examples, demonstration and tests. Needs a C99 compiler, make and a POSIX shell; the header
# itself needs no build. Everything made here goes to build/.

CC ?= cc
CFLAGS ?=
MNIST_DIR ?= build/mnist-data
VERSION := $(shell sed -n 's/^.define BACKPROP_VERSION "\(.*\)"/\1/p' backprop.h)

EXAMPLES := $(patsubst examples/%.c,build/%,$(wildcard examples/*.c))
COMPILE = $(CC) -O2 -std=c99 -Wall -Wextra -I. $(CFLAGS)

all: $(EXAMPLES)

help:
	@echo 'backprop.h $(VERSION)'
	@echo
	@echo '  make             build the examples into build/'
	@echo '  make demo        learn XOR, then to read digits; takes seconds'
	@echo '  make test        build and run the tests'
	@echo '  make mnist-full  fetch all of MNIST, train 784-100-10 for 30 epochs, report'
	@echo '  make bench       measure the speed'
	@echo '  make firmware    read digits and learn XOR on an emulated Cortex-M (BOARD=m0, m3, m4, m7)'
	@echo '  make matrix      the same bits on every platform whose tools are installed'
	@echo '  make fuzz        feed it random bytes and arguments for ten minutes'
	@echo '  make coverage    lines and branches of the header that the tests reach'
	@echo '  make clean       remove build/'
	@echo
	@echo '  CC=clang CFLAGS=-g   another compiler, further options'
	@echo '  MNIST_DIR=DIR        where mnist-full keeps the data ($(MNIST_DIR))'

build/%: examples/%.c backprop.h $(wildcard examples/*.h)
	@mkdir -p build
	$(COMPILE) -o $@ $<

demo: build/xor build/mnist
	build/xor
	build/mnist

test:
	@CC='$(CC)' CFLAGS='$(CFLAGS)' sh tests/run.sh

mnist-full: build/mnist
	examples/data/fetch.sh $(MNIST_DIR)
	build/mnist --data $(MNIST_DIR) --layers 784-100-10 --epochs 30 --rate 30 --batch 10

bench:
	@CC='$(CC)' CFLAGS='$(CFLAGS)' QUICK='$(QUICK)' DATA='$(DATA)' SIMD='$(SIMD)' \
	sh tests/bench/run.sh

firmware:
	@$(MAKE) -s -f examples/firmware/Makefile CC='$(CC)' CFLAGS='$(CFLAGS)'

matrix:
	@sh tests/matrix.sh

fuzz:
	@sh tests/fuzz/run.sh 85

coverage:
	@sh tests/coverage.sh

clean:
	rm -rf build

.PHONY: all help demo test mnist-full bench firmware matrix fuzz coverage clean
