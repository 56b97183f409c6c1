/* What is noted of logits, so that they need not leave the device. A block per row. */
#undef THREADS
#define THREADS 256

/* Of each row: the first index of the largest logit, whether all are finite, the logarithm of the sum of their
 * exponentials, and the log-probabilities of some ids (NONE: negative infinity). */
KERNEL(note, Note) {
    SHARED(float, values, [THREADS]);
    SHARED(u32, places, [THREADS]);
    SHARED(u32, wrong, [THREADS]);
    SHARED(float, sums, [THREADS]);
    const float *logits = a.logits + (u64)BLOCK_X * a.vocab;
    PHASE {
        float best = NEGATIVE_INFINITY;
        u32 place = NONE, odd = 0;
        for (u32 i = thread; i < a.vocab; i += THREADS) {
            odd |= !(fabsf(logits[i]) <= 3.402823466e38f);
            if (logits[i] > best) {
                best = logits[i];
                place = i;
            }
        }
        values[thread] = best;
        places[thread] = place;
        wrong[thread] = odd;
    }
    for (u32 half = THREADS / 2; half > 0; half /= 2) PHASE if (thread < half) {
        const u32 other = thread + half;
        const int first = values[other] == values[thread] && places[other] < places[thread];
        if (values[other] > values[thread] || first) {
            values[thread] = values[other];
            places[thread] = places[other];
        }
        wrong[thread] |= wrong[other];
    }
    PHASE {
        float sum = 0.0f;
        for (u32 i = thread; i < a.vocab; i += THREADS) sum += expf(logits[i] - values[0]);
        sums[thread] = sum;
    }
    FOLD(sums, plus);
    PHASE {
        const float normalizer = values[0] + logf(sums[0]);
        if (thread == 0) {
            a.best[BLOCK_X] = places[0] == NONE ? 0 : places[0];
            a.finite[BLOCK_X] = !wrong[0];
            a.normalizer[BLOCK_X] = normalizer;
        }
        for (u32 i = thread; i < a.count; i += THREADS) {
            const u32 id = a.options[(u64)BLOCK_X * a.count + i];
            a.option_logprobs[(u64)BLOCK_X * a.count + i] = id < a.vocab ? logits[id] - normalizer : NEGATIVE_INFINITY;
        }
    }
}
