static float8 near_sigmoid8(float8 x) {
    float8 c = -1.44269504088896341f * x;
    c = c < -126.0f ? (float8)(-126.0f) : c;  // max and min would lose a NaN
    c = c > 126.0f ? (float8)(126.0f) : c;
    const float8 n = c + 12582912.0f, f = c - (n - 12582912.0f);
    float8 p = fma(f, 1.535336188319500e-4f, 1.339887440266574e-3f);
    p = fma(p, f, 9.618437357674640e-3f);
    p = fma(p, f, 5.550332471162809e-2f);
    p = fma(p, f, 2.402264791363012e-1f);
    p = fma(p, f, 6.931472028550421e-1f);
    p = fma(p, f, 1.0f);
    const float8 d = 1.0f + as_float8(as_int8(p) + (as_int8(n) << 23)), r = native_recip(d);
    return x < -87.0f ? (float8)(0) : fma(fma(-d, r, 1.0f), r, r);
}

// Batched matrix product: y[…,m,n] = sum over k of a[…,m,k] * b[…,k,n], leading axes broadcast.
// a, b, y: any strided layout. One work-item computes ROWS rows x COLUMNS vectors of V columns of y. The last tile of rows is
// shifted back to end at the last row, and stores only what its neighbour does not; past the last column the last is repeated.
#define V 8  // columns of a vector
#define T float  // type of the arithmetic
#define M 5  // rows of y
#define K 17  // length of the sum
#define BLOCKS 1  // vectors of a row of y
#define ROWS 1  // tile: rows, at most M
#define COLUMNS 1  // tile: vectors of columns
#define TV float8

__kernel void matmul_761daeae(__global const float *restrict a, __global const float *restrict b, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
    const int first = get_global_id(0) * COLUMNS, tile = get_global_id(1) * ROWS, outer = get_global_id(2);
    const int top = min(tile, M - ROWS);
    TV acc[ROWS][COLUMNS];
    #pragma unroll
    for (int r = 0; r < ROWS; ++r)
        #pragma unroll
        for (int c = 0; c < COLUMNS; ++c)
            acc[r][c] = 0;

    for (int i = 0; i < K; ++i) {
        TV part[COLUMNS];
        #pragma unroll
        for (int c = 0; c < COLUMNS; ++c) {
            const int block = min(first + c, BLOCKS - 1);
            part[c] = vload8(0, b + outer * 136 + i * 8 + (block * V));
        }
        #pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            const T v = a[outer * 85 + ((top + r)) * 17 + i];
            #pragma unroll
            for (int c = 0; c < COLUMNS; ++c)
                acc[r][c] += v * part[c];
        }
    }

    #pragma unroll
    for (int r = 0; r < ROWS; ++r)
        #pragma unroll
        for (int c = 0; c < COLUMNS; ++c) {
            const int row = top + r, block = first + c;
            if (row < tile || block >= BLOCKS) continue;
            const TV v = acc[r][c];
            {
    const float8 t0 = vload8(0, e0 + block * 8);
    const float8 t1 = v + t0;
    const float8 t2 = near_sigmoid8(t1);
    const float8 t3 = vload8(0, e1 + outer * 40 + row * 8 + (block * V));
    const float8 t4 = t2 + t3;
    vstore8(t4, 0, y + outer * 40 + row * 8 + (block * V));
}
        }
}
