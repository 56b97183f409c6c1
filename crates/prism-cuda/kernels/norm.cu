/* Norms of rows of the residual stream, which is in f32; what was left to add to it is added first.
 * A block per row. */
#undef THREADS
#define THREADS 256

/* x += added + added_bias; both may be absent. */
#define ADD_WHAT_IS_LEFT(row) \
    if (a.added || a.added_bias) PHASE for (u32 i = thread; i < a.width; i += THREADS) { \
        const float added = a.added ? LOAD(a.added[(row) + i]) : 0.0f; \
        a.x[(row) + i] += added + (a.added_bias ? LOAD(a.added_bias[i]) : 0.0f); \
    }

/* y = x / rms(x) * weight */
KERNEL(rms_norm, Norm) {
    SHARED(float, squares, [THREADS]);
    const u64 row = (u64)BLOCK_X * a.width;
    ADD_WHAT_IS_LEFT(row)
    PHASE {
        float sum = 0.0f;
        for (u32 i = thread; i < a.width; i += THREADS) sum += a.x[row + i] * a.x[row + i];
        squares[thread] = sum;
    }
    FOLD(squares, plus);
    PHASE {
        const float scale = 1.0f / sqrtf(squares[0] / (float)a.width + a.eps);
        for (u32 i = thread; i < a.width; i += THREADS) a.y[row + i] = STORE(a.x[row + i] * scale * LOAD(a.weight[i]));
    }
}

/* y = (x - mean) / deviation * weight + bias; the variance is of what is left after the mean. */
KERNEL(layer_norm, Norm) {
    SHARED(float, sums, [THREADS]);
    SHARED(float, squares, [THREADS]);
    const u64 row = (u64)BLOCK_X * a.width;
    ADD_WHAT_IS_LEFT(row)
    PHASE {
        float sum = 0.0f;
        for (u32 i = thread; i < a.width; i += THREADS) sum += a.x[row + i];
        sums[thread] = sum;
    }
    FOLD(sums, plus);
    PHASE {
        const float mean = sums[0] / (float)a.width;
        float sum = 0.0f;
        for (u32 i = thread; i < a.width; i += THREADS) sum += (a.x[row + i] - mean) * (a.x[row + i] - mean);
        squares[thread] = sum;
    }
    FOLD(squares, plus);
    PHASE {
        const float mean = sums[0] / (float)a.width;
        const float scale = 1.0f / sqrtf(squares[0] / (float)a.width + a.eps);
        for (u32 i = thread; i < a.width; i += THREADS)
            a.y[row + i] = STORE((a.x[row + i] - mean) * scale * LOAD(a.weight[i]) + LOAD(a.bias[i]));
    }
}
