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

__kernel void matmul_714d29a3(__global const float *restrict a, __global const float *restrict b, __global const float *restrict e0, __global const float *restrict e1, __global float *restrict y) {
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
    const float8 t2 = 1.0f / (1.0f + exp(-t1));
    const float8 t3 = vload8(0, e1 + outer * 40 + row * 8 + (block * V));
    const float8 t4 = t2 + t3;
    vstore8(t4, 0, y + outer * 40 + row * 8 + (block * V));
}
        }
}
