/* Between the matrix that makes queries, keys and values, and the attention. */
#undef THREADS
#define THREADS 64
#define WIDEST_HEAD 256

/* The angle of frequency j is the position that it reads (one of three axes) times the frequency. A block per token. */
KERNEL(rotary_table, RotaryTable) {
    PHASE for (u32 j = thread; j < a.half; j += THREADS) {
        const float angle = (float)a.positions[(u64)BLOCK_X * 3 + a.axes[j]] * a.frequencies[j];
        a.cosines[(u64)BLOCK_X * a.half + j] = cosf(angle);
        a.sines[(u64)BLOCK_X * a.half + j] = sinf(angle);
    }
}

/* Bias, norm and turn of one head of one token, each only where there is one; keys and values go to rows
 * `key_rows` of theirs. A block per token (x) and head (y): queries, then keys, then values. May work in place.
 * What is turned is rounded before as well, so that bias and norm in one launch and the turn in another give the
 * same bytes: a hook that looks between them changes nothing. */
KERNEL(heads, Heads) {
    SHARED(float, x, [WIDEST_HEAD]);
    SHARED(float, squares, [THREADS]);
    const u32 head = BLOCK_Y, row = BLOCK_X, half = a.width / 2;
    const int is_query = head < a.heads, is_value = head >= a.heads + a.kv_heads;
    const real *norm = is_query ? a.query_norm : is_value ? 0 : a.key_norm;
    const u64 from = ((u64)row * (a.heads + 2 * a.kv_heads) + head) * a.width;
    const u64 key_row = a.key_rows ? a.key_rows[row] : row;
    real *to = is_query   ? a.queries + (u64)row * a.query_stride + head * a.width
               : is_value ? a.values + key_row * a.key_stride + (head - a.heads - a.kv_heads) * a.width
                          : a.keys + key_row * a.key_stride + (head - a.heads) * a.width;
    PHASE {
        float sum = 0.0f;
        for (u32 i = thread; i < a.width; i += THREADS) {
            x[i] = LOAD(a.qkv[from + i]) + (a.bias ? LOAD(a.bias[head * a.width + i]) : 0.0f);
            sum += x[i] * x[i];
        }
        squares[thread] = sum;
    }
    if (norm) {
        FOLD(squares, plus);
        PHASE {
            const float scale = 1.0f / sqrtf(squares[0] / (float)a.width + a.eps);
            for (u32 i = thread; i < a.width; i += THREADS) x[i] = x[i] * scale * LOAD(norm[i]);
        }
    }
    PHASE for (u32 j = thread; j < half; j += THREADS) {
        float low = LOAD(STORE(x[j])), high = LOAD(STORE(x[j + half]));
        if (a.cosines && !is_value) {
            const float c = a.cosines[(u64)row * half + j], s = a.sines[(u64)row * half + j];
            const float turned = low * c - high * s;
            high = high * c + low * s;
            low = turned;
        }
        to[j] = STORE(low);
        to[j + half] = STORE(high);
    }
}
