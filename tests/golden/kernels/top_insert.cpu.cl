// Coordinates of the best elements of a row: one work-item keeps those seen so far in order and inserts what is better than the last.
// x: any layout; y: strided.
#define EXTENT 17  // elements of a row
#define COUNT 5  // of which so many are wanted
#define T float  // type of the elements
#define BETTER(a, b) ((a) > (b) || ((a) != (a) && (b) == (b)))
#define BEFORE(a, i, b, j) (BETTER(a, b) || (!BETTER(b, a) && (i) < (j)))  // in the order wanted: a at i, b at j

__kernel void top_insert_1f341e8d(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int row = get_global_id(0);
    T best[COUNT];
    int place[COUNT];
    int kept = 0;
    for (int i = 0; i < EXTENT; ++i) {
        const T v = x[row * 17 + i];
        if (kept == COUNT && !BEFORE(v, i, best[COUNT - 1], place[COUNT - 1])) continue;
        int k = kept < COUNT ? kept++ : COUNT - 1;
        for (; k > 0 && BEFORE(v, i, best[k - 1], place[k - 1]); --k) {
            best[k] = best[k - 1];
            place[k] = place[k - 1];
        }
        best[k] = v;
        place[k] = i;
    }
    for (int r = 0; r < COUNT; ++r) {
        const long result = place[r];
        {
    const float t0 = convert_float(result);
    const float t1 = e0[r];
    const float t2 = t0 + t1;
    const float t3 = 1.0f / (1.0f + exp(-t2));
    const float t4 = e1[row * 5 + r];
    const float t5 = t3 + t4;
    y[row * 5 + r] = t5;
}
    }
}
