/* One source for the device and the host: what a kernel is written in.
 *
 * A block of threads works in phases. `PHASE { ... }` runs its body once for every thread of the block; when it
 * ends, every thread has ended it and sees what the others wrote. On the device the body is the thread's own code
 * and the end is a barrier; on the host it is a loop. What stands outside a phase is the same for all threads, so
 * no barrier can be missed by some of them. Inside a phase no thread may read what another one writes in it: the
 * host build can run the threads in other orders, and the tests do, to find such a read.
 *
 * In a phase:  `thread`       the index of the thread, below THREADS
 *              `MINE(x)`      the thread's own `x`, declared by LOCAL (a number) or LOCALS (some numbers)
 * Everywhere:  `BLOCK_X`, `BLOCK_Y`, `BLOCK_Z` of the grid; arrays declared by SHARED; the arguments, `a`.
 *
 * `real` is what weights and activations are kept in: bf16, or f32 where F32 is defined. LOAD and STORE convert;
 * all arithmetic is in f32. The sources are C for the host's compiler and CUDA C++ for the device's.
 */
#ifndef PRISM_H
#define PRISM_H

typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned long long u64;

#define NONE 0xffffffffu

#ifdef __CUDACC__
#define FUNCTION static __device__ __forceinline__
#define RESTRICT __restrict__
#define NEGATIVE_INFINITY __int_as_float(0xff800000)
#define KERNEL_NAMED(name, Arguments) extern "C" __global__ void __launch_bounds__(THREADS) name(const struct Arguments a)
#define BLOCK_X blockIdx.x
#define BLOCK_Y blockIdx.y
#define BLOCK_Z blockIdx.z
#define thread threadIdx.x
#define PHASE for (int once_ = 1; once_; once_ = 0, __syncthreads())
#define LOCAL(type, name) type name
#define LOCALS(type, name, count) type name[count]
#define MINE(name) name
#define SHARED(type, name, size) __shared__ type name size
/* A shared number that all threads read before any may write it again. */
#define AGREED(value, shared) const u32 value = (shared); __syncthreads()
#define UNROLL _Pragma("unroll")
#else
#include <math.h>
#include <string.h>
#define FUNCTION static inline
#define RESTRICT restrict
#define NEGATIVE_INFINITY (-INFINITY)
/* What a launch on the host is told: the grid, and the order in which a block's threads run. */
struct Launch {
    u32 grid[3];
    u32 order;
};
struct Place {
    u32 block[3], order;
};
/* The size of the arguments is exported too: a test compares it with that of the Rust structure. */
#define KERNEL_NAMED(name, Arguments) \
    static void name##_block(struct Arguments a, struct Place place); \
    const u32 name##_bytes = sizeof(struct Arguments); \
    void name(const struct Launch *launch, const void *arguments) { \
        struct Arguments a; \
        memcpy(&a, arguments, sizeof a); \
        for (u32 z = 0; z < launch->grid[2]; z++) \
            for (u32 y = 0; y < launch->grid[1]; y++) \
                for (u32 x = 0; x < launch->grid[0]; x++) \
                    name##_block(a, (struct Place){{x, y, z}, launch->order}); \
    } \
    static void name##_block(struct Arguments a, struct Place place)
#define BLOCK_X place.block[0]
#define BLOCK_Y place.block[1]
#define BLOCK_Z place.block[2]
/* The `turn`-th thread to run: rising, falling, or scattered (an odd factor meets every thread of a power of two). */
static inline u32 thread_at(u32 order, u32 turn, u32 threads) {
    return order == 0 ? turn : order == 1 ? threads - 1 - turn : (turn * 37 + 11) % threads;
}
#define PHASE for (u32 turn_ = 0, thread; turn_ < THREADS && (thread = thread_at(place.order, turn_, THREADS), 1); turn_++)
#define LOCAL(type, name) type name[THREADS]
#define LOCALS(type, name, count) type name[THREADS][count]
#define MINE(name) name[thread]
/* Filled with NaN: what is read before it is written shows. */
#define SHARED(type, name, size) type name size; memset(name, 0xff, sizeof name)
#define AGREED(value, shared) const u32 value = (shared)
#define UNROLL
#endif

#ifdef F32
typedef float real;
#define KERNEL(name, Arguments) KERNEL_NAMED(name##_f32, Arguments)
FUNCTION float LOAD(real x) { return x; }
FUNCTION real STORE(float x) { return x; }
#else
typedef u16 real;
#define KERNEL(name, Arguments) KERNEL_NAMED(name##_bf16, Arguments)
FUNCTION float LOAD(real x) {
    union { u32 bits; float value; } wide;
    wide.bits = (u32)x << 16;
    return wide.value;
}
/* To the nearest, ties to even; what is not a number stays one. */
FUNCTION real STORE(float x) {
    union { u32 bits; float value; } wide;
    wide.value = x;
    if ((wide.bits & 0x7fffffffu) > 0x7f800000u) return (real)((wide.bits >> 16) | 0x40u);
    return (real)((wide.bits + 0x7fffu + ((wide.bits >> 16) & 1u)) >> 16);
}
#endif

FUNCTION float plus(float x, float y) { return x + y; }
FUNCTION float larger(float x, float y) { return x > y ? x : y; }
FUNCTION u32 least(u32 x, u32 y) { return x < y ? x : y; }

/* Folds `values[THREADS]`, shared, to `values[0]`, in pairs that depend on nothing but THREADS. */
#define FOLD(values, OPERATION) \
    for (u32 half_ = THREADS / 2; half_ > 0; half_ /= 2) \
        PHASE if (thread < half_) (values)[thread] = OPERATION((values)[thread], (values)[thread + half_])

#endif
