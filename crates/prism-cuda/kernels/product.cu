/* A matrix product for checks and for small matrices; the large ones are the library's. */
#undef THREADS
#define THREADS 256
#define SIDE 16

/* y = x weight^T, or sum += x weight^T, in f32. Each number is summed in the order of `inner`, whatever the shape.
 * A block per 16 rows (x) and 16 columns (y) of the result. */
KERNEL(product, Product) {
    SHARED(float, xs, [SIDE][SIDE + 1]);
    SHARED(float, weights, [SIDE][SIDE + 1]);
    LOCAL(float, sum);
    PHASE MINE(sum) = 0.0f;
    for (u32 start = 0; start < a.inner; start += SIDE) {
        PHASE {
            const u32 i = thread / SIDE, k = start + thread % SIDE, row = BLOCK_X * SIDE + i, column = BLOCK_Y * SIDE + i;
            xs[i][thread % SIDE] = row < a.rows && k < a.inner ? LOAD(a.x[(u64)row * a.x_stride + k]) : 0.0f;
            weights[i][thread % SIDE] = column < a.columns && k < a.inner ? LOAD(a.weight[(u64)column * a.inner + k]) : 0.0f;
        }
        PHASE for (u32 k = 0; k < SIDE; k++) MINE(sum) += xs[thread / SIDE][k] * weights[thread % SIDE][k];
    }
    PHASE {
        const u32 row = BLOCK_X * SIDE + thread / SIDE, column = BLOCK_Y * SIDE + thread % SIDE;
        if (row < a.rows && column < a.columns) {
            const u64 at = (u64)row * a.y_stride + column;
            if (a.y) a.y[at] = STORE(MINE(sum));
            if (a.sum) a.sum[at] += MINE(sum);
        }
    }
}
