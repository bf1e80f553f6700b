static float16 near_sigmoid16(float16 x) {
    float16 c = -1.44269504088896341f * x;
    c = c < -126.0f ? (float16)(-126.0f) : c;  // max and min would lose a NaN
    c = c > 126.0f ? (float16)(126.0f) : c;
    const float16 n = c + 12582912.0f, f = c - (n - 12582912.0f);
    float16 p = fma(f, 1.535336188319500e-4f, 1.339887440266574e-3f);
    p = fma(p, f, 9.618437357674640e-3f);
    p = fma(p, f, 5.550332471162809e-2f);
    p = fma(p, f, 2.402264791363012e-1f);
    p = fma(p, f, 6.931472028550421e-1f);
    p = fma(p, f, 1.0f);
    const float16 d = 1.0f + as_float16(as_int16(p) + (as_int16(n) << 23)), r = native_recip(d);
    return x < -87.0f ? (float16)(0) : fma(fma(-d, r, 1.0f), r, r);
}

// Resampling of an image along rows and columns: every output pixel is a weighted sum of ROWS x COLUMNS input pixels.
// x, y: strided blocks of V channels; rows, columns: for each output row or column the pairs (input index, weight).
// One work-item computes one pixel of one block of V channels.
#define V 16  // channels of a block
#define OCB 2  // blocks of channels
#define ROWS 2  // input rows of an output row: 1 nearest, 2 linear, 4 cubic, more where the kernel is widened
#define COLUMNS 2  // input columns of an output column
#define floatV float16
#define X_T float
#define X_OFFSET 0
#define X_SN 1120
#define X_SC 560
#define X_SY 112
#define X_SX 16
#define LOAD_X(i) x[(i)]
#define LOADV_X(i) vload16(0, x + (i))
#define Y_T float
#define Y_OFFSET 0
#define Y_SN 4480
#define Y_SC 2240
#define Y_SY 224
#define Y_SX 16

__kernel void resize_33d8e0c6(__global const X_T *restrict x, __global const float *restrict rows, __global const float *restrict columns, __global const float *restrict e0, __global const float *restrict e1, __global Y_T *restrict y) {
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
    const float16 t0 = vload16(0, e0 + cb * 16);
    const float16 t1 = sum + t0;
    const float16 t2 = near_sigmoid16(t1);
    const float16 t3 = ((cb) * 16 + 16 <= 17 ? vload16(0, e1 + oy * 238 + ox * 17 + ((cb) * 16)) : (float16)(((cb) * 16 + 0 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 16 + 0))] : 0), ((cb) * 16 + 1 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 16 + 1))] : 0), ((cb) * 16 + 2 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 16 + 2))] : 0), ((cb) * 16 + 3 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 16 + 3))] : 0), ((cb) * 16 + 4 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 16 + 4))] : 0), ((cb) * 16 + 5 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 16 + 5))] : 0), ((cb) * 16 + 6 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 16 + 6))] : 0), ((cb) * 16 + 7 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 16 + 7))] : 0), ((cb) * 16 + 8 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 16 + 8))] : 0), ((cb) * 16 + 9 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 16 + 9))] : 0), ((cb) * 16 + 10 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 16 + 10))] : 0), ((cb) * 16 + 11 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 16 + 11))] : 0), ((cb) * 16 + 12 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 16 + 12))] : 0), ((cb) * 16 + 13 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 16 + 13))] : 0), ((cb) * 16 + 14 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 16 + 14))] : 0), ((cb) * 16 + 15 < 17 ? e1[oy * 238 + ox * 17 + (((cb) * 16 + 15))] : 0)));
    const float16 t4 = t2 + t3;
    const float16 t5 = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) < (int16)(17 - ((cb) * 16)) ? t4 : (float16)(0);
    vstore16(t5, 0, y + oy * 224 + ox * 16 + cb * 2240);
}
}
