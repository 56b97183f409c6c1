/* What a row's query looks at. */
#undef THREADS
#define THREADS 128

/* The attention weights of one query over all its keys, in their order; hidden keys have 0. A block per head. */
KERNEL(attention_weights, Scores) {
    SHARED(float, values, [THREADS]);
    SHARED(float, sums, [THREADS]);
    const u32 head = BLOCK_X;
    const u64 kv_offset = (u64)(head / (a.heads / a.kv_heads)) * a.width;
    const real *query = a.query + (u64)head * a.width;
    float *weights = a.weights + (u64)head * a.total;
    const u32 set = a.hidden_set ? a.hidden_set[0] : NONE;
    PHASE {
        float top = NEGATIVE_INFINITY;
        for (u32 t = 0; t < a.tile_count; t++) {
            const struct Tile tile = a.tiles[t];
            for (u32 k = thread; k < tile.keys; k += THREADS) {
                const real *key = a.keys + (u64)(tile.key + k) * a.key_stride + kv_offset;
                float dot = 0.0f;
                for (u32 d = 0; d < a.width; d++) dot += LOAD(query[d]) * a.scale * LOAD(key[d]);
                if (set != NONE)
                    for (u32 r = a.set_bounds[set]; r < a.set_bounds[set + 1]; r++)
                        if (tile.index + k >= a.ranges[2 * r] && tile.index + k < a.ranges[2 * r + 1]) dot = NEGATIVE_INFINITY;
                weights[tile.index + k] = dot;
                top = larger(top, dot);
            }
        }
        values[thread] = top;
    }
    FOLD(values, larger);
    PHASE {
        float sum = 0.0f;
        for (u32 k = thread; k < a.total; k += THREADS) {
            const float weight = weights[k] == NEGATIVE_INFINITY ? 0.0f : expf(weights[k] - values[0]);
            weights[k] = weight;
            sum += weight;
        }
        sums[thread] = sum;
    }
    FOLD(sums, plus);
    PHASE for (u32 k = thread; k < a.total; k += THREADS) weights[k] = sums[0] > 0.0f ? weights[k] / sums[0] : 0.0f;
}
