// Resampling of an image along rows and columns: every output pixel is a weighted sum of ROWS x COLUMNS input pixels.
// x, y: strided blocks of V channels; rows, columns: for each output row or column the pairs (input index, weight).
// One work-item computes one pixel of one block of V channels.
#define V 4  // channels of a block
#define OCB 5  // blocks of channels
#define ROWS 2  // input rows of an output row: 1 nearest, 2 linear, 4 cubic, more where the kernel is widened
#define COLUMNS 2  // input columns of an output column
#define floatV float4
#define X_T float
#define X_OFFSET 0
#define X_SN 700
#define X_SC 140
#define X_SY 28
#define X_SX 4
#define LOAD_X(i) x[(i)]
#define LOADV_X(i) vload4(0, x + (i))
#define Y_T float
#define Y_OFFSET 0
#define Y_SN 2800
#define Y_SC 560
#define Y_SY 56
#define Y_SX 4

__kernel void resize_80fc56f1(__global const X_T *restrict x, __global const float *restrict rows, __global const float *restrict columns, __global const float *restrict e0, __global const float *restrict e1, __global Y_T *restrict y) {
    const int ox = get_global_id(0), oy = get_global_id(1);
    const int cb = get_global_id(2) % OCB, n = get_global_id(2) / OCB;
    floatV sum = 0;
    __attribute__((opencl_unroll_hint(ROWS > 4 ? 1 : ROWS)))
    for (int i = 0; i < ROWS; ++i) {
        const int iy = rows[(oy * ROWS + i) * 2];
        const float wy = rows[(oy * ROWS + i) * 2 + 1];
        floatV row = 0;
        __attribute__((opencl_unroll_hint(COLUMNS > 4 ? 1 : COLUMNS)))
        for (int j = 0; j < COLUMNS; ++j) {
            const int ix = columns[(ox * COLUMNS + j) * 2];
            row += columns[(ox * COLUMNS + j) * 2 + 1] * LOADV_X(X_OFFSET + n * X_SN + cb * X_SC + iy * X_SY + ix * X_SX);
        }
        sum += wy * row;
    }
    {
    const float4 t0 = vload4(0, e0 + cb * 4);
    const float4 t1 = sum + t0;
    const float4 t2 = 1.0f / (1.0f + exp(-t1));
    const float4 t3 = ((cb) * 4 + 4 <= 17 ? vload4(0, e1 + oy * 238 + ox * 17 + ((cb) * 4)) : (float4)(((cb) * 4 + 0 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 4 + 0))] : 0), ((cb) * 4 + 1 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 4 + 1))] : 0), ((cb) * 4 + 2 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 4 + 2))] : 0), ((cb) * 4 + 3 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 4 + 3))] : 0)));
    const float4 t4 = t2 + t3;
    const float4 t5 = (int4)(0, 1, 2, 3) < (int4)(17 - ((cb) * 4)) ? t4 : (float4)(0);
    vstore4(t5, 0, y + oy * 56 + ox * 4 + cb * 560);
}
}
