/* What each kernel is given, in one structure by value. `src/kernels.rs` has the same structures, with what the fields
 * mean; a test compares their sizes. Pointers are device addresses; all arrays are row-major. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

struct Norm {
    float *x;
    const real *added, *added_bias;
    const real *weight, *bias;
    real *y;
    u32 width;
    float eps;
};

struct RotaryTable {
    const u32 *positions;
    const float *frequencies;
    const u32 *axes;
    float *cosines, *sines;
    u32 half;
};

struct Heads {
    const real *qkv;
    const real *bias;
    const real *query_norm, *key_norm;
    const float *cosines, *sines;
    const u32 *key_rows;
    real *queries, *keys, *values;
    u32 heads, kv_heads, width;
    u32 query_stride, key_stride;
    float eps;
};

struct SiluTimes {
    const real *gate_up;
    const real *bias;
    real *y;
    u32 inner;
};

struct Activate {
    real *x;
    const real *bias;
    u32 width;
    u32 kind;
};

struct AddBias {
    float *x;
    const real *bias;
    u32 width;
};

struct AddRows {
    float *x;
    const real *values;
    const u32 *rows;
    u32 width;
};

struct ToStream {
    float *x;
    const real *table;
    const u32 *sources, *targets;
    u32 width;
};

struct MoveRows {
    real *to;
    const real *from;
    const u32 *sources, *targets;
    u32 width, to_stride, from_stride;
};

struct Convert {
    const void *from;
    void *to;
    u64 count;
};

/* Queries that look at the same keys. */
struct Tile {
    u32 query, queries; /* first row of queries, and how many */
    u32 key, keys;      /* first row of keys, and how many */
    u32 index;          /* what the first key is to the ranges of hidden keys */
    u32 seen;           /* keys that the first query sees; each further one sees one more, where causal */
    u32 part;           /* which part of the row's keys this is, in decoding */
};

struct Attention {
    const real *queries, *keys, *values;
    const struct Tile *tiles;
    const u32 *hidden_set, *set_bounds, *ranges;
    real *y;
    float *part_sums, *part_values;
    u32 heads, kv_heads, width;
    u32 query_stride, key_stride, y_stride;
    u32 causal, parts;
    float scale;
};

struct Join {
    const float *part_sums, *part_values;
    const u32 *parts_of;
    real *y;
    u32 heads, width, parts, y_stride;
};

struct Scores {
    const real *query, *keys;
    const struct Tile *tiles;
    const u32 *hidden_set, *set_bounds, *ranges;
    float *weights;
    u32 tile_count;
    u32 heads, kv_heads, width;
    u32 key_stride, total;
    float scale;
};

struct Note {
    const float *logits;
    const u32 *options;
    u32 *best;
    u32 *finite;
    float *normalizer;
    float *option_logprobs;
    u32 vocab, count;
};

struct Product {
    const real *x, *weight;
    real *y;
    float *sum;
    u32 rows, inner, columns;
    u32 x_stride, y_stride;
};

#endif
