/* Attention in tiles of queries over stretches of keys, with the softmax carried along: memory does not grow with
 * the number of keys. One body serves prompts, images and decoding; they differ in how a tile's queries are laid out:
 *
 *   attend        query i of a tile is row `query + i`, one head a block; the result is written at once.
 *   attend_part   decoding: query i is head i % group of row `query + i / group`, where `group` query heads share a
 *                 key head, so that the keys of a prompt are read once for all rows behind it. Each part of a
 *                 row's keys leaves its maximum, its sum and its weighted values; `join` adds the parts in order.
 *
 * Parts are cut by a rule that does not see the other rows (the host's `Parts`), and every query's sums run over its
 * keys in rising order. So a row's result does not depend on the rows beside it. */
#undef THREADS
#define THREADS 128
#define QUERIES 32 /* a tile's queries; four threads work on one of them */
#define KEYS 32    /* keys at a time: the bits of a mask */
#define WIDEST 128 /* of a head */
#define SHARE (THREADS / QUERIES)

/* The bits from `start` to `end`, both counted from the tile's first key. */
FUNCTION u32 bits(u32 start, u32 end) {
    const u32 below_end = end >= 32 ? NONE : (1u << end) - 1;
    return start >= 32 ? 0 : below_end & ~((1u << start) - 1);
}

/* Which of the keys `index .. index + count` a query may see: bit k for key `index + k`. `seen` of them at most. */
FUNCTION u32 open_keys(const struct Attention *a, u32 set, u32 index, u32 count, u32 seen) {
    u32 open = bits(0, least(count, seen));
    if (set == NONE) return open;
    for (u32 r = a->set_bounds[set]; r < a->set_bounds[set + 1]; r++) {
        const u32 start = a->ranges[2 * r], end = a->ranges[2 * r + 1];
        if (end > index && start < index + KEYS) open &= ~bits(start > index ? start - index : 0, end - index);
    }
    return open;
}

#define ATTEND(QUERY_ROW, QUERY_HEAD, TILE_QUERIES, FIRST, KV_HEAD, SEEN, FINISH) \
    SHARED(float, queries, [QUERIES][WIDEST + 1]); \
    SHARED(float, kv, [KEYS][WIDEST + 1]); \
    SHARED(float, scores, [QUERIES][KEYS + 1]); \
    SHARED(u32, open, [QUERIES]); \
    LOCALS(float, sum, WIDEST / SHARE); \
    LOCAL(float, top); \
    LOCAL(float, total); \
    const u64 kv_offset = (u64)(KV_HEAD) * a.width; \
    PHASE { \
        for (u32 j = 0; j < WIDEST / SHARE; j++) MINE(sum)[j] = 0.0f; \
        MINE(top) = NEGATIVE_INFINITY; \
        MINE(total) = 0.0f; \
        for (u32 e = thread; e < QUERIES * a.width; e += THREADS) { \
            const u32 i = (FIRST) + e / a.width, d = e % a.width; \
            queries[e / a.width][d] = \
                i < (TILE_QUERIES) ? LOAD(a.queries[(u64)(QUERY_ROW) * a.query_stride + (QUERY_HEAD) * a.width + d]) * a.scale : 0.0f; \
        } \
    } \
    for (u32 start = 0; start < tile.keys; start += KEYS) { \
        const u32 count = least(KEYS, tile.keys - start); \
        PHASE { \
            if (thread < QUERIES) { \
                const u32 i = (FIRST) + thread, seen = i < (TILE_QUERIES) ? (SEEN) : 0; \
                const u32 set = i < (TILE_QUERIES) && a.hidden_set ? a.hidden_set[QUERY_ROW] : NONE; \
                open[thread] = open_keys(&a, set, tile.index + start, count, seen > start ? seen - start : 0); \
            } \
            for (u32 e = thread; e < KEYS * a.width; e += THREADS) { \
                const u32 k = e / a.width, d = e % a.width; \
                kv[k][d] = k < count ? LOAD(a.keys[(u64)(tile.key + start + k) * a.key_stride + kv_offset + d]) : 0.0f; \
            } \
        } \
        PHASE for (u32 j = 0; j < KEYS / SHARE; j++) { \
            const u32 i = thread / SHARE, k = thread % SHARE + j * SHARE; \
            float dot = 0.0f; \
            for (u32 d = 0; d < a.width; d++) dot += queries[i][d] * kv[k][d]; \
            scores[i][k] = open[i] >> k & 1 ? dot : NEGATIVE_INFINITY; \
        } \
        PHASE { \
            const u32 i = thread / SHARE; \
            float now = MINE(top); \
            for (u32 k = 0; k < KEYS; k++) now = larger(now, scores[i][k]); \
            const float kept = MINE(top) == now ? 1.0f : expf(MINE(top) - now); \
            MINE(top) = now; \
            MINE(total) *= kept; \
            UNROLL for (u32 j = 0; j < WIDEST / SHARE; j++) MINE(sum)[j] *= kept; \
            for (u32 e = thread; e < KEYS * a.width; e += THREADS) { \
                const u32 k = e / a.width, d = e % a.width; \
                kv[k][d] = k < count ? LOAD(a.values[(u64)(tile.key + start + k) * a.key_stride + kv_offset + d]) : 0.0f; \
            } \
        } \
        PHASE { \
            const u32 i = thread / SHARE; \
            for (u32 k = 0; k < KEYS; k++) { \
                if (!(open[i] >> k & 1)) continue; \
                const float weight = expf(scores[i][k] - MINE(top)); \
                MINE(total) += weight; \
                UNROLL for (u32 j = 0; j < WIDEST / SHARE; j++) { \
                    const u32 d = thread % SHARE + j * SHARE; \
                    if (d < a.width) MINE(sum)[j] += weight * kv[k][d]; \
                } \
            } \
        } \
    } \
    PHASE { \
        const u32 i = (FIRST) + thread / SHARE; \
        if (i < (TILE_QUERIES)) { FINISH } \
    }

/* A block per tile (x) and query head (y). A query that sees no key gets zeros. */
KERNEL(attend, Attention) {
    const struct Tile tile = a.tiles[BLOCK_X];
    const u32 head = BLOCK_Y;
    ATTEND(tile.query + i, head, tile.queries, 0, head / (a.heads / a.kv_heads), (a.causal ? tile.seen + i : tile.keys), {
        const float scale = MINE(total) > 0.0f ? 1.0f / MINE(total) : 0.0f;
        UNROLL for (u32 j = 0; j < WIDEST / SHARE; j++) {
            const u32 d = thread % SHARE + j * SHARE;
            if (d < a.width) a.y[(u64)(tile.query + i) * a.y_stride + head * a.width + d] = STORE(MINE(sum)[j] * scale);
        }
    })
}

/* A block per tile (x), key head (y) and 32 queries of the tile (z); blocks past the tile's rows do nothing. */
KERNEL(attend_part, Attention) {
    const struct Tile tile = a.tiles[BLOCK_X];
    const u32 group = a.heads / a.kv_heads, first = BLOCK_Z * QUERIES;
    if (first < tile.queries * group) {
        ATTEND(tile.query + i / group, BLOCK_Y * group + i % group, tile.queries * group, first, BLOCK_Y, tile.keys, {
            const u64 at = ((u64)(tile.query + i / group) * a.heads + BLOCK_Y * group + i % group) * a.parts + tile.part;
            if (thread % SHARE == 0) {
                a.part_sums[2 * at] = MINE(top);
                a.part_sums[2 * at + 1] = MINE(total);
            }
            UNROLL for (u32 j = 0; j < WIDEST / SHARE; j++) {
                const u32 d = thread % SHARE + j * SHARE;
                if (d < a.width) a.part_values[at * a.width + d] = MINE(sum)[j];
            }
        })
    }
}

/* The parts of each row and head, in order. A block per row (x) and head (y). */
KERNEL(join, Join) {
    const u32 count = a.parts_of[BLOCK_X];
    const u64 first = ((u64)BLOCK_X * a.heads + BLOCK_Y) * a.parts;
    PHASE {
        float top = NEGATIVE_INFINITY, total = 0.0f;
        for (u32 p = 0; p < count; p++) top = larger(top, a.part_sums[2 * (first + p)]);
        for (u32 p = 0; p < count; p++) {
            const float sum = a.part_sums[2 * (first + p) + 1];
            if (sum > 0.0f) total += sum * expf(a.part_sums[2 * (first + p)] - top);
        }
        for (u32 d = thread; d < a.width; d += THREADS) {
            float value = 0.0f;
            for (u32 p = 0; p < count; p++) {
                if (a.part_sums[2 * (first + p) + 1] > 0.0f)
                    value += a.part_values[(first + p) * a.width + d] * expf(a.part_sums[2 * (first + p)] - top);
            }
            a.y[(u64)BLOCK_X * a.y_stride + BLOCK_Y * a.width + d] = STORE(total > 0.0f ? value / total : 0.0f);
        }
    }
}
