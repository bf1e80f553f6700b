// Coordinates of the best elements of a row, each stored at its rank.
// x: any layout; y: strided. One work-item counts the elements of a row that come before its own.
#define EXTENT 17  // elements of a row
#define COUNT 5  // of which so many are wanted
#define T float  // type of the elements
#define BETTER(a, b) ((a) > (b) || ((a) != (a) && (b) == (b)))
#define BEFORE(a, i, b, j) (BETTER(a, b) || (!BETTER(b, a) && (i) < (j)))  // in the order wanted: a at i, b at j

__kernel void top_rank_292b7e34(__global const float *restrict x, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int own = get_global_id(0), row = get_global_id(1);
    const T v = x[row * 17 + own];
    int rank = 0;
    for (int i = 0; i < EXTENT; ++i) {
        const T other = x[row * 17 + i];
        rank += BEFORE(other, i, v, own);
    }
    if (rank >= COUNT) return;
    const long result = own;
    {
    const float t0 = convert_float(result);
    const float t1 = e0[rank];
    const float t2 = t0 + t1;
    const float t3 = 1.0f / (1.0f + exp(-t2));
    const float t4 = e1[row * 5 + rank];
    const float t5 = t3 + t4;
    y[row * 5 + rank] = t5;
}
}
