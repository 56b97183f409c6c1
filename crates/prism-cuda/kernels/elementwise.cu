/* Activations, biases, and rows that move. A block per row and stretch of 1,024 columns, unless said otherwise. */
#undef THREADS
#define THREADS 256
#define STRETCH 1024

/* The thread's columns of the block's stretch. */
#define COLUMNS(i, width) \
    PHASE for (u32 i = BLOCK_Y * STRETCH + thread, end_ = least(width, (BLOCK_Y + 1) * STRETCH); i < end_; i += THREADS)

FUNCTION float silu(float x) { return x / (1.0f + expf(-x)); }

/* y = silu(gate) * up, of rows in which the gates stand before the ups; so do their biases. */
KERNEL(silu_times, SiluTimes) {
    const u64 row = (u64)BLOCK_X * a.inner;
    COLUMNS(i, a.inner) {
        const float gate = LOAD(a.gate_up[2 * row + i]) + (a.bias ? LOAD(a.bias[i]) : 0.0f);
        const float up = LOAD(a.gate_up[2 * row + a.inner + i]) + (a.bias ? LOAD(a.bias[a.inner + i]) : 0.0f);
        a.y[row + i] = STORE(silu(gate) * up);
    }
}

/* x = activation(x + bias). */
KERNEL(activate, Activate) {
    const u64 row = (u64)BLOCK_X * a.width;
    COLUMNS(i, a.width) {
        const float x = LOAD(a.x[row + i]) + (a.bias ? LOAD(a.bias[i]) : 0.0f);
        float y = x;
        if (a.kind == 1) y = 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
        if (a.kind == 2) y = 0.5f * x * (1.0f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
        if (a.kind == 3) y = x / (1.0f + expf(-1.702f * x));
        if (a.kind == 4) y = silu(x);
        a.x[row + i] = STORE(y);
    }
}

/* x += bias. */
KERNEL(add_bias, AddBias) {
    COLUMNS(i, a.width) a.x[(u64)BLOCK_X * a.width + i] += LOAD(a.bias[i]);
}

/* Row `rows[r]` of x += row r of the values; `rows` absent: row r. No row may be named twice. */
KERNEL(add_rows, AddRows) {
    const u64 to = (u64)(a.rows ? a.rows[BLOCK_X] : BLOCK_X) * a.width;
    COLUMNS(i, a.width) a.x[to + i] += LOAD(a.values[(u64)BLOCK_X * a.width + i]);
}

/* Row `targets[r]` of the stream becomes row `sources[r]` of the table; absent: r; a source NONE leaves the row. */
KERNEL(to_stream, ToStream) {
    const u32 source = a.sources ? a.sources[BLOCK_X] : BLOCK_X;
    const u64 to = (u64)(a.targets ? a.targets[BLOCK_X] : BLOCK_X) * a.width;
    if (source != NONE) COLUMNS(i, a.width) a.x[to + i] = LOAD(a.table[(u64)source * a.width + i]);
}

/* The same from rows to rows. */
KERNEL(move_rows, MoveRows) {
    const u32 source = a.sources ? a.sources[BLOCK_X] : BLOCK_X;
    const u64 to = (u64)(a.targets ? a.targets[BLOCK_X] : BLOCK_X) * a.to_stride;
    if (source != NONE) COLUMNS(i, a.width) a.to[to + i] = a.from[(u64)source * a.from_stride + i];
}

/* Numbers of the weights' kind to f32. A block per 1,024. */
KERNEL(widen, Convert) {
    const u64 start = (u64)BLOCK_X * STRETCH;
    PHASE for (u64 i = start + thread; i < start + STRETCH && i < a.count; i += THREADS) ((float *)a.to)[i] = LOAD(((const real *)a.from)[i]);
}

/* And back. */
KERNEL(narrow, Convert) {
    const u64 start = (u64)BLOCK_X * STRETCH;
    PHASE for (u64 i = start + thread; i < start + STRETCH && i < a.count; i += THREADS) ((real *)a.to)[i] = STORE(((const float *)a.from)[i]);
}
